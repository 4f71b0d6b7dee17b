import Columnar
import Plan

/// The folder `key=value/...` of a row, from its partition columns.
final class PartitionNames {
    private let columns: [Int]
    private let cells: [CellWriter]
    /// `key=`, with `/` before it for all but the first.
    private let heads: [[UInt8]]
    private let defaultName: [UInt8]
    private let text = TextBuffer(capacity: 256)
    private let value = TextBuffer(capacity: 64)
    /// The name that was asked for last; rows of one partition tend to come together.
    private var last: [UInt8] = []
    private var lastName = ""

    /// nil for a sink without partitions. Throws `plan` for positions that are none, `unsupported` for types that have no text in a path.
    init?(_ description: FileSinkDescription, schema: Schema) throws(MillstreamError) {
        let columns = description.partitionColumns
        guard !columns.isEmpty else { return nil }
        let text = TextBuffer(capacity: 64)
        var (heads, cells): ([[UInt8]], [CellWriter]) = ([], [])
        for (place, position) in columns.enumerated() {
            guard schema.fields.indices.contains(position), !columns[..<place].contains(position) else {
                throw MillstreamError(.plan, "a file sink's partition column \(position) is none of (\(schema.columnList)), or named twice")
            }
            let field = schema.fields[position]
            guard PartitionNames.supports(field.type) else {
                throw MillstreamError(.unsupported, "column '\(field.name)' of type \(field.type) cannot name the folders of partitions")
            }
            text.clear()
            if place > 0 { text.append(UInt8(ascii: "/")) }
            var name = field.name
            name.withUTF8 { text.append(pathName: UnsafeRawBufferPointer($0)) }
            text.append(UInt8(ascii: "="))
            heads.append(Array(text.bytes))
            cells.append(CellWriter(field.type, style: .table))
        }
        guard columns.count < schema.fields.count else {
            throw MillstreamError(.plan, "all columns of a file sink are partition columns; nothing is left for its files")
        }
        self.columns = columns
        self.heads = heads
        self.cells = cells
        defaultName = Array(description.defaultPartitionName.utf8)
    }

    static func supports(_ type: DataType) -> Bool {
        switch type.kind {
        case .char, .varChar, .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal, .date, .time, .timestamp, .timestampLTZ: true
        default: false
        }
    }

    /// The name for a row, and whether it is another than the one before.
    func name(_ batch: Batch, _ index: Int) throws(MillstreamError) -> String {
        text.clear()
        for (place, position) in columns.enumerated() {
            heads[place].withUnsafeBytes { text.append($0) }
            let column = batch.columns[position]
            value.clear()
            if !column.isNull(index) { try cells[place].write(column, index, to: value) }
            if value.count == 0 { defaultName.withUnsafeBytes { text.append($0) } } else { text.append(pathName: value.bytes) }
        }
        if last.count == text.count, last.elementsEqual(text.bytes) { return lastName }
        last = Array(text.bytes)
        lastName = String(decoding: last, as: UTF8.self)
        guard lastName.utf8.count <= 4_000, lastName.utf8.split(separator: 0x2F).allSatisfy({ $0.count <= 255 }) else {
            throw MillstreamError(.invalidArgument, "the text '\(lastName.prefix(200))…' is too long for the name of a partition's folder")
        }
        return lastName
    }
}

/// Which partitions have rows that nobody was told of, and which of them are complete.
struct PartitionCommits {
    private let description: PartitionCommitDescription
    private let directory: String
    /// In the order of their first row: the folder, and when that came.
    private(set) var open: [(folder: String, since: Int64)] = []

    init(_ description: PartitionCommitDescription, directory: String) {
        self.description = description
        self.directory = directory
    }

    mutating func didWrite(_ folder: String, at milliseconds: Int64) {
        if open.last?.folder == folder || open.contains(where: { $0.folder == folder }) { return }
        open.append((folder, milliseconds))
    }

    /// The folders that are complete now; they are not open then. Throws `invalidArgument` for a folder whose values are no time.
    mutating func takeDue(now: Int64, watermark: Int64, isLast: Bool) throws(MillstreamError) -> [String] {
        var (due, rest): ([String], [(folder: String, since: Int64)]) = ([], [])
        for partition in open {
            let isDue: Bool
            switch description.trigger {
            case _ where isLast: isDue = true
            case .processTime: isDue = now >= partition.since.addingSaturating(description.delayMilliseconds)
            case .partitionTime: isDue = watermark >= (try time(of: partition.folder)).addingSaturating(description.delayMilliseconds)
            }
            if isDue { due.append(partition.folder) } else { rest.append(partition) }
        }
        open = rest
        return due
    }

    func committable(_ folder: String) -> PendingFile {
        PendingFile(kind: .success, hiddenPath: "", finalPath: "\(directory)/\(folder)/\(description.successFileName)", byteCount: 0)
    }

    mutating func restore(_ folder: String, since: Int64) { didWrite(folder, at: since) }

    /// The partition's own time, in milliseconds of UTC.
    func time(of folder: String) throws(MillstreamError) -> Int64 {
        var source = FileSourceDescription(paths: [], format: .text, fileSchema: .scalar(.string))
        let keys = folder.split(separator: "/").map { String($0.prefix { $0 != "=" }) }
        source.partitionKeys = keys
        let values = (PartitionFolders(source)?.values(of: folder + "/file") ?? []).map { $0 ?? "" }
        var text = values.first ?? ""
        if let pattern = description.timePattern {
            text = pattern
            // The longest names first: $hours is not $hour with an s behind it.
            for (key, value) in zip(keys, values).sorted(by: { $0.0.utf8.count > $1.0.utf8.count }) { text = replace("$" + key, by: value, in: text) }
        }
        if case .int64(let time)? = partitionScalar(text, DataType(.timestamp(3))) { return time }
        if case .int64(let days)? = partitionScalar(text, .date) { return days * 86_400_000 }
        throw MillstreamError(
            .invalidArgument, "the partition '\(folder)' has no time: '\(text)' is neither 'yyyy-MM-dd HH:mm:ss' nor 'yyyy-MM-dd'",
            hint: "Set 'partition.time-extractor.timestamp-pattern'.")
    }

    private func replace(_ name: String, by value: String, in text: String) -> String {
        var (result, rest): ([UInt8], ArraySlice<UInt8>) = ([], Array(text.utf8)[...])
        let name = Array(name.utf8)
        while let byte = rest.first {
            if rest.starts(with: name) {
                result += Array(value.utf8)
                rest = rest.dropFirst(name.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
