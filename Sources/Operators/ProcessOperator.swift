import Columnar
import Dataflow
import Plan
import State

/// A host's process function, keyed or not: one crossing per batch of rows and per chunk of timers, with state, timers and side outputs.
///
/// Over connected streams it has two inputs with schemas of their own: each request is of one of them. Keys of both are in one table, so that what the one
/// input left in a key's state the other finds. An input without keys beside one with keys (a broadcast stream) has the operator state alone.
///
/// Timers fire in the order of their time, one per key and crossing, so that what a key's timer registers comes before the key's later ones. A response
/// with a resumption, and timers that are left when the outputs are full, go on in `resume`.
final class ProcessOperator: Operator, StateDeclaring {
    /// What is being done; after `more` it goes on there.
    private enum Phase {
        case idle
        /// A request that the host has not finished.
        case request(HostRequest, parent: Batch, isTimer: Bool)
        /// Timers of a domain up to a time.
        case timers(TimeDomain, Int64)
        /// The host failed behind rows for which there was no room yet.
        case failed(MillstreamError)
    }

    private var caller: HostCaller
    private let schema: Schema
    private let sideOutputs: [SideOutputID: Schema]
    private let deadLetterOutput: SideOutputID?
    private var keyed: KeyedRows?
    /// For each logical input whether its rows have keys.
    private let isKeyed: [Bool]
    /// Rows of each input before its current request.
    private var rowsBefore: [Int64]
    private var openInputCount: Int
    private let declarations: [StateDeclaration]
    private let hostObjects: HostObjects?
    private var state: KeyedState?
    private var context: OperatorContext?
    private var phase = Phase.idle
    /// The timers that go on behind a request that fires some of them.
    private var firing: (TimeDomain, Int64)?
    private var wakeUpAt: Int64?

    init(
        _ function: any HostFunction, _ description: ProcessDescription, output: Schema, sideOutputs: [SideOutput], deadLetterOutput: String? = nil,
        hostObjects: HostObjects?
    ) throws(MillstreamError) {
        caller = try HostCaller(function)
        schema = output
        self.sideOutputs = Dictionary(sideOutputs.map { (SideOutputID($0.name), $0.schema) }) { first, _ in first }
        self.deadLetterOutput = deadLetterOutput.map { SideOutputID($0) }
        isKeyed = description.inputKeys.map { $0 != nil }
        rowsBefore = isKeyed.map { _ in 0 }
        openInputCount = isKeyed.count
        keyed = description.isKeyed ? KeyedRows(inputs: description.inputKeys.map { $0 ?? [] }, hostObjects: hostObjects) : nil
        declarations = description.states
        self.hostObjects = hostObjects
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        let state = KeyedState(
            declarations.map { ($0.name, $0.kind.stored) }, types: declarations.map { StateTypes(value: $0.valueType, key: $0.keyType) },
            hostObjects: hostObjects, clock: context.clock)
        self.state = state
        if keyed != nil { try state.openStore(context) }
        if let reader = context.restored?.reader {
            // Before the function is opened: it finds its operator state then, and its timers are there when it asks for the first of its own.
            try state.restoreOperatorState(from: reader, subtask: context.subtask, parallelism: context.parallelism)
            if keyed != nil {
                var table = state.table
                try state.restoreKeys(from: reader, table: &table)
                keyed?.restore(table)
            }
        }
        try caller.open(context, state: state)
        askForWakeUp()
    }

    func declaredParts() -> [DeclaredPart] {
        declarations.map { KeyedState.declaredPart($0.name, $0.kind.stored, StateTypes(value: $0.valueType, key: $0.keyType)) }
    }

