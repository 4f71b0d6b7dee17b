import Columnar
import Dataflow

/// The timers of one time domain: a set of (slot, time), taken out in the order of time and, for equal times, of registration.
///
/// A timer is registered once, however often it is asked for, and deleting one that is not there does nothing, as in Flink. Deleted timers stay in the
/// heap until they come up or outnumber the others.
public final class TimerService {
    /// The most timers that go to a host function in one crossing.
    public static let chunkCountMax = 4_096

    struct Timer {
        let slot: Int32
        let time: Int64
        let number: Int64

        fileprivate func isBefore(_ other: Timer) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    private struct Name: Hashable {
        let slot: Int32
        let time: Int64
    }

    private var heap: [Timer] = []
    /// The registration that counts for a timer; only looked up in, never iterated.
    private var numbers: [Name: Int64] = [:]
    private var nextNumber: Int64 = 0

    public init() {}

    /// How many timers are registered.
    public var count: Int { numbers.count }

    /// Whether it was not registered yet.
    @discardableResult
    public func register(slot: Int, at time: Int64) -> Bool {
        let name = Name(slot: Int32(truncatingIfNeeded: slot), time: time)
        guard numbers[name] == nil else { return false }
        numbers[name] = nextNumber
        push(Timer(slot: name.slot, time: time, number: nextNumber))
        nextNumber &+= 1
        return true
    }

    /// Whether it was registered.
    @discardableResult
    public func delete(slot: Int, at time: Int64) -> Bool {
        guard numbers.removeValue(forKey: Name(slot: Int32(truncatingIfNeeded: slot), time: time)) != nil else { return false }
        if heap.count > 2 * numbers.count + Self.chunkCountMax { rebuild() }
        return true
    }

    /// The time of the earliest timer.
    public func next() -> Int64? {
        dropDeleted()
        return heap.first?.time
    }

    /// Takes out timers with a time of at most `time`, in order: at most `limit`, and at most one per slot.
    ///
    /// One per slot, because what a key's timer does (registering and deleting others) decides what its next timer is.
    public func takeDue(upTo time: Int64, limit: Int = chunkCountMax) -> (slots: [Int32], times: [Int64]) {
        var slots: [Int32] = []
        var times: [Int64] = []
        var seen: Set<Int32> = []
        while slots.count < limit {
            dropDeleted()
            guard let first = heap.first, first.time <= time, seen.insert(first.slot).inserted else { break }
            pop()
            numbers[Name(slot: first.slot, time: first.time)] = nil
            slots.append(first.slot)
            times.append(first.time)
        }
        return (slots, times)
    }

    /// All timers in order.
    public func all() -> [(slot: Int32, time: Int64)] {
        heap.filter(isRegistered).sorted { $0.isBefore($1) }.map { ($0.slot, $0.time) }
    }

    /// All timers with the numbers of their registrations, in no order that means anything.
    func registered() -> (slots: [Int32], times: [Int64], numbers: [Int64]) {
        let timers = timers()
        return (timers.map(\.slot), timers.map(\.time), timers.map(\.number))
    }

    /// The same, shared with this service until it changes.
    func timers() -> [Timer] {
        // Without deleted ones nothing has to be looked up.
        heap.count == numbers.count ? heap : heap.filter(isRegistered)
    }

    public func removeAll() {
        heap.removeAll()
        numbers.removeAll()
    }

    private func isRegistered(_ timer: Timer) -> Bool { numbers[Name(slot: timer.slot, time: timer.time)] == timer.number }

    private func dropDeleted() {
        while let first = heap.first, !isRegistered(first) { pop() }
    }

    private func rebuild() {
        // A sorted array is a heap.
        heap = heap.filter(isRegistered).sorted { $0.isBefore($1) }
    }

    private func push(_ timer: Timer) {
        var place = heap.count
        heap.append(timer)
        while place > 0 {
            let parent = (place - 1) / 2
            guard timer.isBefore(heap[parent]) else { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = timer
    }

    private func pop() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(last) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = last
    }
}
