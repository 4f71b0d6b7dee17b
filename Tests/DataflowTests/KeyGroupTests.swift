import Dataflow
import Testing

struct KeyGroupTests {
    @Test("Each group belongs to exactly the subtask whose range holds it", arguments: [1, 2, 3, 7, 8, 20, 21, 127, 128])
    func rangesCoverTheGroups(parallelism: Int) {
        for maxParallelism in [128, 256, 32_768] where parallelism <= maxParallelism {
            var next = 0
            for subtask in 0..<parallelism {
                let range = KeyGroup.range(subtask: subtask, parallelism: parallelism, maxParallelism: maxParallelism)
                #expect(range.lowerBound == next)
                for group in range {
                    #expect(KeyGroup.subtask(group: group, parallelism: parallelism, maxParallelism: maxParallelism) == subtask)
                }
                next = range.upperBound
            }
            #expect(next == maxParallelism)
        }
    }

    /// These numbers are in every savepoint.
    @Test func goldenGroups() {
        let vectors: [(hash: UInt64, groups: [Int])] = [
            (0, [0, 0, 0]),
            (.max, [127, 255, 32_767]),
            (0x8000_0000_0000_0000, [64, 128, 16_384]),
            (0x0200_0000_FFFF_FFFF, [1, 2, 256]),
            (0x1234_5678_9ABC_DEF0, [9, 18, 2_330]),
        ]
        for vector in vectors {
            #expect([128, 256, 32_768].map { KeyGroup.index(hash: vector.hash, maxParallelism: $0) } == vector.groups)
        }
    }

    @Test func defaultsAreFlinks() {
        #expect([1, 2, 85, 86, 128, 200, 30_000].map { KeyGroup.defaultMaxParallelism(parallelism: $0) }
            == [128, 128, 128, 256, 256, 512, 32_768])
    }
}