    func storedValues(of store: String) -> [String]? {
        guard store == KeyedState.storePart else { return nil }
        return declarations.compactMap { KeyedState.stateText($0.name, $0.kind.stored, StateTypes(value: $0.valueType, key: $0.keyType)) }
    }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let state, let context else { throw .internal("a checkpoint of an operator that is not open") }
        state.begin(nil)
        defer { state.end(nil) }
        try caller.prepareSnapshot(checkpoint, state: state)
        try state.snapshot(keyed?.table, maxParallelism: context.maxParallelism, checkpoint: checkpoint, into: writer)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        var request = HostRequest(.process, count: batch.count, columns: Array(batch.columns.prefix(batch.schema.fields.count)), schema: batch.schema)
        request.input = input
        request.timestamps = batch.timestamps
        request.rowKinds = batch.rowKinds
        var slots: [Int32]?
        if isKeyed[input] {
            var rows = [Int32](repeating: 0, count: batch.count)
            request.keys = try rows.withUnsafeMutableBufferPointer { (rows) throws(MillstreamError) in
                guard let base = rows.baseAddress else { return [Column]() }
                return try keyed?.look(up: batch, input: input, into: base) ?? []
            }
            slots = rows
            if let table = keyed?.table { try state?.enter(rows, in: table) }
        }
        caller.rowsBefore = rowsBefore[input]
        return try begin(request, parent: batch, slots: slots, isTimer: false, output: output)
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        state?.currentWatermark = watermark
        phase = .timers(.eventTime, watermark.milliseconds)
        return try resume(output: output)
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        wakeUpAt = nil
        // A timer fires once its millisecond has passed, so that what happened in it comes first.
        phase = .timers(.processingTime, now.milliseconds.subtractingSaturating(1))
        return try resume(output: output)
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        openInputCount -= 1
        if openInputCount <= 0, let state {
            context?.metrics.timersDropped.add(state.processingTimers.count)
            state.processingTimers.removeAll()
        }
        return .done
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while true {
            switch phase {
            case .idle:
                askForWakeUp()
                return .done
            case .request(let request, let parent, let isTimer):
                if try advance(request, parent, isTimer, output) { continue }
                return .more
            case .timers(let domain, let time):
                phase = .idle
                try fire(domain, upTo: time)
            case .failed(let failure):
                throw failure
            }
            if output.isFull, case .request = phase { return .more }
        }
    }

    /// Starts a request: rows or timers.
    private func begin(
        _ request: HostRequest, parent: Batch, slots: [Int32]?, isTimer: Bool, output: any Output
    ) throws(MillstreamError) -> Progress {
        prepare(request, parent: parent, slots: slots, isTimer: isTimer)
        return try resume(output: output)
    }

    private func prepare(_ request: HostRequest, parent: Batch, slots: [Int32]?, isTimer: Bool) {
        var request = request
        state?.table = keyed?.table
        state?.begin(slots, rowCount: request.count)
        request.state = state
        phase = .request(request, parent: parent, isTimer: isTimer)
    }

    /// Calls the host until it is done with the request. False: the outputs are full and it is not.
    private func advance(_ request: HostRequest, _ parent: Batch, _ isTimer: Bool, _ output: any Output) throws(MillstreamError) -> Bool {
        var request = request
        repeat {
            let response = try caller.callKeepingRows(request)
            for rows in response.outputs where rows.count > 0 { try emit(rows, parent, output) }
            if let failure = response.failure {
                // Whoever takes the rows before the failing record shall have them before the job ends.
                guard output.isFull else { throw failure }
                phase = .failed(failure)
                return false
            }
            request.resumption = response.resumption
            if response.resumption == 0 {
                if !isTimer { rowsBefore[request.input] += Int64(request.count) }
                state?.end(keyed?.table)
                try state?.settle()
                phase = .idle
                if isTimer, let firing { phase = .timers(firing.0, firing.1) }
                return true
            }
        } while !output.isFull
        phase = .request(request, parent: parent, isTimer: isTimer)
        return false
    }

    private func emit(_ rows: HostResponse.Rows, _ parent: Batch, _ output: any Output) throws(MillstreamError) {
        guard let side = rows.sideOutput else { return try output.emit(try rows.batch(schema: schema, from: parent)) }
        guard let schema = sideOutputs[side] else {
            throw MillstreamError(.plan, "'\(caller.function.name)' emits to a side output '\(side)' that its operator has not")
        }
        if side == deadLetterOutput { context?.metrics.recordsFailed.add(rows.count) }
        try output.emit(try rows.batch(schema: schema, from: parent), to: side)
    }

    /// Makes a request of the next timers that are due, if there are any.
    private func fire(_ domain: TimeDomain, upTo time: Int64) throws(MillstreamError) {
        firing = nil
        guard let state, let table = keyed?.table else { return }
        let due = state.takeDue(domain, upTo: time)
        let count = due.slots.count
        guard count > 0 else { return }
        firing = (domain, time)
        try state.enter(due.slots, in: table)
        let times = Column(type: DataType.bigInt.notNull, count: count, values: Buffer.copying(due.times))
        var request = HostRequest(.timers, count: count)
        request.integers = [Int64(domain.rawValue)]
        request.timestamps = times
        request.keys = try due.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            guard let base = slots.baseAddress else { return [Column]() }
            return try table.keys(slots: base, count: count)
        }
        // Rows of an event-time timer have its time; those of a processing-time timer have none, as in Flink.
        let parent = Batch(schema: Schema([]), columns: [], count: count, timestamps: domain == .eventTime ? times : nil)
        prepare(request, parent: parent, slots: due.slots, isTimer: true)
    }

    private func askForWakeUp() {
        guard let next = state?.processingTimers.next() else { return }
        if let wakeUpAt, wakeUpAt <= next { return }
        wakeUpAt = next
        context?.wakeUp(at: ProcessingTime(milliseconds: next))
    }

    var nextEventTime: EventTime? { state?.eventTimers.next().map { EventTime(milliseconds: $0) } }

    func close() throws(MillstreamError) {
        phase = .idle
        state?.closeStore()
        defer {
            state = nil
            keyed = nil
        }
        try caller.close()
    }
}

extension StateDeclaration.Kind {
    /// How `KeyedState` keeps a declared state: what the host reduces or aggregates is a value.
    fileprivate var stored: KeyedState.Kind {
        switch self {
        case .value, .reducing, .aggregating: .value
        case .list: .list
        case .map: .map
        case .broadcast: .operatorState(.broadcast)
        case .operatorList: .operatorState(.list)
        case .unionList: .operatorState(.unionList)
        }
    }
}
