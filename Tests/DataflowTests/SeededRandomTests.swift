import Dataflow
import Testing

struct SeededRandomTests {
    /// The published test vector of SplitMix64 for seed 1234567.
    @Test func isSplitMix64() {
        let random = SeededRandom(seed: 1_234_567)
        #expect((0..<5).map { _ in random.next() } == [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ])
    }

    @Test func staysBelowTheBound() {
        let random = SeededRandom(seed: 1)
        var seen = [Int](repeating: 0, count: 7)
        for _ in 0..<7_000 { seen[Int(random.next(below: 7))] += 1 }
        #expect(seen.allSatisfy { $0 > 850 && $0 < 1_150 })
        #expect(random.next(below: 0) == 0)
    }
}
