#if MILLSTREAM_VISIBLE_LOCKS
import Glibc

/// What `Synchronization.Mutex` is, by a lock of the C library: ThreadSanitizer sees who waits for it. It does not see that of the Swift library's mutex, which
/// waits in a library that is not instrumented, and takes what the waiting orders for races. In the builds of `make sanitize` alone.
public struct Guarded<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    public init(_ initial: consuming sending Value) {
        lock = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        value = .allocate(capacity: 1)
        value.initialize(to: initial)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value.pointee)
    }
}
#else
import Synchronization

/// A value that one thread at a time may use.
public typealias Guarded<Value: ~Copyable> = Mutex<Value>
#endif
