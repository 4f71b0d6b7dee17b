import Columnar
import Dataflow
import Glibc
import State
import Testing

/// The thread's own time: what others take of a busy machine is not in it.
private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Prints how fast accumulators are read and replaced; the floors are far below the aims, because the machine may be busy.
@Suite(.serialized) struct StateThroughputTests {
    private static let batchRowCount = 4_096

    /// Batches of distinct random slots.
    private func slotBatches(_ rowCount: Int, keyCount: Int) -> [[Int32]] {
        let random = SeededRandom(seed: 5)
        var all = (0..<Int32(keyCount)).map { $0 }
        var result: [[Int32]] = []
        var count = 0
        while count < rowCount {
            let size = min(Self.batchRowCount, keyCount)
            for place in 0..<size { all.swapAt(place, place + Int(random.next(below: UInt64(keyCount - place)))) }
            result.append(Array(all[..<size]))
            count += size
        }
        return result
    }

    /// Reads the rows of each batch's slots and replaces them, as a reduce does. Seconds of the fastest of some runs, after one that fills the store.
    private func replace(_ type: DataType, keyCount: Int, rowCount: Int, _ values: (Int) throws -> Column) throws -> Double {
        let store = RowStore(types: [type], hostObjects: nil)
        let batches = slotBatches(rowCount, keyCount: keyCount)
        let columns = try (0..<7).map(values)
        for start in stride(from: 0, to: keyCount, by: Self.batchRowCount) {
            let slots = (Int32(start)..<Int32(min(keyCount, start + Self.batchRowCount))).map { $0 }
            try slots.withUnsafeBufferPointer { try store.set([columns[0]], slots: $0.baseAddress.unsafelyUnwrapped, count: $0.count) }
        }
        var best = Double.infinity
        for _ in 0..<3 {
            let start = processorSeconds()
            for (number, slots) in batches.enumerated() {
                try slots.withUnsafeBufferPointer {
                    let base = $0.baseAddress.unsafelyUnwrapped
                    let gathered = try store.gather(base, count: $0.count)
                    #expect(gathered[0].count == $0.count)
                    try store.set([columns[number % columns.count]], slots: base, count: $0.count)
                }
            }
            best = min(best, processorSeconds() - start)
        }
        return best
    }

    private func report(_ what: String, _ keyCount: Int, _ rowCount: Int, _ seconds: Double) {
        print("replacing \(what), \(keyCount) keys: \(Int(seconds * 1e9 / Double(rowCount))) ns a row")
    }

    @Test(arguments: [1_000, 1_000_000], [false, true])
    func text(keyCount: Int, varies: Bool) throws {
        let random = SeededRandom(seed: 9)
        let seconds = try replace(.string, keyCount: keyCount, rowCount: 2_000_000) { _ in
            let builder = try ColumnBuilder.make(for: .string)
            for _ in 0..<Self.batchRowCount {
                try builder.append(.string(String(repeating: "x", count: varies ? 13 + Int(random.next(below: 60)) : 40)))
            }
            return builder.finish()
        }
        report(varies ? "text of 13 to 72 bytes" : "text of 40 bytes", keyCount, 2_000_000, seconds)
        #expect(seconds < 4)
    }

    @Test(
        arguments: [1_000, 1_000_000],
        [
            DataType(.array(.bigInt)), DataType(.array(.string)), DataType(.row([Field("a", .bigInt), Field("b", .string)])),
            DataType(.map(key: DataType.string.notNull, value: .bigInt)),
        ])
    func nested(keyCount: Int, type: DataType) throws {
        let rowCount = 500_000
        let seconds = try replace(type, keyCount: keyCount, rowCount: rowCount) { number in
            let builder = try ColumnBuilder.make(for: type)
            for row in 0..<Self.batchRowCount {
                let text = Scalar.string(row % 2 == 0 ? "short" : "a text that is not inline \(row)")
                switch type.kind {
                case .array(let element):
                    let value = element.kind == .bigInt ? Scalar.int64(Int64(row)) : text
                    try builder.append(.list([Scalar](repeating: value, count: (row + number) % 5)))
                case .map: try builder.append(.map(keys: [text], values: [.int64(Int64(row))]))
                default: try builder.append(.row([.int64(Int64(row)), text]))
                }
            }
            return builder.finish()
        }
        report("\(type)", keyCount, rowCount, seconds)
        #expect(seconds < 20)
    }
}
