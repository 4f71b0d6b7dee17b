import Columnar
import Plan

/// Whether a job that has failed starts again, and when: Flink's restart strategies, as a value that is told what happened.
///
/// One rule is Millstream's own: a job whose user has not chosen a strategy stops when the same failure has come three times in a row with no checkpoint
/// completed in between, or when three attempts have read all input and could not write the checkpoint behind it. It would fail for ever.
package struct RestartPolicy {
    package enum Decision: Equatable {
        case restart(afterMilliseconds: Int64)
        case fail
    }

    /// So many equal failures in a row stop a job with the standard strategy.
    package static let equalFailureCountMax = 3

    private let configuration: RestartConfiguration
    private let strategy: RestartConfiguration.Strategy
    private var attemptCount = 0
    /// The times of the failures within the rate's interval.
    private var failureTimes: [Int64] = []
    private var delay: Int64 = 0
    private var lastStart: Int64?
    private var lastFailure: String?
    /// How often the last failure has come, with no checkpoint completed in between.
    package private(set) var equalCount = 0
    /// How often the job came to its end and could not end, in the same sense.
    private var endCount = 0
    /// The attempts that the strategy allows, where it says so.
    package var attemptCountMax: Int? {
        switch strategy {
        case .fixedDelay: configuration.attempts
        case .exponentialDelay: configuration.backoffAttempts
        case .none, .failureRate: nil
        }
    }

    package init(_ configuration: RestartConfiguration, hasCheckpoints: Bool) {
        self.configuration = configuration
        strategy = configuration.strategy ?? (hasCheckpoints ? .exponentialDelay : .none)
    }

    package var restarts: Bool { strategy != .none }

    /// A checkpoint is complete: the job gets on.
    package mutating func onProgress() {
        equalCount = 0
        endCount = 0
    }

    package mutating func onStart(now: Int64) { lastStart = now }

    /// The job has failed at `now` (milliseconds); `random` gives 0 ..< 1, for the jitter. `isAtEnd`: all input has been read, and the checkpoint behind it failed.
    package mutating func onFailure(_ error: MillstreamError, isAtEnd: Bool = false, now: Int64, random: () -> Double) -> Decision {
        // What is not known to be visible must be looked at by a person; another attempt would not know it either.
        if error.code == .commitUnknown { return .fail }
        if isAtEnd { endCount += 1 }
        let isHopeless = isHopeless(error) || endCount >= Self.equalFailureCountMax
        if configuration.strategy == nil, isHopeless { return .fail }
        switch strategy {
        case .none: return .fail
        case .fixedDelay:
            guard attemptCount < configuration.attempts else { return .fail }
            attemptCount += 1
            return .restart(afterMilliseconds: max(0, configuration.delay))
        case .failureRate:
            failureTimes.append(now)
            failureTimes.removeAll { now.subtractingSaturating($0) > configuration.failureInterval }
            return failureTimes.count > configuration.failuresMax ? .fail : .restart(afterMilliseconds: max(0, configuration.failureDelay))
        case .exponentialDelay:
            if let lastStart, now.subtractingSaturating(lastStart) >= configuration.resetBackoff {
                attemptCount = 0
                delay = 0
            }
            if let attempts = configuration.backoffAttempts, attemptCount >= attempts { return .fail }
            attemptCount += 1
            let maximum = max(configuration.initialBackoff, configuration.maxBackoff)
            let grown = delay == 0 ? Double(configuration.initialBackoff) : Double(delay) * configuration.backoffMultiplier
            delay = Int64(max(0, min(grown, Double(maximum))))
            let spread = Int64(Double(delay) * configuration.jitter * (2 * random() - 1))
            return .restart(afterMilliseconds: min(max(0, delay &+ spread), maximum))
        }
    }

    /// Whether the user's program or data fail the same way again and again.
    private mutating func isHopeless(_ error: MillstreamError) -> Bool {
        let text = "\(error.code) \(error.operatorName ?? "") \(error.recordIndex ?? -1) \(error.message)"
        equalCount = text == lastFailure ? equalCount + 1 : 1
        lastFailure = text
        return error.domain != .external && !error.isRetryable && equalCount >= Self.equalFailureCountMax
    }
}
