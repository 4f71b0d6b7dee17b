import Columnar
import Dataflow
import Plan

/// The sizes that bound the reading of files.
public struct FileReadLimits: Sendable {
    /// How much is read and decoded at once.
    public var chunkByteCount = 1 << 20
    /// A record that is longer stops the job: more likely a quote that is never closed, or no text at all, than data.
    public var recordByteCountMax = 64 << 20
    /// No range of a file is shorter; below this the start of a reader costs more than it wins.
    public var rangeByteCountMin: Int64 = 32 << 20

    public init() {}

    /// The same limits within what the decoders' 31-bit places can hold.
    var bounded: FileReadLimits {
        var copy = self
        copy.chunkByteCount = min(max(1, chunkByteCount), 1 << 28)
        copy.recordByteCountMax = min(max(1, recordByteCountMax), 1 << 28)
        return copy
    }
}

/// Files as rows: text, CSV and JSON lines, plain or compressed, read once or watched for new ones.
///
/// A split is a file, or a range of a large uncompressed one whose format can be cut at line ends. Its position is the start of the next record.
public final class FileSource: Source {
    public let schema: Schema
    /// The columns that are in the files.
    private let content: Schema
    public var boundedness: Boundedness { description.monitorMilliseconds == nil ? .bounded : .unbounded }
    private let description: FileSourceDescription
    private let projection: [Int]
    private let clock: any Clock
    private let limits: FileReadLimits
    private let lines: LineCounts

    /// `schema` is what comes out: the projected columns of the file's schema. Throws `configuration` or `plan` for a description that does not fit.
    public init(
        _ description: FileSourceDescription, schema: Schema, clock: any Clock, limits: FileReadLimits = FileReadLimits()
    ) throws(MillstreamError) {
        let fields = description.fileSchema.fields
        projection = description.projection ?? Array(fields.indices)
        for position in projection where !fields.indices.contains(position) {
            throw MillstreamError(.plan, "a projection takes column \(position) of a file with \(fields.count) columns")
        }
        guard projection.map({ fields[$0].type }) + description.pathColumns.map(\.type) == schema.types else {
            throw MillstreamError(.plan, "a file source gives (\(schema.columnList)), but its file has (\(description.fileSchema.columnList))")
        }
        if let interval = description.monitorMilliseconds, interval <= 0 {
            throw MillstreamError(.configuration, "a file source looks for new files every \(interval) ms; that must be above 0")
        }
        guard !description.paths.isEmpty else { throw MillstreamError(.configuration, "a file source has no paths") }
        let keys = Set(description.partitionKeys)
        for column in description.pathColumns {
            guard case .partition(let key, _) = column, !keys.contains(key) else { continue }
            let known = description.partitionKeys.joined(separator: ", ")
            throw MillstreamError(.plan, "a file source gives the partition column '\(key)', and its folders have (\(known))")
        }
        if let partitions = description.partitions, partitions.contains(where: { $0.count != description.partitionKeys.count }) {
            throw MillstreamError(.plan, "a partition to be read does not have a value for each of \(description.partitionKeys.count) keys")
        }
        self.description = description
        self.schema = schema
        content = Schema(Array(schema.fields.prefix(projection.count)), shape: schema.shape)
        self.clock = clock
        self.limits = limits
        let endsAtReturn =
            switch description.format {
            case .text, .csv: true
            case .json, .changelog, .raw: false
            }
        lines = LineCounts(pieceByteCount: 2 * limits.rangeByteCountMin, endsAtReturn: endsAtReturn)
        // Fails here, not in the first reader, where the format refuses the schema.
        _ = try makeDecoder()
    }

    public func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        FileEnumerator(
            description.paths, partitions: PartitionFolders(description), monitorMilliseconds: description.monitorMilliseconds, clock: clock,
            canSplit: try makeDecoder().canSplit, parallelism: parallelism, limits: limits)
    }

    public func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        FileReader(
            decoder: try makeDecoder(), metrics: context.metrics, limits: limits, lines: lines, clock: context.clock,
            letters: description.malformed == .deadLetter ? try FileDeadLetters() : nil,
            pathColumns: description.pathColumns.isEmpty ? nil : PathColumns(description, schema: schema))
    }

    private func makeDecoder() throws(MillstreamError) -> any FileDecoder {
        switch description.format {
        case .text:
            return try LineDecoder(schema: content, malformed: description.malformed)
        case .csv(let options):
            return try CSVDecoder(
                options, fileSchema: description.fileSchema, projection: projection, schema: content, malformed: description.malformed)
        case .json(let options):
            return try JSONLinesDecoder(schema: content, options: options, malformed: description.malformed, reader: JSONObjectReader())
        case .changelog(let options):
            return try JSONLinesDecoder(
                schema: content, options: options.json, malformed: description.malformed, reader: try ChangelogReader(options))
        case .raw(let options):
            return try RawDecoder(schema: content, options: options, malformed: description.malformed)
        }
    }
}
