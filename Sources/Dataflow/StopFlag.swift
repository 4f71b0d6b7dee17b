import Columnar
import Synchronization

/// Whether a subtask is to stop. Set from any thread, once.
public final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    public init() {}

    public var isSet: Bool { flag.load(ordering: .acquiring) }
    public func set() { flag.store(true, ordering: .releasing) }

    /// For who is in the middle of something that nobody will need: throws `cancelled` once the flag is set.
    public func check() throws(MillstreamError) {
        if isSet { throw MillstreamError(.cancelled, "the job is being stopped") }
    }
}
