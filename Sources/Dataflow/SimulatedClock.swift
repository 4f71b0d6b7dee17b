import Synchronization

/// Virtual time: moves only when the simulation, or a test, moves it.
public final class SimulatedClock: Clock {
    private let nanoseconds: Atomic<Int64>
    private let jump = Atomic<Int64>(0)

    /// Starts at `start` milliseconds since the epoch.
    public init(start: Int64 = 0) { nanoseconds = Atomic(start &* 1_000_000) }

    public func now() -> ProcessingTime {
        ProcessingTime(milliseconds: nanoseconds.load(ordering: .relaxed) / 1_000_000 &+ jump.load(ordering: .relaxed))
    }

    public func monotonicNanoseconds() -> Int64 { nanoseconds.load(ordering: .relaxed) }

    /// Moves both clocks forward.
    public func advance(milliseconds: Int64) { nanoseconds.add(milliseconds &* 1_000_000, ordering: .relaxed) }

    /// Moves both clocks forward.
    public func advance(nanoseconds delta: Int64) { nanoseconds.add(delta, ordering: .relaxed) }

    /// Sets the wall clock off by some milliseconds, as an administrator or NTP would; the monotonic one stays.
    public func setWallClockOffset(milliseconds: Int64) { jump.store(milliseconds, ordering: .relaxed) }
}
