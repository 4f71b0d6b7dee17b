import Columnar
import Expressions
import Plan

/// What tables of connectors are in a plan.
extension PlanBuilder {
    /// The rows of a table: its physical and metadata columns in the table's order.
    func source(_ scan: TableScan, _ relation: Relation) throws(MillstreamError) -> NodeID {
        let columns = scan.table.table.baseColumns
        let (kind, order) = try sourceKind(scan, columns)
        let parallelism = scan.description.parallelism("scan.parallelism")
        let ordered = order.map { relation.columns[$0] }
        let source = add("Source: \(scan.table.path.name)", .source(SourceDescription(kind)), [], ordered, parallelism: parallelism)
        var result = source
        if order != Array(columns.indices) {
            let back = columns.indices.map { index in ScalarExpression.column(order.firstIndex(of: index) ?? 0, relation.columns[index].type) }
            result = add("Calc", .table(.calc(CalcDescription(projections: back))), [Edge(source: source)], relation.columns, parallelism: parallelism)
        }
        return try normalized(scan, relation, result)
    }

    /// A changelog that leaves out what it replaces becomes whole.
    private func normalized(_ scan: TableScan, _ relation: Relation, _ source: NodeID) throws(MillstreamError) -> NodeID {
        guard let mode = scan.description.sourceChangelog, mode != .insertOnly, isStreaming else { return source }
        let isUpsert = !mode.contains(.updateBefore)
        guard isUpsert || (normalizesChanges && scan.table.table.primaryKey != nil) else { return source }
        guard let key = traits.uniqueKeys(of: relation).first else {
            throw MillstreamError(.plan, "the table '\(scan.table.path.name)' gives changes without what they replace: it needs a PRIMARY KEY")
        }
        let description = ChangelogNormalizeDescription(keys: key)
        return add("ChangelogNormalize", .table(.changelogNormalize(description)), [Edge(source: source, partitioning: .hash(keys: key))], relation.columns)
    }

    /// The source, and which of the table's columns its columns are.
    private func sourceKind(_ scan: TableScan, _ columns: [TableColumn]) throws(MillstreamError) -> (SourceDescription.Kind, [Int]) {
        let options = scan.description.options
        let table = scan.table
        let all = Array(columns.indices)
        switch scan.description.connector {
        case "filesystem": return try files(scan, columns)
        case "datagen": return (.datagen(try datagen(options, columns)), all)
        case "nexmark": return (.nexmark(nexmark(options)), all)
        case "socket":
            let byte = UInt8(truncatingIfNeeded: options.integer("byte-delimiter") ?? 10)
            return (
                .socketText(
                    host: options.text("hostname") ?? "localhost", port: Int(options.integer("port") ?? 0), delimiter: byte, maxRetries: Int(options.integer("max-retries") ?? 0)),
                all
            )
        default:
            if let source = try boundSource(scan) { return (source, all) }
            throw MillstreamError(.unsupported, "the connector '\(scan.description.connector)' of the table '\(table.path.name)' cannot be read here")
        }
    }

    private func files(_ scan: TableScan, _ columns: [TableColumn]) throws(MillstreamError) -> (SourceDescription.Kind, [Int]) {
        let options = scan.description.options
        let keys = scan.table.table.partitionKeys
        guard let format = scan.description.format else { throw .internal("a table of files has no format") }
        var inFile: [Int] = []
        var pathColumns: [PathColumn] = []
        var behind: [Int] = []
        for (index, column) in columns.enumerated() {
            if let key = column.metadataKey {
                guard let path = PathColumn(metadata: key) else {
                    throw MillstreamError(.unsupported, "the metadata '\(key)' of the table '\(scan.table.path.name)' is not built")
                }
                pathColumns.append(path)
                behind.append(index)
            } else if keys.contains(column.name) {
                pathColumns.append(.partition(key: column.name, type: column.type))
                behind.append(index)
            } else {
                inFile.append(index)
            }
        }
        var paths = options.text("path") ?? ""
        if paths.hasPrefix("file://") { paths.removeFirst("file://".count) }
        let schema = Schema(inFile.map { columns[$0].field })
        var files = FileSourceDescription(paths: [paths], format: try TableFormats.reading(format), fileSchema: schema)
        files.pathColumns = pathColumns
        files.partitionKeys = keys
        files.defaultPartitionName = options.text("partition.default-name") ?? files.defaultPartitionName
        files.monitorMilliseconds = options.milliseconds("source.monitor-interval")
        if TableFormats.ignoresErrors(format) { files.malformed = .ignore }
        return (.files(files), inFile + behind)
    }

