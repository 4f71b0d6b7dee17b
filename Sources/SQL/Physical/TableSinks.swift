import Columnar
import Plan

/// What tables of connectors are when they are written.
enum TableSinks {
    static func kind(
        _ description: TableDescription, _ table: ResolvedTable, _ request: InsertRequest,
        _ others: (@Sendable (TableDescription, ResolvedTable) throws(MillstreamError) -> SinkDescription.Kind?)?
    ) throws(MillstreamError) -> SinkDescription.Kind {
        let options = description.options
        switch description.connector {
        case "blackhole": return .blackhole
        case "print": return .printTable(prefix: options.text("print-identifier"), standardError: options.boolean("standard-error") ?? false)
        case "filesystem": return .files(try files(description, table, request))
        default:
            if let kind = try others?(description, table) { return kind }
            throw MillstreamError(.unsupported, "the connector '\(description.connector)' of the table '\(table.path.name)' cannot be written here")
        }
    }

    private static func files(_ description: TableDescription, _ table: ResolvedTable, _ request: InsertRequest) throws(MillstreamError) -> FileSinkDescription {
        let options = description.options
        guard let format = description.format else { throw .internal("a table of files has no format") }
        var path = options.text("path") ?? ""
        if path.hasPrefix("file://") { path.removeFirst("file://".count) }
        var files = FileSinkDescription(directory: path, format: try TableFormats.writing(format))
        if let size = options.byteCount("sink.rolling-policy.file-size") { files.rollByteCount = size }
        if let age = options.milliseconds("sink.rolling-policy.rollover-interval") { files.rollAgeMilliseconds = age }
        if let pause = options.milliseconds("sink.rolling-policy.inactivity-interval") { files.rollInactivityMilliseconds = pause }
        let columns = table.table.persistedColumns
        files.partitionColumns = table.table.partitionKeys.compactMap { name in columns.firstIndex { $0.name == name } }
        files.defaultPartitionName = options.text("partition.default-name") ?? files.defaultPartitionName
        files.overwrites = request.insert.isOverwrite
        if request.insert.isOverwrite, request.insert.partition.isEmpty { files.overwrittenFolder = table.table.partitionKeys.isEmpty ? "" : nil }
        if let policy = options.text("sink.partition-commit.policy.kind"), policy.contains("success-file") {
            files.partitionCommit = PartitionCommitDescription(
                trigger: options.text("sink.partition-commit.trigger") == "partition-time" ? .partitionTime : .processTime,
                delayMilliseconds: options.milliseconds("sink.partition-commit.delay") ?? 0,
                successFileName: options.text("sink.partition-commit.success-file.name") ?? "_SUCCESS",
                timePattern: options.text("partition.time-extractor.timestamp-pattern"))
        }
        return files
    }
}
