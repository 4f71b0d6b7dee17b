import Columnar
import Dataflow
import State

/// Windows folded by a reduce or aggregate function of the host: one accumulator per slot, one crossing per batch.
final class HostAccumulators: WindowContents {
    enum Kind { case reduce, aggregate }

    private let kind: Kind
    /// Shared by all windows of the subtask; opened and closed by the operator.
    private let functions: WindowFunctions
    private let types: [DataType]
    private let store: RowStore
    private let local = LocalSlots()

    init(_ kind: Kind, functions: WindowFunctions, types: [DataType], hostObjects: HostObjects?) {
        self.kind = kind
        self.functions = functions
        self.types = types
        store = RowStore(types: types, hostObjects: hostObjects)
    }

    func add(_ rows: Batch, slots: UnsafePointer<Int32>) throws(MillstreamError) {
        local.assign(slots, count: rows.count)
        var request = HostRequest(
            kind == .reduce ? .reduce : .accumulate, count: rows.count, columns: Array(rows.columns.prefix(rows.schema.fields.count)), schema: rows.schema)
        request.timestamps = rows.timestamps
        request.slots = local.rows
        request.accumulators = try gather(local.slots)
        request.integers = [0]
        let response = try functions.fold(request)
        try set(response.accumulators, local.slots)
        functions.rowsFolded(rows.count)
    }

    func merge(_ pairs: [(from: Int32, into: Int32)]) throws(MillstreamError) {
        // One pair at a time: pairs may build on each other, and merging sessions are rare beside rows.
        for pair in pairs where store.contains(Int(pair.from)) {
            let from = try gather([pair.from])
            try combine(from, into: [pair.into])
            remove([pair.from], count: 1)
        }
    }

    func absorb(_ other: any WindowContents, slots: [Int32], targets: [Int32]) throws(MillstreamError) {
        guard let other = other as? HostAccumulators else { throw MillstreamError.internal("windows of different kinds were merged") }
        for (slot, target) in zip(slots, targets) { try combine(try other.gather([slot]), into: [target]) }
    }

    func emit(_ frames: WindowFrames, output: any Output) throws(MillstreamError) {
        let accumulators = try gather(frames.slots)
        try functions.finish(kind, accumulators, frames, output: output)
    }

    func remove(_ slots: UnsafePointer<Int32>, count: Int) { store.remove(slots, count: count) }
    func removeAll() { store.removeAll() }

    var stateFields: [Field] { types.enumerated().map { Field("accumulator\($0.offset)", $0.element.nullable) } }

    func rows(of slots: [Int32], ofKeys keys: [Int32]?) throws(MillstreamError) -> ContentRows {
        ContentRows(columns: try gather(slots), count: slots.count, parents: nil)
    }

    func restore(_ columns: [Column], slots: [Int32]) throws(MillstreamError) { try set(columns, slots) }

    private func combine(_ rows: [Column], into target: [Int32]) throws(MillstreamError) {
        guard store.contains(Int(target[0])) else { return try set(rows, target) }
        switch kind {
        case .reduce:
            // A reduce function's accumulator is a value: merging is reducing once more.
            var request = HostRequest(.reduce, count: 1, columns: rows, schema: functions.input)
            request.slots = Column(type: DataType.int.notNull, count: 1, values: Buffer.copying([Int32(0)]))
            request.accumulators = try gather(target)
            request.integers = [0]
            try set(try functions.fold(request).accumulators, target)
        case .aggregate:
            var request = HostRequest(.merge, count: 1)
            let before = try gather(target)
            var pairs: [Column] = []
            for (left, right) in zip(before, rows) { pairs.append(try Column.concat([left, right])) }
            request.accumulators = pairs
            try set(try functions.fold(request).accumulators, target)
        }
    }

    private func gather(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [] }
            return try store.gather(base, count: list.count)
        }
    }

    private func set(_ rows: [Column], _ slots: [Int32]) throws(MillstreamError) {
        guard rows.first.map({ $0.count == slots.count }) ?? slots.isEmpty else {
            throw MillstreamError(.typeMismatch, "a function gave \(rows.first?.count ?? 0) accumulators where \(slots.count) are needed")
        }
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try store.set(rows, slots: base, count: list.count) }
        }
    }
}

/// The host functions of a window operator's subtask: how rows are folded, and what becomes of the result.
final class WindowFunctions {
    let input: Schema
    private var folding: HostCaller?
    private let then: WindowFunctionCaller?
    private let output: Schema

    init(folding: (any HostFunction)?, then: (any HostFunction)?, input: Schema, output: Schema) throws(MillstreamError) {
        self.input = input
        self.output = output
        if let folding { self.folding = try HostCaller(folding) }
        self.then = try then.map { (function) throws(MillstreamError) in try WindowFunctionCaller(function, output: output) }
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        try folding?.open(context)
        try then?.open(context)
    }

    func close() throws(MillstreamError) {
        var cleanUp = CleanUp()
        cleanUp.attempt { () throws(MillstreamError) in try folding?.close() }
        cleanUp.attempt { () throws(MillstreamError) in try then?.close() }
        try cleanUp.finish()
    }

    func fold(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        guard let folding else { throw MillstreamError.internal("a window without a function was folded") }
        return try folding.call(request)
    }

    func rowsFolded(_ count: Int) { folding?.rowsBefore += Int64(count) }

    /// From accumulators to what is emitted.
    func finish(_ kind: HostAccumulators.Kind, _ accumulators: [Column], _ frames: WindowFrames, output: any Output) throws(MillstreamError) {
        var results = accumulators
        var schema = input
        var frames = frames
        if kind == .aggregate {
            var request = HostRequest(.result, count: frames.slots.count)
            request.accumulators = accumulators
            let response = try fold(request)
            guard let rows = response.outputs.first, rows.parents != nil || rows.count == frames.slots.count else {
                throw MillstreamError(.typeMismatch, "an aggregate function gave \(response.outputs.first?.count ?? 0) results for \(frames.slots.count) windows")
            }
            results = rows.columns
            // A window whose result is missing gives nothing, as in Flink.
            if let parents = rows.parents?.values { frames = try frames.selecting(Selection(buffer: parents, count: rows.count)) }
            if frames.slots.isEmpty { return }
            schema = folding?.function.resultSchema ?? Schema(rows.columns.enumerated().map { Field("f\($0)", $1.type) }, shape: rows.columns.count == 1 ? .scalar : .tuple)
        }
        guard let then else {
            var batch = Batch(schema: self.output, columns: results, count: frames.slots.count)
            batch.timestamps = frames.timestamps()
            return try output.emit(batch)
        }
        let offsets = Column(
            type: DataType.int.notNull, count: frames.slots.count + 1,
            values: Buffer.copying((0...frames.slots.count).map { Int32(truncatingIfNeeded: $0) }))
        try then.call(frames, elements: results, count: frames.slots.count, schema: schema, offsets: offsets, to: output)
    }

    /// Elements straight to the process window function.
    func process(_ elements: [Column], count: Int, offsets: [Int32], _ frames: WindowFrames, output: any Output) throws(MillstreamError) {
        guard let then else { throw MillstreamError.internal("a window without a function was fired") }
        try then.call(
            frames, elements: elements, count: count, schema: input,
            offsets: Column(type: DataType.int.notNull, count: offsets.count, values: Buffer.copying(offsets)), to: output)
    }
}
