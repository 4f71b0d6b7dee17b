import CMillstream
import Columnar
import Connectors
import Dataflow
import Glibc
import Runtime
import Synchronization

/// What one process has once: the host's table of values, whether the engine was shut down, and in which process its threads live.
final class Library: @unchecked Sendable {
    static let shared = Library()

    private let isShutDown = Atomic<Bool>(false)
    /// Whether a shutdown has come to its end: until then it may be asked for again.
    private let hasStopped = Atomic<Bool>(false)
    /// The process that started the engine's threads; 0 before the first job.
    private let owner = Atomic<Int32>(0)
    private let lock = Lock()
    private var storedHostObjects: HostObjects?
    private var storedReleaseException: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?

    /// One engine per number of workers that a job asked for; nearly always there is one, shared by all jobs.
    private var engines: [(workerCount: Int?, engine: Runtime.Engine)] = []
    static let engineCountMax = 16

    private init() {
        // A fork copies only the thread that calls it. Nobody holds these locks at that moment, so that the child can use what it may use.
        pthread_atfork(
            { HandleTable.shared.lock.lock(); Library.shared.lock.lock() },
            { Library.shared.lock.unlock(); HandleTable.shared.lock.unlock() },
            { Library.shared.lock.unlock(); HandleTable.shared.lock.unlock() })
    }

    /// Throws `invalidState` after a shutdown, and in a child process that was forked after the first job had started.
    func checkUsable() throws(MillstreamError) {
        if isShutDown.load(ordering: .relaxed) {
            throw MillstreamError(.invalidState, "the engine was shut down", hint: "Only functions that free something may be called now.")
        }
        if isForked {
            throw MillstreamError(
                .invalidState, "the engine was started before this process was forked, and its threads did not come along",
                hint: "Start processes by spawn, or before the first job.")
        }
    }

    /// Whether this is a child process without the engine's threads.
    var isForked: Bool {
        let started = owner.load(ordering: .relaxed)
        return started != 0 && started != getpid()
    }

    /// The engine for jobs with so many workers (nil: as the machine has cores). Its threads start with its first job.
    func engine(workerCount: Int?) throws(MillstreamError) -> Runtime.Engine {
        lock.lock()
        defer { lock.unlock() }
        if let known = engines.first(where: { $0.workerCount == workerCount }) { return known.engine }
        guard engines.count < Library.engineCountMax else {
            throw MillstreamError(.limitExceeded, "jobs of this process ask for \(engines.count) different numbers of millstream.workers already")
        }
        let engine = Runtime.Engine(workerCount: workerCount, storage: DiskStorage())
        owner.store(getpid(), ordering: .relaxed)
        engines.append((workerCount, engine))
        return engine
    }

    /// Cancels all jobs and waits for them. Throws `invalidState` if one did not stop in time; no other job starts in any case. Then it may be
    /// called again, to wait for longer.
    func shutDown(milliseconds: Int64?) throws(MillstreamError) {
        let isAgain = isShutDown.load(ordering: .relaxed) && !hasStopped.load(ordering: .relaxed)
        if !isAgain || isForked { try checkUsable() }
        isShutDown.store(true, ordering: .relaxed)
        let running = lock.withLock { engines.map(\.engine) }
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds()
        let limit = min(milliseconds ?? .max, Int64.max / 4_000_000) * 1_000_000
        for engine in running {
            let left = max(0, limit &- (clock.monotonicNanoseconds() &- start))
            guard engine.shutdown(timeoutNanoseconds: left) else {
                let names = running.flatMap(\.runningJobNames).map { "'\($0)'" }
                let jobs = names.count == 1 ? "job \(names[0]) has" : "the jobs \(names.joined(separator: ", ")) have"
                throw MillstreamError(.invalidState, "\(jobs) not stopped in time", hint: "A function of the program does not return.")
            }
        }
        hasStopped.store(true, ordering: .relaxed)
    }

    /// The host's table, where it registered one.
    var hostObjects: HostObjects? { lock.withLock { storedHostObjects } }

    /// An exception that a function gave away, with the host's way to release it; nil for NULL. Without a way it is kept for ever.
    func exception(_ handle: UnsafeMutableRawPointer?) -> HostException? {
        guard let handle else { return nil }
        return HostException(handle: handle, release: lock.withLock { storedReleaseException } ?? { _ in })
    }

    func register(_ table: millstream_host_objects) throws(MillstreamError) {
        guard let retain = table.retain, let release = table.release, let hash = table.hash, let equal = table.equal,
            let compare = table.compare, let describe = table.describe
        else { throw MillstreamError(.invalidArgument, "a function of the millstream_host_objects is NULL") }
        guard (table.encode == nil) == (table.decode == nil) else {
            throw MillstreamError(.invalidArgument, "the millstream_host_objects has one of encode and decode", hint: "Set both or neither.")
        }
        lock.lock()
        defer { lock.unlock() }
        guard storedHostObjects == nil else {
            throw MillstreamError(.invalidState, "the host's table was registered already", hint: "Register it once per process.")
        }
        // The header's pointers may be NULL in Swift's eyes, the engine's never are; the two have the same form in memory.
        storedHostObjects = HostObjects(
            retain: unsafeBitCast(retain, to: (@convention(c) (UnsafePointer<HostObjects.Handle?>, Int) -> Void).self),
            release: unsafeBitCast(release, to: (@convention(c) (UnsafePointer<HostObjects.Handle?>, Int) -> Void).self),
            hash: unsafeBitCast(
                hash, to: (@convention(c) (UnsafePointer<HostObjects.Handle?>, Int, UnsafeMutablePointer<UInt64>) -> Int).self),
            equal: equal, compare: compare,
            describe: unsafeBitCast(describe, to: (@convention(c) (HostObjects.Handle?, UnsafeMutablePointer<UInt8>, Int) -> Int).self),
            encode: table.encode.map { unsafeBitCast($0, to: HostObjects.Encode.self) },
            decode: table.decode.map { unsafeBitCast($0, to: HostObjects.Decode.self) })
        storedReleaseException = table.release_exception
    }
}

@c @implementation
public func millstream_register_host_objects(
    _ objects: UnsafePointer<millstream_host_objects>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in try Library.shared.register(try readStruct(objects)) }
}
