import Glibc

/// A mutex with a condition on the monotonic clock: for the workers, and for threads outside the engine that wait for it.
final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        Monitor.initialize(condition)
    }

    /// Makes a condition on the monotonic clock.
    static func initialize(_ condition: UnsafeMutablePointer<pthread_cond_t>) {
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
    func broadcast() { pthread_cond_broadcast(condition) }

    /// Waits for a broadcast; false when the deadline (nil: none) has passed.
    func wait(until deadline: timespec?) -> Bool {
        wait(at: condition, until: deadline)
    }

    /// The same at a condition of the caller's.
    func wait(at condition: UnsafeMutablePointer<pthread_cond_t>, until deadline: timespec?) -> Bool {
        guard var time = deadline else {
            pthread_cond_wait(condition, mutex)
            return true
        }
        return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
    }

    /// The monotonic clock, in nanoseconds.
    static func now() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
    }

    /// A point of the monotonic clock.
    static func deadline(after nanoseconds: Int64) -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let total = Int64(now.tv_nsec) + min(max(0, nanoseconds), 1 << 60) % 1_000_000_000
        let seconds = Int64(now.tv_sec) + min(max(0, nanoseconds), 1 << 60) / 1_000_000_000 + total / 1_000_000_000
        return timespec(tv_sec: Int(seconds), tv_nsec: Int(total % 1_000_000_000))
    }
}
