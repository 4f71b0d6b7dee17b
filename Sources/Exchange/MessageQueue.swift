import Dataflow

/// A first-in first-out queue of messages with their sizes, in a ring that grows and keeps its room.
struct MessageQueue {
    typealias Entry = (message: Message, byteCount: Int)

    private var ring: [Entry?] = []
    private var head = 0
    private(set) var count = 0

    mutating func append(_ message: Message, byteCount: Int) {
        if count == ring.count { grow() }
        ring[(head &+ count) & (ring.count &- 1)] = (message, byteCount)
        count &+= 1
    }

    mutating func popFirst() -> Entry? {
        guard count > 0 else { return nil }
        let entry = ring[head].take()
        head = (head &+ 1) & (ring.count &- 1)
        count &-= 1
        return entry
    }

    /// The message at a place; 0 is the next one.
    subscript(place: Int) -> Entry? { ring[(head &+ place) & (ring.count &- 1)] }

    /// Takes a message out of the middle; the others keep their order.
    mutating func remove(at place: Int) -> Entry? {
        let removed = self[place]
        for index in stride(from: place, to: 0, by: -1) { ring[(head &+ index) & (ring.count &- 1)] = self[index - 1] }
        ring[head] = nil
        head = (head &+ 1) & (ring.count &- 1)
        count &-= 1
        return removed
    }

    /// Puts messages before all others, in their order.
    mutating func prepend(_ entries: [Entry]) {
        while count + entries.count > ring.count { grow() }
        for entry in entries.reversed() {
            head = (head &- 1) & (ring.count &- 1)
            ring[head] = entry
            count &+= 1
        }
    }

    /// Doubles the ring: its size stays a power of two.
    private mutating func grow() {
        var larger = [Entry?](repeating: nil, count: max(8, ring.count * 2))
        for index in 0..<count { larger[index] = ring[(head + index) & (ring.count - 1)].take() }
        ring = larger
        head = 0
    }
}
