import Columnar
import Dataflow

/// What windows hold, a slot per key and window: accumulators, or the elements themselves.
///
/// Called with whole batches; slots are small dense numbers that the window operator gives out and reuses.
protocol WindowContents: AnyObject {
    /// Adds row i of `rows` (dense) to `slots[i]`, in order; slots repeat.
    func add(_ rows: Batch, slots: UnsafePointer<Int32>) throws(MillstreamError)
    /// Adds what slot `from` holds to slot `into` (which may be empty) for each pair, in order; `from` is empty afterwards.
    func merge(_ pairs: [(from: Int32, into: Int32)]) throws(MillstreamError)
    /// Adds copies of `slots` of other contents of the same kind to `targets` of these, in order.
    func absorb(_ other: any WindowContents, slots: [Int32], targets: [Int32]) throws(MillstreamError)
    /// Emits the results of `frames.slots`.
    func emit(_ frames: WindowFrames, output: any Output) throws(MillstreamError)
    func remove(_ slots: UnsafePointer<Int32>, count: Int)
    func removeAll()
    /// The columns that a checkpoint keeps: what `rows` gives and `restore` takes.
    var stateFields: [Field] { get }
    /// Whether a slot has a row for each element, and not one for all.
    var isOfElements: Bool { get }
    /// What some slots hold, as columns that do not change afterwards. Elements of neighbouring slots with the same of `keys`, a number for each slot, come in
    /// the order in which they arrived; nil: slot by slot.
    func rows(of slots: [Int32], ofKeys keys: [Int32]?) throws(MillstreamError) -> ContentRows
    /// Puts rows that `rows` gave into slots that were empty. Slots repeat where one has several rows, which are in order.
    func restore(_ columns: [Column], slots: [Int32]) throws(MillstreamError)
}

extension WindowContents {
    var isOfElements: Bool { false }
}

/// Windows that fire together: one row each.
struct WindowFrames {
    var slots: [Int32]
    /// The keys, dense, one row per window.
    var keys: [Column]
    /// Milliseconds; nil for count windows.
    var starts: [Int64]?
    /// Exclusive.
    var ends: [Int64]?
    var watermark: EventTime

    /// The results' timestamps: the last millisecond of each window; for count windows the end of time, as in Flink.
    func timestamps() -> Column { column(ends.map { $0.map { $0.subtractingSaturating(1) } } ?? Array(repeating: Int64.max, count: slots.count)) }

    /// Windows `start ..< start + length`.
    func slice(_ start: Int, _ length: Int) -> WindowFrames {
        if start == 0 && length == slots.count { return self }
        let range = start..<start + length
        return WindowFrames(
            slots: Array(slots[range]), keys: keys.map { $0.slice(start, length) }, starts: starts.map { Array($0[range]) },
            ends: ends.map { Array($0[range]) }, watermark: watermark)
    }

    /// The windows at these positions.
    func selecting(_ windows: Selection) throws(MillstreamError) -> WindowFrames {
        var keys: [Column] = []
        for column in self.keys { keys.append(try column.taking(windows)) }
        let places = 0..<windows.count
        return WindowFrames(
            slots: places.map { slots[windows[$0]] }, keys: keys, starts: starts.map { starts in places.map { starts[windows[$0]] } },
            ends: ends.map { ends in places.map { ends[windows[$0]] } }, watermark: watermark)
    }

    func column(_ values: [Int64]) -> Column { Column(type: DataType.bigInt.notNull, count: values.count, values: Buffer.copying(values)) }
}

/// Runs a window's last step in the host: a process window function over elements, or over the one result of a reduce or aggregate function.
final class WindowFunctionCaller {
    private var caller: HostCaller
    private let output: Schema
    private var times: WindowTimes?

    init(_ function: any HostFunction, output: Schema) throws(MillstreamError) {
        caller = try HostCaller(function)
        self.output = output
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        times = WindowTimes(clock: context.clock)
        try caller.open(context)
    }

    func close() throws(MillstreamError) { try caller.close() }

    /// `offsets` (a window more than there are) say which of the elements belong to which window.
    func call(
        _ frames: WindowFrames, elements: [Column], count: Int, schema: Schema, offsets: Column, to output: any Output
    ) throws(MillstreamError) {
        var request = HostRequest(.window, count: frames.slots.count, columns: elements, schema: schema)
        request.keys = frames.keys
        request.elementOffsets = offsets
        let timestamps = frames.timestamps()
        request.timestamps = timestamps
        if let starts = frames.starts, let ends = frames.ends { request.windows = [frames.column(starts), frames.column(ends)] }
        times?.currentWatermark = frames.watermark
        request.state = times
        // One window at a time has its results in memory; a function that yields more than a batch is called again until it has given all.
        repeat {
            let response = try caller.callKeepingRows(request)
            for rows in response.outputs where rows.count > 0 {
                var parent = Batch(schema: self.output, columns: [], count: frames.slots.count)
                parent.timestamps = timestamps
                let batch = try rows.batch(schema: self.output, from: parent)
                if let side = rows.sideOutput { try output.emit(batch, to: side) } else { try output.emit(batch) }
            }
            if let failure = response.failure { throw failure }
            request.resumption = response.resumption
        } while request.resumption != 0
    }
}

/// The times that a window function may ask for; it has no keyed state of its own.
private final class WindowTimes: HostStateAccess {
    private let clock: any Clock
    var currentWatermark = EventTime.min
    var currentProcessingTime: ProcessingTime { clock.now() }

    init(clock: any Clock) { self.clock = clock }

    private var refusal: MillstreamError {
        MillstreamError(
            .unsupported, "a window function has no keyed state and no timers", hint: "Use a KeyedProcessFunction behind the window, or per-window state in its elements.")
    }
    func value(_ state: Int, row: Int) throws(MillstreamError) -> StateValue? { throw refusal }
    func setValue(_ state: Int, row: Int, _ value: StateValue?) throws(MillstreamError) { throw refusal }
    func listCount(_ state: Int, row: Int) throws(MillstreamError) -> Int { throw refusal }
    func listElement(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> StateValue? { throw refusal }
    func listAppend(_ state: Int, row: Int, _ value: StateValue) throws(MillstreamError) { throw refusal }
    func listClear(_ state: Int, row: Int) throws(MillstreamError) { throw refusal }
    func mapValue(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) -> StateValue? { throw refusal }
    func mapPut(_ state: Int, row: Int, key: StateValue, value: StateValue) throws(MillstreamError) { throw refusal }
    func mapRemove(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) { throw refusal }
    func mapClear(_ state: Int, row: Int) throws(MillstreamError) { throw refusal }
    func mapCount(_ state: Int, row: Int) throws(MillstreamError) -> Int { throw refusal }
    func mapEntry(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> (key: StateValue, value: StateValue)? { throw refusal }
    func registerTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) { throw refusal }
    func deleteTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) { throw refusal }
}
