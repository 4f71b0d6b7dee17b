import Columnar
import Plan
import Runtime
import Testing

struct RestartPolicyTests {
    private func policy(hasCheckpoints: Bool = true, _ change: (inout RestartConfiguration) -> Void = { _ in }) -> RestartPolicy {
        var configuration = RestartConfiguration()
        change(&configuration)
        return RestartPolicy(configuration, hasCheckpoints: hasCheckpoints)
    }

    private let failure = MillstreamError(.userFunction, "no")
    /// The jitter's middle: none.
    private let even = { 0.5 }

    @Test func withoutCheckpointsNothingRestarts() {
        var policy = policy(hasCheckpoints: false)
        #expect(!policy.restarts)
        #expect(policy.onFailure(failure, now: 0, random: even) == .fail)
    }

    @Test func aJobThatCannotEndIsGivenUpUnlessItsUserHasChosenAStrategy() {
        // The path of the file that could not be written is another one each time.
        func full(_ number: Int) -> MillstreamError {
            MillstreamError(.io, "no space left: chk-\(number)", domain: .external, isRetryable: true)
        }
        var standard = policy()
        for number in 0..<9 { #expect(standard.onFailure(full(number), now: 0, random: even) != .fail) }
        for number in 0..<2 { #expect(standard.onFailure(full(number), isAtEnd: true, now: 0, random: even) != .fail) }
        standard.onProgress()
        for number in 0..<2 { #expect(standard.onFailure(full(number), isAtEnd: true, now: 0, random: even) != .fail) }
        #expect(standard.onFailure(full(2), isAtEnd: true, now: 0, random: even) == .fail)
        var chosen = policy { $0.strategy = .exponentialDelay }
        for number in 0..<9 { #expect(chosen.onFailure(full(number), isAtEnd: true, now: 0, random: even) != .fail) }
    }

    @Test func equalFailuresAreCountedWhateverTheStrategy() {
        var policy = policy { $0.strategy = .exponentialDelay }
        for count in 1...4 {
            #expect(policy.onFailure(failure, now: 0, random: even) != .fail)
            #expect(policy.equalCount == count)
        }
        policy.onProgress()
        _ = policy.onFailure(failure, now: 0, random: even)
        #expect(policy.equalCount == 1)
    }

    @Test func fixedDelaysAreCountedOverTheJob() {
        var policy = policy(hasCheckpoints: false) { ($0.strategy, $0.attempts, $0.delay) = (.fixedDelay, 3, 70) }
        for _ in 0..<3 {
            #expect(policy.onFailure(failure, now: 0, random: even) == .restart(afterMilliseconds: 70))
            // The user has chosen the number: neither equal failures nor checkpoints change it.
            policy.onProgress()
        }
        #expect(policy.onFailure(failure, now: 1 << 40, random: even) == .fail)
    }

    @Test func aRateForgetsFailuresThatAreLongAgo() {
        var policy = policy { ($0.strategy, $0.failuresMax, $0.failureInterval, $0.failureDelay) = (.failureRate, 2, 100, 5) }
        for time in [0, 50, 151, 201, 302] as [Int64] {
            #expect(policy.onFailure(failure, now: time, random: even) == .restart(afterMilliseconds: 5), "at \(time)")
        }
        #expect(policy.onFailure(failure, now: 303, random: even) == .restart(afterMilliseconds: 5))
        #expect(policy.onFailure(failure, now: 304, random: even) == .fail)
    }

    @Test func delaysGrowToABoundAndStartOverAfterALongRun() {
        var policy = policy {
            ($0.strategy, $0.initialBackoff, $0.maxBackoff, $0.backoffMultiplier, $0.resetBackoff) = (.exponentialDelay, 100, 1_000, 2, 10_000)
        }
        policy.onStart(now: 0)
        for delay in [100, 200, 400, 800, 1_000, 1_000] as [Int64] {
            #expect(policy.onFailure(failure, now: 9_999, random: even) == .restart(afterMilliseconds: delay))
        }
        policy.onStart(now: 20_000)
        #expect(policy.onFailure(failure, now: 29_999, random: even) == .restart(afterMilliseconds: 1_000))
        policy.onStart(now: 30_000)
        #expect(policy.onFailure(failure, now: 40_000, random: even) == .restart(afterMilliseconds: 100))
    }

    @Test func attemptsOfTheExponentialStrategyStartOverToo() {
        var policy = policy { ($0.strategy, $0.backoffAttempts, $0.resetBackoff) = (.exponentialDelay, 2, 1_000) }
        policy.onStart(now: 0)
        for _ in 0..<2 { #expect(policy.onFailure(failure, now: 1, random: even) != .fail) }
        #expect(policy.onFailure(failure, now: 2, random: even) == .fail)
        policy.onStart(now: 10)
        #expect(policy.onFailure(failure, now: 1_010, random: even) != .fail)
    }

    @Test(arguments: [0, 0.1, 0.5, 1]) func jitterStaysWithinItsPart(jitter: Double) {
        var seen: Set<Int64> = []
        for step in 0..<100 {
            var policy = policy { ($0.strategy, $0.initialBackoff, $0.maxBackoff, $0.jitter) = (.exponentialDelay, 1_000, 10_000, jitter) }
            guard case .restart(let delay) = policy.onFailure(failure, now: 0, random: { Double(step) / 100 }) else {
                Issue.record("it failed")
                continue
            }
            #expect(abs(Double(delay) - 1_000) <= 1_000 * jitter)
            seen.insert(delay)
        }
        #expect(jitter == 0 ? seen == [1_000] : seen.count > 50)
        // Never above the bound.
        var bounded = policy { ($0.strategy, $0.initialBackoff, $0.maxBackoff, $0.jitter) = (.exponentialDelay, 1_000, 1_000, jitter) }
        #expect(bounded.onFailure(failure, now: 0, random: { 0.999 }) == .restart(afterMilliseconds: 1_000))
    }

    @Test func threeEqualFailuresStopTheStandardStrategy() {
        var policy = policy()
        #expect(policy.restarts)
        #expect(policy.onFailure(failure, now: 0, random: even) != .fail)
        #expect(policy.onFailure(failure, now: 0, random: even) != .fail)
        #expect(policy.onFailure(failure, now: 0, random: even) == .fail)
    }

    @Test func progressAndOtherFailuresStartTheCountOver() {
        var policy = policy()
        let other = MillstreamError(.userFunction, "another")
        for round in 0..<5 {
            for error in [failure, failure, other, other] { #expect(policy.onFailure(error, now: 0, random: even) != .fail, "round \(round)") }
            policy.onProgress()
        }
        #expect(policy.onFailure(failure, now: 0, random: even) != .fail)
    }

    @Test func whatComesFromOutsideMayPassByItself() {
        var policy = policy()
        let outside = MillstreamError(.io, "connection refused", domain: .external, isRetryable: true)
        for _ in 0..<50 { #expect(policy.onFailure(outside, now: 0, random: even) != .fail) }
    }

    @Test(arguments: [RestartConfiguration.Strategy.fixedDelay, .failureRate, .exponentialDelay, nil])
    func anUnknownCommitNeverRestarts(strategy: RestartConfiguration.Strategy?) {
        var policy = policy {
            $0.strategy = strategy
            $0.attempts = 10
            $0.failuresMax = 10
        }
        #expect(policy.onFailure(MillstreamError(.commitUnknown, "?"), now: 0, random: even) == .fail)
        #expect(policy.onFailure(failure, now: 0, random: even) != .fail)
    }
}
