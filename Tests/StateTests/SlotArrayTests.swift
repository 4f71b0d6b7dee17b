import Dataflow
import Glibc
import State
import Testing

@Suite struct SlotArrayTests {
    /// What the process's limit for its data counts: bytes.
    private static func dataByteCount() throws -> Int {
        let status = String(decoding: try DiskStorage().read("/proc/self/status"), as: UTF8.self)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmData:") })
        return try #require(line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { Int($0) }) << 10
    }

    @Test("A large array has addresses to grow in, which count only once they are used")
    func reservations() throws {
        let before = try Self.dataByteCount()
        var array = SlotArray<UInt64>(fill: 0)
        let count = 1 << 30
        array.reserve(count / 4)
        array[count / 4 - 1] = 7
        array.reserve(count)
        // Other tests run beside it.
        #expect(try Self.dataByteCount() - before < 8 * count + 8 * count / 2)
        #expect(array.capacity >= count && array[count / 4 - 1] == 7 && array[count - 1] == 0)
        array[array.capacity - 1] = 8
        #expect(array[array.capacity - 1] == 8)
    }

    @Test("What an array is filled with is there at each size", arguments: [0, -1] as [Int32])
    func filling(fill: Int32) {
        var array = SlotArray<Int32>(fill: fill)
        var end = 0
        for count in [10, 1_000, 300_000, 2_000_000, 9_000_000, 9_000_001] {
            array.reserve(count)
            #expect(array.capacity >= count)
            #expect((end..<array.capacity).allSatisfy { array[$0] == fill })
            if end > 0 { #expect(array[end - 1] == 5) }
            end = array.capacity
            array[end - 1] = 5
        }
    }
}
