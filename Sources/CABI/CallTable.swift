import Columnar
import Glibc
import Synchronization

/// The calls into the program's functions that are running now, for `millstream_response` and `millstream_state`.
///
/// Such a handle is used per row, so that it is checked without a lock: it is the number mark (16 bits), generation (32 bits), slot (16 bits). A slot
/// belongs to one function instance; it names the thread of the callback while one runs, and its generation changes when the callback returns.
/// So a handle is good on the thread of its callback, until that returns, and nowhere else. Slots lie in memory that is never given back.
final class CallTable: @unchecked Sendable {
    static let shared = CallTable()

    static let slotCountMax = 1 << 16
    fileprivate static let responseMark: UInt = 0x4D5A
    fileprivate static let stateMark: UInt = 0x4D5B

    private struct Slot: ~Copyable {
        /// The thread of the running callback; 0 while none runs.
        let thread = Atomic<UInt>(0)
        let generation = Atomic<UInt32>(0)
        let call = Atomic<UInt>(0)
    }

    private let slots: UnsafeMutablePointer<Slot>
    /// Slots below are initialized.
    private let count = Atomic<Int>(0)
    private let lock = Lock()
    private var free: [Int] = []

    private init() { slots = .allocate(capacity: CallTable.slotCountMax) }

    /// A slot for a function instance; `remove` gives it back.
    func add() throws(MillstreamError) -> Int {
        lock.lock()
        defer { lock.unlock() }
        if let slot = free.popLast() { return slot }
        let slot = count.load(ordering: .relaxed)
        guard slot < CallTable.slotCountMax else {
            throw MillstreamError(.limitExceeded, "there are \(slot) instances of functions", hint: "Lower the parallelism.")
        }
        (slots + slot).initialize(to: Slot())
        count.store(slot + 1, ordering: .releasing)
        return slot
    }

    func remove(_ slot: Int) { lock.withLock { free.append(slot) } }

    /// A callback begins on this thread. The caller keeps `call` alive until `end`.
    func begin(_ slot: Int, _ call: HostCall) -> (response: OpaquePointer?, state: OpaquePointer?) {
        let generation = slots[slot].generation.load(ordering: .relaxed)
        slots[slot].call.store(UInt(bitPattern: Unmanaged.passUnretained(call).toOpaque()), ordering: .relaxed)
        slots[slot].thread.store(UInt(pthread_self()), ordering: .relaxed)
        let low = UInt(generation) << 16 | UInt(slot)
        return (
            OpaquePointer(bitPattern: CallTable.responseMark << 48 | low), OpaquePointer(bitPattern: CallTable.stateMark << 48 | low)
        )
    }

    func end(_ slot: Int) {
        slots[slot].thread.store(0, ordering: .relaxed)
        slots[slot].generation.wrappingAdd(1, ordering: .relaxed)
    }

    @inline(__always)
    fileprivate func find(_ handle: OpaquePointer?, _ mark: UInt) -> Unmanaged<HostCall>? {
        let number = UInt(bitPattern: handle)
        let slot = Int(truncatingIfNeeded: number & 0xFFFF)
        guard number &>> 48 == mark, slot < count.load(ordering: .acquiring),
            slots[slot].thread.load(ordering: .relaxed) == UInt(pthread_self()),
            slots[slot].generation.load(ordering: .relaxed) == UInt32(truncatingIfNeeded: number &>> 16),
            let pointer = UnsafeRawPointer(bitPattern: slots[slot].call.load(ordering: .relaxed))
        else { return nil }
        return Unmanaged.fromOpaque(pointer)
    }
}

/// Runs `body` with the call behind a response. Throws `invalidHandle`.
@inline(__always)
func withResponse<Result>(_ handle: OpaquePointer?, _ body: (HostCall) throws(MillstreamError) -> Result) throws(MillstreamError) -> Result {
    guard let call = CallTable.shared.find(handle, CallTable.responseMark) else { throw staleCall("response", handle) }
    // The callback runs on this thread, and whoever runs it holds the call.
    return try body(call.takeUnretainedValue())
}

/// The call behind a state, without a reference of its own: taking one per row would cost more than all the rest. Nil if there is none.
@inline(__always)
func stateCall(_ handle: OpaquePointer?) -> Unmanaged<HostCall>? { CallTable.shared.find(handle, CallTable.stateMark) }

@inline(never)
func staleCall(_ what: String, _ handle: OpaquePointer?) -> MillstreamError {
    guard handle != nil else { return MillstreamError(.invalidHandle, "the \(what) is NULL") }
    return MillstreamError(
        .invalidHandle, "the \(what) belongs to a call that has returned, to another thread, or is not one of Millstream's",
        hint: "It is only good until the callback returns, and on the callback's own thread.")
}
