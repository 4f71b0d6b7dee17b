/// When a job takes checkpoints, where they go, and what it starts from. Flink's defaults.
public struct CheckpointConfiguration: Hashable, Sendable {
    public enum Mode: Int32, Sendable { case exactlyOnce = 0, atLeastOnce = 1 }
    /// What becomes of the last checkpoints when the job has ended. They always stay when the process dies.
    public enum Retention: Int32, Sendable {
        /// Kept only where the job failed.
        case deleteOnCancellation = 0
        case retainOnCancellation = 1
        /// Never kept.
        case none = 2
    }
    public enum Compression: Int32, Sendable { case none = 0, lz4 = 1, zstd = 2 }

    /// Milliseconds between two checkpoints; nil: checkpointing is off, and only savepoints are taken.
    public var intervalMilliseconds: Int64?
    public var mode = Mode.exactlyOnce
    public var timeoutMilliseconds: Int64 = 600_000
    public var minPauseMilliseconds: Int64 = 0
    public var maxConcurrent = 1
    public var tolerableFailures = 0
    public var isUnaligned = false
    /// How long an unaligned checkpoint waits for barriers before it goes ahead of the rows. 0: not at all.
    public var alignedTimeoutMilliseconds: Int64 = 0
    public var retention = Retention.none
    public var retained = 1
    /// Whether the last checkpoints stay also where the job has finished: for who deletes them once that is noted.
    public var keepsFinished = false
    public var compression = Compression.none
    /// An absolute path; nil: checkpoints are kept in memory, and do not outlive the process.
    public var directory: String?
    public var savepointDirectory: String?
    /// The savepoint or retained checkpoint to start from: the path of its directory, or of its `_metadata`.
    public var restorePath: String?
    /// Whether state of operators that the job has not is left behind; else it is an error.
    public var allowsNonRestoredState = false

    /// Whether a job goes on from an earlier checkpoint where its last one is damaged; else it fails.
    public var fallsBack = false
    /// The paths of checkpoints to fall back to from `restorePath`, the newest first. Nil: those beside it.
    public var olderPaths: [String]?

    /// The same for all processes that go on with this job one after the other; no two of them run at once. nil: this process is the only one.
    public var lineage: String?

    /// What the host is, for the manifest: names and values.
    public var hostProperties: [HostProperty] = []

    public struct HostProperty: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init() {}

    public var isOn: Bool { intervalMilliseconds != nil }
}

/// What a job does when it has failed; Flink's strategies and defaults. Times are milliseconds.
public struct RestartConfiguration: Hashable, Sendable {
    public enum Strategy: Int32, Sendable {
        case none = 0
        /// At most so many restarts, each after a delay.
        case fixedDelay = 1
        /// Restarts until there are more than so many failures within an interval.
        case failureRate = 2
        /// Delays that grow by a factor up to a bound, and start over when the job has run for the reset time without failing.
        case exponentialDelay = 3
    }

    /// nil: exponential delays where there are checkpoints, else none.
    public var strategy: Strategy?
    public var attempts = 1
    public var delay: Int64 = 1_000
    public var failuresMax = 1
    public var failureInterval: Int64 = 60_000
    public var failureDelay: Int64 = 1_000
    public var initialBackoff: Int64 = 1_000
    public var maxBackoff: Int64 = 60_000
    public var backoffMultiplier = 1.5
    public var resetBackoff: Int64 = 3_600_000
    /// By what part of a delay it is made longer or shorter, at random.
    public var jitter = 0.1
    /// nil: any number, before the delays start over.
    public var backoffAttempts: Int?

    public init() {}
}
