import Columnar
import TestColumns
import Testing

@Suite struct BuildersTests {
    @Test(arguments: 0..<60) func valuesComeBack(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let scalars = (0..<columns.random.int(0..<200)).map { _ in columns.scalar(type) }
        let builder = try ColumnBuilder.make(for: type, hostObjects: testObjects)
        for round in 0..<2 {
            for scalar in scalars { try builder.append(scalar) }
            let column = builder.finish()
            #expect(rows(column) == scalars.map { "\($0)" }, "round \(round) of \(type)")
            #expect(column.nullCount == scalars.count { $0 == .null })
        }
    }

    @Test(arguments: 0..<60) func runsOfColumnsAreAppended(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let sources = [try columns.column(type, 50), try columns.column(type, 0), try columns.column(type, 170)]
        let builder = try ColumnBuilder.make(for: type, hostObjects: testObjects)
        var expected: [String] = []
        for source in sources {
            let start = columns.random.int(0..<source.count + 1)
            try builder.append(from: source, start, source.count - start)
            expected += rows(source, Array(start..<source.count))
            try builder.appendNull()
            expected.append("null")
        }
        #expect(rows(builder.finish()) == expected, "\(type)")
    }

    @Test func fixedWidthGrowsAndStartsAnew() throws {
        var builder = FixedWidthBuilder<Int64>()
        for value in 0..<5000 {
            if value % 7 == 0 { try builder.appendNull() } else { try builder.append(Int64(value)) }
        }
        let column = builder.finish(type: .bigInt)
        #expect(builder.count == 0 && column.count == 5000 && column.nullCount == 715)
        #expect(column.scalar(at: 4999) == .int64(4999) && column.isNull(4998))
        try builder.append(1)
        #expect(rows(builder.finish(type: .bigInt)) == ["int64(1)"])
    }

    @Test func longTextStartsNewBlocks() throws {
        var builder = ViewBuilder()
        let long = String(repeating: "x", count: 700_000)
        for _ in 0..<4 { try builder.append(long) }
        try builder.append("short")
        try builder.append("exactly twelve" as StaticString)
        let column = builder.finish(type: .string)
        #expect(column.dataBuffers.count >= 4)
        #expect(
            rows(column) == Array(repeating: "\(Scalar.string(long))", count: 4) + [
                "\(Scalar.string("short"))", "\(Scalar.string("exactly twelve"))",
            ])
    }

    @Test func sharedBuffersAreNotCopied() throws {
        let line = Buffer.copying(Array("a field that is long,short".utf8))
        var builder = ViewBuilder()
        let share = builder.share(line)
        try builder.appendShared(share, UnsafeRawBufferPointer(start: line.base, count: 20), offset: 0)
        try builder.appendShared(share, UnsafeRawBufferPointer(start: line.base + 21, count: 5), offset: 21)
        let column = builder.finish(type: .string)
        #expect(column.dataBuffers.count == 1 && column.dataBuffers[0] === line)
        #expect(column.bytes(0).baseAddress == UnsafeRawPointer(line.base))
        #expect(rows(column) == ["\(Scalar.string("a field that is long"))", "\(Scalar.string("short"))"])
    }

    @Test func valuesOutOfRangeAreRefused() throws {
        let builder = try ColumnBuilder.make(for: .tinyInt)
        try builder.append(.int64(127))
        #expect(throws: MillstreamError.self) { try builder.append(.int64(128)) }
        #expect(throws: MillstreamError.self) { try builder.append(.int64(-129)) }
        #expect(throws: MillstreamError.self) { try builder.append(.string("1")) }
        #expect(rows(builder.finish()) == ["int64(127)"])
        #expect(throws: MillstreamError.self) { try ColumnBuilder.make(for: .object) }
        var fixed = FixedWidthBuilder<Int64>()
        #expect(throws: MillstreamError.self) { try fixed.reserve(.max) }
        #expect(throws: MillstreamError.self) { try fixed.reserve(Column.countLimit + 1) }
    }

    @Test func deepTypesAreRefused() {
        let deep = (0..<80).reduce(DataType.int) { type, _ in DataType(.array(type)) }
        #expect(throws: MillstreamError.self) { try ColumnBuilder.make(for: deep) }
    }
}
