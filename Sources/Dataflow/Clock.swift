#if canImport(Glibc)
import Glibc
#endif

/// The only source of time in the engine.
public protocol Clock: AnyObject, Sendable {
    /// Processing time: milliseconds since the epoch. May jump when the machine's clock is set.
    func now() -> ProcessingTime
    /// Nanoseconds of a clock that never goes back, for durations, rates and deadlines.
    func monotonicNanoseconds() -> Int64
}

/// The machine's clocks.
public final class SystemClock: Clock {
    public init() {}

    public func now() -> ProcessingTime { ProcessingTime(milliseconds: read(CLOCK_REALTIME) / 1_000_000) }
    public func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    private func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
