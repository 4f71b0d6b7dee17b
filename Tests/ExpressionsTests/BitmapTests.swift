import Columnar
import Expressions
import Plan
import TestRows
import Testing

@Suite struct BitmapTests {
    private func bitmap(_ numbers: some Sequence<UInt32>) -> RoaringBitmap {
        var bitmap = RoaringBitmap()
        for number in numbers { bitmap.insert(number) }
        return bitmap
    }

    private func numbers(_ bitmap: RoaringBitmap) -> [UInt32] {
        var all: [UInt32] = []
        bitmap.forEach { all.append($0) }
        return all
    }

    /// Sets of all densities: arrays, bits, runs, several containers, the greatest numbers.
    private func sample(_ round: Int, _ generator: inout SeededGenerator) -> Set<UInt32> {
        let limit: UInt32 = [50, 5_000, 70_000, 200_000, .max][round % 5]
        var all: Set<UInt32> = []
        for _ in 0..<Int.random(in: 0...(round % 7 == 0 ? 9_000 : 300), using: &generator) { all.insert(UInt32.random(in: 0...limit, using: &generator)) }
        if round % 3 == 0 {
            let start = UInt32.random(in: 0...limit, using: &generator)
            for step in 0..<UInt32.random(in: 0...6_000, using: &generator) { all.insert(start &+ step) }
        }
        return all
    }

    @Test func setsAndTheirBytes() throws {
        var generator = SeededGenerator(11)
        for round in 0..<120 {
            let (left, right) = (sample(round, &generator), sample(round + round / 9, &generator))
            let (first, second) = (bitmap(left.shuffled(using: &generator)), bitmap(right.sorted()))
            #expect(numbers(first) == left.sorted())
            #expect(first.cardinality == Int64(left.count))
            #expect(numbers(first.combined(.and, second)) == left.intersection(right).sorted())
            #expect(numbers(first.combined(.or, second)) == left.union(right).sorted())
            #expect(numbers(first.combined(.xor, second)) == left.symmetricDifference(right).sorted())
            #expect(numbers(first.combined(.andNot, second)) == left.subtracting(right).sorted())
            // Equal sets are equal, also by their bytes, however they came to be.
            #expect(first.combined(.xor, second).combined(.xor, second) == first)
            let bytes = first.serialized()
            #expect(first.combined(.or, first).serialized() == bytes)
            let read = try #require(bytes.withUnsafeBytes { RoaringBitmap(serialized: $0) })
            #expect(read == first)
            for number in left.prefix(50) { #expect(first.contains(number) && (right.contains(number) == second.contains(number))) }
        }
    }

    /// Bytes that Flink wrote (BITMAP_TO_BYTES).
    @Test func asFlinkWrites() throws {
        func hex(_ bitmap: RoaringBitmap) -> String { bitmap.serialized().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        #expect(hex(bitmap([1, 2, 3])) == "3a300000010000000000020010000000010002000300")
        #expect(hex(bitmap([UInt32.max, 65_536, 5])) == "3a300000030000000000000001000000ffff000020000000220000002400000005000000ffff")
        #expect(hex(bitmap([5, 4, 3, 2, 1, 0])) == "3b3000000100000500010000000500")
        #expect(hex(RoaringBitmap()) == "3a30000000000000")
    }

    /// Damaged bytes: some bitmap or none, never a trap.
    @Test func damagedBytes() {
        var generator = SeededGenerator(12)
        var readable = 0
        for round in 0..<4_000 {
            var bytes = bitmap(sample(round % 40, &generator)).serialized()
            if round % 10 == 0 { bytes = (0..<Int.random(in: 0...64, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) } }
            if round % 4 == 0, bytes.count > 4 { bytes.replaceSubrange(0..<4, with: round % 8 == 0 ? [0x3B, 0x30, UInt8(round % 5), 0] : [0x3A, 0x30, 0, 0]) }
            for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[Int.random(in: 0..<min(bytes.count, 40), using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeLast(Int.random(in: 0...min(bytes.count, 30), using: &generator))
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: Int.random(in: 0...bytes.count, using: &generator))
                }
            }
            guard let read = bytes.withUnsafeBytes({ RoaringBitmap(serialized: $0) }) else { continue }
            readable += 1
            let all = numbers(read)
            #expect(all == Array(Set(all)).sorted() && read.cardinality == Int64(all.count))
            let written = read.serialized()
            #expect(written.withUnsafeBytes { RoaringBitmap(serialized: $0) } == read)
        }
        #expect(readable > 300)
    }

    @Test func functions() throws {
        let type = DataType(.bitmap)
        let lists = try Rows.column(DataType(.array(.int)), [.list([.int64(3), .int64(-1), .null, .int64(3)]), .null, .list([])])
        let batch = try Rows.batch(Schema([Field("a", DataType(.array(.int)))]), [lists])
        let built = ScalarExpression.call(.bitmapBuild, [.column(0, DataType(.array(.int)))], type)
        let other = ScalarExpression.call(.bitmapBuild, [.constant(.list([.int64(3), .int64(9)]), DataType(.array(.int)))], type)
        let program = try ScalarProgram([
            .call(.bitmapToString, [built], .string), .call(.bitmapCardinality, [built], .bigInt), .call(.bitmapToArray, [built], DataType(.array(.int))),
            .call(.bitmapToString, [.call(.bitmapOr, [built, other], type)], .string), .call(.bitmapToString, [.call(.bitmapAndNot, [other, built], type)], .string),
            .call(.bitmapToString, [.call(.bitmapFromBytes, [.call(.bitmapToBytes, [built], .bytes)], type)], .string),
        ])
        let columns = try program.columns(of: batch, EvaluationContext())
        func texts(_ index: Int) -> [Scalar] { (0..<3).map { columns[index].scalar(at: $0) } }
        #expect(texts(0) == [.string("{3,4294967295}"), .null, .string("{}")])
        #expect(texts(1) == [.int64(2), .null, .int64(0)])
        #expect(texts(2) == [.list([.int64(3), .int64(-1)]), .null, .list([])])
        #expect(texts(3) == [.string("{3,9,4294967295}"), .null, .string("{3,9}")])
        #expect(texts(4) == [.string("{9}"), .null, .string("{3,9}")])
        #expect(texts(5) == texts(0))
        #expect(throws: MillstreamError.self) {
            _ = try TimeCalls.value(.bitmapFromBytes, [.constant(.bytes([0]), .bytes)], type)
        }
    }
}
