import CMillstream
import Columnar
import TestColumns
import Testing

@Suite struct ArrowRoundTripTests {
    @Test(arguments: 0..<150) func columnsComeBackExactly(seed: Int) throws {
        var columns = RandomColumns(seed)
        var type = columns.type()
        if columns.random.chance(20) && type != .null { type = type.notNull }
        let column = try columns.column(type, columns.random.int(0..<150))
        for usesViews in [true, false] {
            let back = try roundTrip(column, ArrowExportOptions(usesViews: usesViews))
            #expect(back.type == column.type)
            #expect(rows(back) == rows(column), "\(type)")
        }
    }

    @Test func importedBuffersAreShared() throws {
        var columns = RandomColumns(1)
        for type in [DataType.bigInt, .string, DataType(.decimal(precision: 9, scale: 1)), DataType(.array(.int)), .boolean] {
            let column = try columns.column(type, 100).slice(13, 50)
            let back = try roundTrip(column, ArrowExportOptions())
            #expect(back.values?.base == column.values?.base && back.offset == column.offset, "\(type)")
            #expect(back.dataBuffers.map(\.base) == column.dataBuffers.map(\.base))
        }
        let text = try columns.column(.string, 100)
        let exported = try Exported(Batch(schema: .scalar(.string), columns: [text], count: 100), ArrowExportOptions(usesViews: false))
        let data = exported.array.pointee.children[0]!.pointee.buffers[2]
        #expect(try exported.importBatch().columns[0].dataBuffers[0].base == data.map { UnsafeMutableRawPointer(mutating: $0) })
    }

    @Test(arguments: 0..<30) func batchesComeBackWithHiddenColumns(seed: Int) throws {
        var columns = RandomColumns(seed)
        let types = (0..<3).map { _ in columns.type() }
        var batch = Batch(
            schema: Schema(types.enumerated().map { Field("naïve `\($0)`", $1) }, shape: seed % 2 == 0 ? .tuple : .row),
            columns: try types.map { try columns.column($0, 90) }, count: 90)
        if columns.random.chance(50) {
            batch.rowKinds = try kinds(&columns)
            batch.timestamps = try columns.column(.bigInt.notNull, 90)
        }
        if columns.random.chance(50) { batch.selection = Selection((0..<90).filter { _ in columns.random.chance(50) }.map { Int32($0) }) }
        let back = try Exported(batch, ArrowExportOptions(includesRowKinds: true, includesTimestamps: true)).importBatch()
        let dense = try batch.compacted()
        #expect(back.schema == batch.schema && back.count == batch.count)
        for index in types.indices { #expect(rows(back.columns[index]) == rows(dense.columns[index])) }
        #expect(rows(back.rowKinds!) == dense.rowKinds.map { rows($0) } ?? Array(repeating: "int64(0)", count: dense.count))
        #expect(rows(back.timestamps!) == dense.timestamps.map { rows($0) } ?? Array(repeating: "int64(\(Int64.min))", count: dense.count))
        // A function's answer comes without a schema.
        let plain = try Exported(batch, ArrowExportOptions())
        let expecting = ArrowImporter(expecting: batch.schema, options: ArrowImportOptions(hostObjects: testObjects))
        let answer = try plain.import(with: expecting)
        for index in types.indices { #expect(rows(answer.columns[index]) == rows(dense.columns[index])) }
    }

    @Test func streamsGiveTheirBatchesAndErrors() throws {
        nonisolated(unsafe) var pulled = 0
        let schema = Schema([Field("a", .bigInt)])
        var stream = ArrowArrayStream()
        exportArrowStream(schema: schema, into: &stream) { () throws(MillstreamError) -> Batch? in
            pulled += 1
            if pulled == 4 { throw MillstreamError(.io, "the disk is gone") }
            return Batch(schema: schema, columns: [.repeating(Int64(pulled), type: .bigInt, count: 5).retyped(.bigInt)], count: 5)
        }
        let reader = try ArrowStreamReader(moving: &stream)
        #expect(stream.release == nil && reader.schema == schema)
        for number in 1...3 { #expect(try rows(reader.next()!.columns[0]) == Array(repeating: "int64(\(number))", count: 5)) }
        let error = #expect(throws: MillstreamError.self) { try reader.next() }
        #expect(error?.code == .io && error?.message.contains("the disk is gone") == true)
        #expect(try reader.next() == nil)
        var released = ArrowArrayStream()
        #expect(throws: MillstreamError.self) { try ArrowStreamReader(moving: &released) }
    }

    @Test func schemasOfAnyTypeComeBack() throws {
        for type in RandomColumns.flatTypes {
            let schema = Schema([Field("a", type.nullable), Field("b", DataType(.array(type), isNullable: false))], shape: .tuple)
            var arrow = ArrowSchema()
            schema.exportArrow(into: &arrow)
            defer { arrow.release(&arrow) }
            #expect(try Schema.importArrow(&arrow) == schema)
        }
    }

    private func kinds(_ columns: inout RandomColumns) throws -> Column {
        var builder = FixedWidthBuilder<Int8>()
        for _ in 0..<90 { try builder.append(Int8(columns.random.int(0..<4))) }
        return builder.finish(type: .tinyInt.notNull)
    }

    private func roundTrip(_ column: Column, _ options: ArrowExportOptions) throws -> Column {
        let schema = Schema([Field("c", column.type)])
        return try Exported(Batch(schema: schema, columns: [column], count: column.count), options).importBatch().columns[0]
    }
}

/// An exported batch, whose C structures a test may change before it imports them.
final class Exported {
    var array: UnsafeMutablePointer<ArrowArray>
    var schema: UnsafeMutablePointer<ArrowSchema>

    init(_ batch: Batch, _ options: ArrowExportOptions = ArrowExportOptions()) throws {
        array = .allocate(capacity: 1)
        schema = .allocate(capacity: 1)
        try batch.exportArrow(into: array, schema: schema, options: options)
    }

    deinit {
        if let release = array.pointee.release { release(array) }
        if let release = schema.pointee.release { release(schema) }
        array.deallocate()
        schema.deallocate()
    }

    func importBatch() throws -> Batch {
        try Batch.importArrow(array, schema: schema, options: ArrowImportOptions(hostObjects: testObjects))
    }

    func `import`(with importer: ArrowImporter) throws -> Batch { try importer.batch(moving: array) }
}
