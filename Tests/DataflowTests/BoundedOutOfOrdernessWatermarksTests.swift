import Columnar
import Dataflow
import Testing

struct BoundedOutOfOrdernessWatermarksTests {
    /// All watermarks with the row they follow, for timestamps fed in pieces.
    private func run(_ timestamps: [Int64], outOfOrderness: Int64, interval: Int64, pieces: [Int]) -> [[Int64]] {
        var generator = BoundedOutOfOrdernessWatermarks(outOfOrdernessMilliseconds: outOfOrderness, intervalMilliseconds: interval)
        var result: [[Int64]] = []
        var base = 0
        for piece in pieces {
            Array(timestamps[base..<base + piece]).withUnsafeBufferPointer { rows in
                var start = 0
                while start < rows.count {
                    let (end, watermark) = generator.advance(rows, from: start)
                    if let watermark { result.append([Int64(base + end), watermark.milliseconds]) }
                    start = end
                }
            }
            base += piece
        }
        return result
    }

    /// Row by row, without the trick of the precomputed bound.
    private func reference(_ timestamps: [Int64], outOfOrderness: Int64, interval: Int64) -> [[Int64]] {
        var result: [[Int64]] = []
        var maximum: Int64?
        var emitted: Int64?
        for (index, timestamp) in timestamps.enumerated() where timestamp != .min {
            maximum = max(maximum ?? timestamp, timestamp)
            guard let maximum else { continue }
            let watermark = maximum.subtractingSaturating(outOfOrderness).subtractingSaturating(1)
            let isDue = emitted.map { watermark >= $0.addingSaturating(max(1, interval)) } ?? (watermark > .min)
            if isDue {
                emitted = watermark
                result.append([Int64(index + 1), watermark])
            }
        }
        return result
    }

    @Test("The watermarks do not depend on how rows are cut into batches", arguments: 0..<200)
    func equalsTheReference(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        var time = Int64(random.next(below: 1_000)) - 500
        let timestamps = (0..<200).map { _ -> Int64 in
            time += Int64(random.next(below: 50))
            return random.next(below: 20) == 0 ? .min : time - Int64(random.next(below: 200))
        }
        let outOfOrderness = Int64(random.next(below: 300))
        let interval = Int64(random.next(below: 200))
        var pieces: [Int] = []
        while pieces.reduce(0, +) < timestamps.count {
            pieces.append(min(Int(random.next(below: 40)), timestamps.count - pieces.reduce(0, +)))
        }
        #expect(run(timestamps, outOfOrderness: outOfOrderness, interval: interval, pieces: pieces)
            == reference(timestamps, outOfOrderness: outOfOrderness, interval: interval))
    }

    @Test func saturatesAtBothEnds() {
        #expect(run([.min + 1, .min + 5], outOfOrderness: 1_000, interval: 1, pieces: [2]) == [])
        #expect(run([.max, .max], outOfOrderness: 0, interval: 200, pieces: [2]) == [[1, .max - 1]])
        #expect(run([.max], outOfOrderness: .max, interval: 200, pieces: [1]) == [[1, -1]])
    }

    @Test func startsAtTheFirstWatermark() {
        let generator = BoundedOutOfOrdernessWatermarks(outOfOrdernessMilliseconds: 5)
        #expect(generator.current == .min)
        #expect(!generator.isBehind)
    }
}
