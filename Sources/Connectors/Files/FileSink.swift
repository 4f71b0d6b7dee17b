import Columnar
import Dataflow
import Plan

/// Rows to files of a directory, in parts that become visible whole.
///
/// A part is written under a hidden name, `.part-<subtask>-<number>.inprogress.<uid>`, and renamed to `part-<subtask>-<number>` when it is finished:
/// with checkpoints by the commit of the first one after the part was rolled, without them as soon as it is rolled. At every moment each visible file
/// is complete and on the disk.
///
/// `uid` begins with 8 digits that follow from the job's lineage, and ends with 8 of this writer alone: what a crashed run of the same job left in progress, and
/// no checkpoint has, is removed before the first row of the next run, and nobody else's parts ever are; no two runs write to files of the same name. A part of
/// another job's checkpoint (a job that was started from a savepoint) is copied, not taken away.
public final class FileSink: Sink {
    private let description: FileSinkDescription
    private let schema: Schema
    private let storage: any Storage
    private let bucket: BucketFunction?
    private let folders: TimeFolders?
    private let commitsAtCheckpoints: Bool

    /// `commitsAtCheckpoints`: rolled parts wait for a commit; otherwise the writer makes them visible itself.
    /// Throws `configuration` for options that are refused.
    public init(
        _ description: FileSinkDescription, schema: Schema, environment: ConnectorEnvironment, commitsAtCheckpoints: Bool
    ) throws(MillstreamError) {
        guard description.rollByteCount > 0, description.rollAgeMilliseconds > 0, description.rollInactivityMilliseconds > 0 else {
            throw MillstreamError(.configuration, "a file sink's rolling limits must be above 0")
        }
        for part in [description.prefix, description.suffix] where part.utf8.contains(0x2F) || part.utf8.contains(0) {
            throw MillstreamError(.configuration, "a file sink's prefix and suffix must not hold '/' or NUL")
        }
        guard !description.directory.isEmpty else { throw MillstreamError(.configuration, "a file sink has no directory") }
        var description = description
        if description.directory.hasPrefix("file://") { description.directory = String(description.directory.dropFirst(7)) }
        while description.directory.count > 1, description.directory.hasSuffix("/") { description.directory.removeLast() }
        self.description = description
        self.schema = schema
        self.commitsAtCheckpoints = commitsAtCheckpoints
        storage = environment.storage
        bucket = try description.bucket.map { expression throws(MillstreamError) in
            try BucketFunction(expression, schema: schema, environment: environment)
        }
        _ = try FileSink.encoder(description, schema)
        let ways = [description.timeFolders != nil, description.bucket != nil, !description.partitionColumns.isEmpty]
        guard ways.filter({ $0 }).count <= 1 else {
            throw MillstreamError(.configuration, "a file sink's folders are named by a bucket, by the time or by partition columns, by one of them only")
        }
        _ = try PartitionNames(description, schema: schema)
        if let commit = description.partitionCommit {
            guard !description.partitionColumns.isEmpty else {
                throw MillstreamError(.configuration, "a file sink without partition columns has no partitions to commit")
            }
            let name = commit.successFileName
            guard !name.isEmpty, !name.utf8.contains(0x2F), !name.utf8.contains(0), FileListing.isHidden(name) else {
                throw MillstreamError(
                    .configuration, "'\(name)' cannot be the name of a success file; it begins with '_' or '.', so that no reader takes it for data")
            }
        }
        folders = try description.timeFolders.map { pattern throws(MillstreamError) in
            try TimeFolders(pattern: pattern, isUTC: description.timeFoldersAreUTC)
        }
    }

    public func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
        try storage.makeDirectories(description.directory)
        return FileWriter(
            description, encoder: try FileSink.encoder(description, schema), bucket: bucket, folders: folders,
            partitions: try PartitionNames(description, schema: schema), storage: storage, context: context, commitsAtCheckpoints: commitsAtCheckpoints)
    }

    /// What writes the columns that do not name the folders.
    private static func encoder(_ description: FileSinkDescription, _ schema: Schema) throws(MillstreamError) -> RowEncoder {
        let partitions = description.partitionColumns
        return try RowEncoder(
            description.format, schema: schema, columns: partitions.isEmpty ? nil : schema.fields.indices.filter { !partitions.contains($0) })
    }

    public func makeCommitter() throws(MillstreamError) -> (any Committer)? { FileCommitter(storage) }
}

/// Which folder a row goes to.
struct BucketFunction: Sendable {
    /// Flink's name for the partition of a NULL.
    static let nullName = "__DEFAULT_PARTITION__"

    private enum Way: Sendable {
        case column(Int)
        case computed(ConnectorEnvironment.ColumnFunction)
    }
    private let way: Way

    init(_ expression: Expression, schema: Schema, environment: ConnectorEnvironment) throws(MillstreamError) {
        if case .column(let position) = expression {
            guard schema.fields.indices.contains(position), schema.fields[position].type.isText else {
                throw MillstreamError(.plan, "a bucket is a column of type STRING of (\(schema.columnList))")
            }
            way = .column(position)
        } else {
            guard let make = environment.makeColumnFunction else {
                throw MillstreamError(.unsupported, "this program evaluates no bucket expressions; a bucket can only be a column")
            }
            way = .computed(try make(expression, schema))
        }
    }

    /// The column of names, and whether it is indexed by rows that count (or by physical ones).
    func names(_ batch: Batch) throws(MillstreamError) -> (column: Column, isDense: Bool) {
        switch way {
        case .column(let position): return (batch.columns[position], false)
        case .computed(let function):
            let column = try function(batch)
            guard column.type.isText, column.count == batch.count else {
                throw MillstreamError(.typeMismatch, "a bucket expression has type \(column.type), expected STRING")
            }
            return (column, true)
        }
    }

    /// The folder's name for a value. Throws `invalidArgument` for a text that would lead out of the sink's directory.
    static func folder(_ column: Column, _ index: Int) throws(MillstreamError) -> String {
        guard !column.isNull(index) else { return nullName }
        let name = String(decoding: column.bytes(index), as: UTF8.self)
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !name.utf8.contains(0), name.utf8.count <= 1_024, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw MillstreamError(.invalidArgument, "the text '\(name.prefix(200))' cannot be the name of a bucket's folder")
        }
        return name
    }
}
