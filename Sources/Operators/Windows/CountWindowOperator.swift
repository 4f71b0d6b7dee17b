import Columnar
import Dataflow
import Plan
import State

/// Keyed windows of rows: one begins at every `slide`-th row of a key and fires with its `size`-th. With `slide == size` each row is in one window.
///
/// This is PyFlink's rule; in Flink's Java API windows *end* at every `slide`-th row, and the first ones are not full (docs/decisions/count-windows.md). Each
/// window has its own contents, so no row is kept once its last window has fired. What is left at the end of input does not fire, as in Flink.
final class CountWindowOperator: Operator, StateDeclaring {
    private let size: Int64
    private let slide: Int64
    private let keys: WindowKeys
    private let contents: any WindowContents
    private let functions: WindowFunctions?
    private var watermark = EventTime.min
    private var pool = SlotPool()
    /// Per key slot: rows so far, and the contents of its open windows, the one that ends first in front.
    private var counts: [Int64] = []
    private var open: [[Int32]] = []
    private var firing: [(key: Int32, slot: Int32)] = []
    private var fired = 0
    private var context: OperatorContext?
    private static let chunkRowCount = 4_096

    init(size: Int64, slide: Int64, keys: WindowKeys, contents: any WindowContents, functions: WindowFunctions?) {
        self.size = size
        self.slide = slide
        self.keys = keys
        self.contents = contents
        self.functions = functions
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        try functions?.open(context)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let rows = try batch.compacted()
        try keys.lookup(rows)
        // Row i once per window that it belongs to. A window gets its rows in order because the list is in the order of rows.
        var places: [Int32] = []
        var slots: [Int32] = []
        for row in 0..<rows.count {
            let key = Int(keys.slots[row])
            if key >= counts.count {
                counts.append(contentsOf: repeatElement(0, count: key + 1 - counts.count))
                open.append(contentsOf: repeatElement([], count: key + 1 - open.count))
            }
            let number = counts[key]
            counts[key] = number &+ 1
            // Window k holds rows k * slide ..< k * slide + size; those before `first` are full.
            let first = number < size ? 0 : (number &- size) / slide &+ 1
            let last = number / slide
            var window = 0
            while Int64(window) <= last - first {
                if window >= open[key].count { open[key].append(pool.take()) }
                places.append(Int32(truncatingIfNeeded: row))
                slots.append(open[key][window])
                window += 1
            }
            let start = number &- size &+ 1
            if start >= 0, start % slide == 0, !open[key].isEmpty {
                firing.append((Int32(truncatingIfNeeded: key), open[key].removeFirst()))
                // Nothing is kept for a key between its windows but its count, and that starts anew where windows do not overlap.
                if slide == size { counts[key] = 0 }
            }
        }
        if !slots.isEmpty {
            let isWhole = places.count == rows.count && slide == size
            let taken = isWhole ? rows : try rows.selecting(Selection(places)).compacted()
            try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                if let base = list.baseAddress { try contents.add(taken, slots: base) }
            }
        }
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while fired < firing.count {
            let end = min(fired + Self.chunkRowCount, firing.count)
            let chunk = firing[fired..<end]
            let slots = chunk.map(\.slot)
            let frames = WindowFrames(slots: slots, keys: try keys.keys(chunk.map(\.key)), starts: nil, ends: nil, watermark: watermark)
            try contents.emit(frames, output: output)
            slots.withUnsafeBufferPointer { if let base = $0.baseAddress { contents.remove(base, count: slots.count) } }
            for slot in slots { pool.giveBack(slot) }
            fired = end
            if output.isFull, fired < firing.count { return .more }
        }
        forgetKeys()
        firing.removeAll(keepingCapacity: true)
        fired = 0
        return .done
    }

    /// Keys whose last window has fired.
    private func forgetKeys() {
        guard slide == size else { return }
        var done: [Int32] = []
        for entry in firing where counts[Int(entry.key)] == 0 && open[Int(entry.key)].isEmpty {
            // The same key may have fired twice in a batch.
            counts[Int(entry.key)] = -1
            done.append(entry.key)
        }
        for key in done { counts[Int(key)] = 0 }
        keys.erase(done)
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        self.watermark = watermark
        return .done
    }

    // MARK: Checkpoints

    private static let countPart = "window/counts"
    private static let countFields = [Field("rows", DataType.bigInt.notNull)]
    private static let part = "window/contents"
    private var stateFields: [Field] { [Field("window", DataType.bigInt.notNull)] + contents.stateFields }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.countPart, Self.countFields), DeclaredPart(Self.part, stateFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(watermark, context.keyGroups, to: writer)
        let live = keys.table.liveSlots()
        var rowCounts = KeyedPart(Self.countPart, fields: Self.countFields)
        try rowCounts.add(live, of: keys.table, [.int64s(live.map { counts[Int($0)] })])
        try rowCounts.write(maxParallelism: context.maxParallelism, to: writer)

        var slots: [Int32] = []
        var owners: [Int32] = []
        var windows: [Int64] = []
        for key in live {
            for (number, slot) in open[Int(key)].enumerated() {
                slots.append(slot)
                owners.append(key)
                windows.append(Int64(number))
            }
        }
        guard !slots.isEmpty else { return }
        let held = try contents.rows(of: slots, ofKeys: nil)
        if let parents = held.parents {
            owners = parents.map { owners[Int($0)] }
            windows = parents.map { windows[Int($0)] }
        }
        var part = KeyedPart(Self.part, fields: stateFields)
        try part.add(owners, of: keys.table, [.int64s(windows)] + held.columns)
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        guard let context else { return }
        watermark = try FormerWatermarks(reader).least(context.keyGroups)
        guard let rowCounts = try RestoredPart(reader, Self.countPart, keyTypes: keys.table.types, fields: Self.countFields) else { return }
        let countSlots = try rowCounts.slots(in: keys.table)
        counts = Array(repeating: 0, count: keys.table.slotEnd)
        open = Array(repeating: [], count: keys.table.slotEnd)
        for (slot, number) in zip(countSlots, rowCounts.int64s(0)) { counts[Int(slot)] = number }
        guard let rows = try RestoredPart(reader, Self.part, keyTypes: keys.table.types, fields: stateFields) else { return }
        var slots: [Int32] = []
        slots.reserveCapacity(rows.count)
        for (key, window) in zip(try rows.slots(in: keys.table), rows.int64s(0)) {
            guard Int(key) < open.count, window <= Int64(open[Int(key)].count), window >= Int64(open[Int(key)].count) - 1, window >= 0 else {
                throw MillstreamError(
                    .decode, "the part '\(Self.part)' of the checkpoint has windows without a count, or not in their order", domain: .external)
            }
            // Elements of one window are neighbours.
            if window == Int64(open[Int(key)].count) { open[Int(key)].append(pool.take()) }
            slots.append(open[Int(key)][Int(window)])
        }
        try contents.restore(Array(rows.columns[1...]), slots: slots)
    }

    func close() throws(MillstreamError) {
        contents.removeAll()
        try functions?.close()
    }
}
