import Columnar
import Plan

/// When checkpoints are taken and where they go, by Flink's keys.
extension CheckpointConfiguration {
    private static let prefix = "execution.checkpointing."
    private static let minimumMilliseconds: Int64 = 10

    static let optionKeys = [
        "interval", "mode", "timeout", "min-pause", "max-concurrent-checkpoints", "tolerable-failed-checkpoints", "unaligned.enabled",
        "aligned-checkpoint-timeout", "externalized-checkpoint-retention", "num-retained", "dir", "savepoint-dir",
    ].map { prefix + $0 } + [
        "execution.state-recovery.path", "execution.state-recovery.ignore-unclaimed-state", "millstream.checkpoints.compression",
        "millstream.checkpoints.keep-finished", "millstream.recovery.fall-back", "millstream.recovery.older-checkpoints", "millstream.recovery.lineage", "millstream.host",
    ]

    /// Throws `configuration` for a value of the wrong form; then nothing changes.
    mutating func set(_ option: Option) throws(MillstreamError) {
        switch option.key {
        case Self.prefix + "interval": intervalMilliseconds = try duration(option)
        case Self.prefix + "mode": mode = [.exactlyOnce, .atLeastOnce][try option.choice(["EXACTLY_ONCE", "AT_LEAST_ONCE"])]
        case Self.prefix + "timeout": timeoutMilliseconds = try duration(option)
        case Self.prefix + "min-pause": minPauseMilliseconds = try option.milliseconds()
        case Self.prefix + "max-concurrent-checkpoints": maxConcurrent = Int(try option.integer(1...1_000))
        case Self.prefix + "tolerable-failed-checkpoints": tolerableFailures = Int(try option.integer(0...Int64(Int32.max)))
        case Self.prefix + "unaligned.enabled": isUnaligned = try option.boolean()
        case Self.prefix + "aligned-checkpoint-timeout": alignedTimeoutMilliseconds = try option.milliseconds()
        case Self.prefix + "externalized-checkpoint-retention":
            retention = [.deleteOnCancellation, .retainOnCancellation, .none][
                try option.choice(["DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION", "NO_EXTERNALIZED_CHECKPOINTS"])]
        case Self.prefix + "num-retained": retained = Int(try option.integer(1...10_000))
        case Self.prefix + "dir": directory = try path(option)
        case Self.prefix + "savepoint-dir": savepointDirectory = try path(option)
        case "execution.state-recovery.path": restorePath = try path(option)
        case "millstream.host":
            hostProperties = option.value.split(separator: "\n").map { line in
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return HostProperty(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
            }
        case "millstream.recovery.lineage": lineage = option.value
        case "millstream.recovery.fall-back": fallsBack = try option.boolean()
        case "millstream.recovery.older-checkpoints":
            var paths: [String] = []
            for line in option.value.split(separator: "\n") {
                paths.append(try directoryPath(String(line)) { option.refusal("absolute paths, one a line") })
            }
            olderPaths = paths
        case "execution.state-recovery.ignore-unclaimed-state": allowsNonRestoredState = try option.boolean()
        case "millstream.checkpoints.keep-finished": keepsFinished = try option.boolean()
        default: compression = [.none, .lz4, .zstd][try option.choice(["none", "lz4", "zstd"])]
        }
    }

    private func duration(_ option: Option) throws(MillstreamError) -> Int64 {
        let milliseconds = try option.milliseconds()
        guard milliseconds >= Self.minimumMilliseconds else { throw option.refusal("at least \(Self.minimumMilliseconds) ms") }
        return milliseconds
    }

    private func path(_ option: Option) throws(MillstreamError) -> String { try directoryPath(option.value) { option.refusal("an absolute path, or a file URL of one") } }
}

/// An absolute path without a slash at its end, from one or from a `file:` URL.
func directoryPath(_ text: String, refusal: () -> MillstreamError) throws(MillstreamError) -> String {
    var path = Substring(text)
    if path.hasPrefix("file://") { path = path.dropFirst(7) } else if path.hasPrefix("file:") { path = path.dropFirst(5) }
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw refusal() }
    return String(path)
}

/// What follows a failure, by Flink's keys.
extension RestartConfiguration {
    static let optionKeys = [
        "type", "fixed-delay.attempts", "fixed-delay.delay", "failure-rate.max-failures-per-interval", "failure-rate.failure-rate-interval",
        "failure-rate.delay", "exponential-delay.initial-backoff", "exponential-delay.max-backoff", "exponential-delay.backoff-multiplier",
        "exponential-delay.reset-backoff-threshold", "exponential-delay.jitter-factor", "exponential-delay.attempts-before-reset-backoff",
    ].map { "restart-strategy." + $0 }

    /// Throws `configuration` for a value of the wrong form; then nothing changes.
    mutating func set(_ option: Option) throws(MillstreamError) {
        switch option.key.dropFirst("restart-strategy.".count) {
        case "type":
            let names = ["none", "off", "disable", "fixed-delay", "fixeddelay", "failure-rate", "failurerate", "exponential-delay", "exponentialdelay"]
            // Typed, because `.none` of an optional is nil, which is not the strategy of that name.
            let strategies: [Strategy] = [
                .none, .none, .none, .fixedDelay, .fixedDelay, .failureRate, .failureRate, .exponentialDelay, .exponentialDelay,
            ]
            strategy = strategies[try option.choice(names)]
        case "fixed-delay.attempts": attempts = Int(try option.integer(0...Int64(Int32.max)))
        case "fixed-delay.delay": delay = try option.milliseconds()
        case "failure-rate.max-failures-per-interval": failuresMax = Int(try option.integer(0...Int64(Int32.max)))
        case "failure-rate.failure-rate-interval": failureInterval = try option.milliseconds()
        case "failure-rate.delay": failureDelay = try option.milliseconds()
        case "exponential-delay.initial-backoff": initialBackoff = try option.milliseconds()
        case "exponential-delay.max-backoff": maxBackoff = try option.milliseconds()
        case "exponential-delay.backoff-multiplier": backoffMultiplier = try option.number(1...1_000)
        case "exponential-delay.reset-backoff-threshold": resetBackoff = try option.milliseconds()
        case "exponential-delay.jitter-factor": jitter = try option.number(0...1)
        default: backoffAttempts = option.value.lowercased() == "infinite" ? nil : Int(try option.integer(0...Int64(Int32.max)))
        }
    }
}
