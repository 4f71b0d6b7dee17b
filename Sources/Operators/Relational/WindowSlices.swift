import Columnar
import Plan
import State

/// How the windows of a table lie: windows are made of slices, which no window's border cuts, so that a row touches one slice. Local milliseconds.
struct SliceGeometry {
    private enum Shape { case tumble, hop(slide: Int64), cumulate, attached }
    private let shape: Shape
    private let size: Int64
    private let offset: Int64
    let sliceSize: Int64

    /// Throws `configuration` for sizes that are not positive, and for ones that are no multiples where they must be.
    init(_ window: WindowTable) throws(MillstreamError) {
        offset = window.offset
        switch window.shape {
        case .tumble(let size):
            shape = .tumble
            self.size = try Self.positive(size, "size of TUMBLE")
            sliceSize = size
        case .hop(let slide, let size):
            shape = .hop(slide: try Self.positive(slide, "slide of HOP"))
            self.size = try Self.positive(size, "size of HOP")
            sliceSize = slide
            try Self.require(size, isMultipleOf: slide, "size of HOP", "slide")
        case .cumulate(let step, let size):
            shape = .cumulate
            self.size = try Self.positive(size, "size of CUMULATE")
            sliceSize = try Self.positive(step, "step of CUMULATE")
            try Self.require(size, isMultipleOf: step, "size of CUMULATE", "step")
        case .attached:
            shape = .attached
            size = 0
            sliceSize = 0
        case .session: throw .internal("sessions have no slices")
        }
    }

    static func positive(_ value: Int64, _ what: String) throws(MillstreamError) -> Int64 {
        guard value > 0 else { throw MillstreamError(.configuration, "the \(what) windows is \(value) ms; it must be more than 0") }
        return value
    }

    private static func require(_ size: Int64, isMultipleOf part: Int64, _ what: String, _ partName: String) throws(MillstreamError) {
        guard size % part == 0 else {
            throw MillstreamError(.configuration, "the \(what) windows, \(size) ms, must be a multiple of the \(partName), \(part) ms")
        }
    }

    /// The start of the slice that a time is in.
    @inline(__always)
    func sliceStart(_ time: Int64) -> Int64 { WindowAssignment.start(of: time, size: sliceSize, offset: offset) }

    /// Whether windows share slices.
    var isShared: Bool {
        switch shape {
        case .tumble, .attached: false
        case .hop, .cumulate: true
        }
    }

    /// Whether what a window held is a part of the windows behind it.
    var isCumulative: Bool { if case .cumulate = shape { true } else { false } }

    /// The end of the last window that holds a slice.
    func lastEnd(_ start: Int64, _ end: Int64) -> Int64 {
        switch shape {
        case .tumble, .attached: end
        case .hop: WindowAssignment.end(start: start, size: size)
        case .cumulate: WindowAssignment.end(start: WindowAssignment.start(of: start, size: size, offset: offset), size: size)
        }
    }

    /// The end of the first window behind `last` (the end of another window) that holds a slice; nil: there is none.
    func nextEnd(_ start: Int64, _ end: Int64, behind last: Int64) -> Int64? {
        let final = lastEnd(start, end)
        if final <= last { return nil }
        if end > last || !isShared { return end }
        // Ends are `sliceSize` apart.
        let steps = (last &- end) / sliceSize &+ 1
        return min(final, end.addingSaturating(steps &* sliceSize))
    }

    /// The start of the window with an end.
    func windowStart(_ sliceStart: Int64, end: Int64) -> Int64 {
        switch shape {
        case .tumble, .attached: sliceStart
        case .hop: end.subtractingSaturating(size)
        case .cumulate: WindowAssignment.start(of: end.subtractingSaturating(1), size: size, offset: offset)
        }
    }

    /// Calls `body` with each window that a time is in, the earliest first (a HOP's the latest first, as Flink's assigner gives them).
    func forEachWindow(of time: Int64, _ body: (_ start: Int64, _ end: Int64) -> Void) {
        let start = sliceStart(time)
        switch shape {
        case .tumble, .attached: body(start, WindowAssignment.end(start: start, size: size))
        case .hop(let slide):
            var first = start
            while first > time.subtractingSaturating(size) {
                body(first, WindowAssignment.end(start: first, size: size))
                let (next, overflows) = first.subtractingReportingOverflow(slide)
                if overflows { return }
                first = next
            }
        case .cumulate:
            let first = WindowAssignment.start(of: time, size: size, offset: offset)
            var end = WindowAssignment.end(start: start, size: sliceSize)
            let last = WindowAssignment.end(start: first, size: size)
            while true {
                body(first, end)
                if end >= last { return }
                end = WindowAssignment.end(start: end, size: sliceSize)
            }
        }
    }
}

/// What one slice holds: for each of its keys, the slot of its accumulators.
final class WindowSlice {
    var start: Int64
    var end: Int64
    /// By the slot of a key: the slot of its accumulators and one more; 0: there are none.
    private var index = SlotArray<Int32>(fill: 0)
    private(set) var keys: [Int32] = []
    private(set) var slots: [Int32] = []

    init(start: Int64, end: Int64) {
        self.start = start
        self.end = end
    }

    func reserve(_ keyCount: Int) { index.reserve(keyCount) }

    /// The slot of a key's accumulators; -1 if it has none. The key is below the last `reserve`.
    @inline(__always)
    func slot(of key: Int32) -> Int32 { index[Int(key)] &- 1 }

    func insert(_ key: Int32, _ slot: Int32) {
        index[Int(key)] = slot &+ 1
        keys.append(key)
        slots.append(slot)
    }
}