    private func nexmark(_ options: OptionValues) -> NexmarkDescription {
        var description = NexmarkDescription(
            count: options.integer("events.num"), firstTimeMilliseconds: options.integer("base-time") ?? 1_436_918_400_000,
            eventsPerSecond: options.double("first-event.rate") ?? 10_000, rowsPerSecond: options.double("rows-per-second"))
        func set(_ key: String, _ path: WritableKeyPath<NexmarkDescription, Int>) {
            if let value = options.integer(key) { description[keyPath: path] = Int(value) }
        }
        set("person.proportion", \.personProportion)
        set("auction.proportion", \.auctionProportion)
        set("bid.proportion", \.bidProportion)
        set("person.avg-size", \.personByteCount)
        set("auction.avg-size", \.auctionByteCount)
        set("bid.avg-size", \.bidByteCount)
        set("bid.hot-ratio.auctions", \.hotAuctionRatio)
        set("auction.hot-ratio.sellers", \.hotSellerRatio)
        set("bid.hot-ratio.bidders", \.hotBidderRatio)
        set("person.active-num", \.activePersonCount)
        set("auction.in-flight", \.auctionsInFlight)
        if let seed = options.integer("seed") { description.seed = UInt64(bitPattern: seed) }
        return description
    }

    private func datagen(_ options: OptionValues, _ columns: [TableColumn]) throws(MillstreamError) -> DatagenDescription {
        var rules: [DatagenColumn] = []
        for column in columns {
            let prefix = "fields.\(column.name)."
            var rule = DatagenColumn()
            if options.text(prefix + "kind")?.lowercased() == "sequence" {
                guard let first = options.integer(prefix + "start"), let last = options.integer(prefix + "end") else {
                    throw MillstreamError(.configuration, "the sequence of '\(column.name)' needs '\(prefix)start' and '\(prefix)end'")
                }
                rule = DatagenColumn(.sequence(first: first, last: last))
            }
            rule.minimum = try bound(options, prefix + "min", column.type)
            rule.maximum = try bound(options, prefix + "max", column.type)
            rule.length = options.integer(prefix + "length").map { Int($0) }
            rule.variesLength = options.boolean(prefix + "var-len") ?? false
            rule.maxPastMilliseconds = options.milliseconds(prefix + "max-past") ?? 0
            rule.nullRate = options.double(prefix + "null-rate") ?? 0
            rules.append(rule)
        }
        return DatagenDescription(
            columns: rules, count: options.integer("number-of-rows"), rowsPerSecond: options.integer("rows-per-second").map { Double($0) })
    }

    /// A bound of random numbers in the column's own form.
    private func bound(_ options: OptionValues, _ key: String, _ type: DataType) throws(MillstreamError) -> Scalar? {
        guard let text = options.texts[key] else { return nil }
        let cast = ScalarExpression(.cast(.constant(.string(text), DataType.string.notNull), isTry: true), type.nullable)
        let value = try ScalarProgram.constant(cast, EvaluationContext())
        guard value != .null else { throw MillstreamError(.configuration, "the option '\(key)' takes a value of type \(type), not '\(text)'") }
        return value
    }
}

extension PathColumn {
    init?(metadata key: String) {
        switch key {
        case "file.path": self = .filePath
        case "file.name": self = .fileName
        case "file.size": self = .fileSize
        case "file.modification-time": self = .modificationTime
        default: return nil
        }
    }
}
