import Columnar
import Dataflow

/// The states and timers of a process function's keys, per slot of a `KeyTable`, and the door through which a host function reaches them and the
/// subtask's operator state.
///
/// `begin` names the slots of a request's rows, `end` closes it: handles that were replaced meanwhile are then given back together, because getters lend
/// them, and keys without state and timers are forgotten. One thread at a time.
public final class KeyedState: HostStateAccess {
    /// How a state is kept.
    public enum Kind: Sendable {
        case value, list, map
        /// In the operator state instead, one for the subtask.
        case operatorState(OperatorState.Kind)
    }

    let stores: [StateCells]
    /// For each state whether it is per key; the others have one place.
    let isPerKey: [Bool]
    let names: [String]
    let types: [StateTypes]
    public let operatorState = OperatorState()
    /// The operator states that the function declared while it was opened; their numbers follow those of `stores`.
    private var declared: [(name: String, kind: OperatorState.Kind, cells: StateCells)] = []
    let hostObjects: HostObjects?
    /// Restored parts of states that the job does not have.
    var carried: [CarriedPart] = []
    public let eventTimers = TimerService()
    public let processingTimers = TimerService()
    private let clock: any Clock
    public var currentWatermark = EventTime.min

    /// How many states and timers a slot has.
    var uses = SlotArray<Int32>(fill: 0)
    private var slots: [Int32] = []
    private var isKeyed = false
    /// The rows of the request that have no key come first; then those of `slots`.
    private var unkeyedRowCount = 0
    /// Where the keys of `selectKeys` are; nil before the first keyed batch.
    public var table: KeyTable?
    /// Where states are that are not in memory; nil where all are.
    var pageStore: PageStore?
    var pager: KeyPager?
    /// Handles that nobody refers to any more once the request is over.
    private var garbage: [HostObjects.Handle?] = []

    /// `types`: of the states, in their order; where it ends, values are objects of the host.
    public init(_ states: [(name: String, kind: Kind)], types: [StateTypes] = [], hostObjects: HostObjects?, clock: any Clock) {
        names = states.map(\.name)
        let all = states.indices.map { $0 < types.count ? types[$0] : StateTypes(value: .object, key: .object) }
        self.types = all
        let operatorState = operatorState
        stores = states.enumerated().map { index, state in
            switch state.kind {
            case .value: StateCells(.value)
            case .list: StateCells(.list)
            case .map: StateCells(.map)
            case .operatorState(let kind): operatorState.add(state.name, kind, all[index])
            }
        }
        isPerKey = states.map { if case .operatorState = $0.kind { false } else { true } }
        self.hostObjects = hostObjects
        self.clock = clock
    }

    deinit {
        for cells in stores + declared.map(\.cells) { for value in cells.contents { discard(value) } }
        releaseGarbage()
    }

    public var currentProcessingTime: ProcessingTime { clock.now() }

    public func declareOperatorState(_ name: String, _ kind: OperatorState.Kind, _ types: StateTypes) throws(MillstreamError) -> Int {
        if let known = declared.firstIndex(where: { $0.name == name }) {
            guard declared[known].kind == kind else {
                throw MillstreamError(.invalidState, "operator state '\(name)' is asked for as a \(kind), but it is a \(declared[known].kind)")
            }
            return stores.count + known
        }
        guard !zip(names, isPerKey).contains(where: { $0.0 == name && !$0.1 }) else {
            throw MillstreamError(.invalidState, "there is an operator state '\(name)' already", hint: "Give the two different names.")
        }
        declared.append((name, kind, operatorState.add(name, kind, types)))
        try operatorState.claim(operatorState.entries.count - 1) { (map, key, value) throws(MillstreamError) in try put(key, value, into: &map) }
        return stores.count + declared.count - 1
    }

    // MARK: Requests

    /// Row i of the request has the key of `slots[i]`; nil for rows without keys, `rowCount` of them, for which there are only the time and the
    /// operator state.
    public func begin(_ slots: [Int32]?, rowCount: Int = 0) {
        self.slots = slots ?? []
        isKeyed = slots != nil
        unkeyedRowCount = isKeyed ? 0 : rowCount
        var end = 0
        for slot in self.slots { end = max(end, Int(slot) + 1) }
        uses.reserve(end)
        for (index, cells) in stores.enumerated() where isPerKey[index] { cells.reserve(end) }
    }

    /// The keys come in the order of their slots. They are rows until the request ends.
    public func selectKeys(_ state: Int) throws(MillstreamError) -> (firstRow: Int, count: Int, keys: [Column]) {
        guard state >= 0, state < stores.count, isPerKey[state] else {
            throw MillstreamError(.invalidArgument, "state \(state) is no keyed state, so it has no keys")
        }
        let first = unkeyedRowCount + slots.count
        guard let table else { return (first, 0, []) }
        try pager?.enterAll()
        for (index, cells) in stores.enumerated() where isPerKey[index] { cells.reserve(table.slotEnd) }
        uses.reserve(table.slotEnd)
        let used = table.liveSlots().filter { stores[state].isUsed(Int($0)) }
        let keys = try used.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            guard let base = slots.baseAddress, !slots.isEmpty else { return [Column]() }
            return try table.keys(slots: base, count: slots.count)
        }
        slots.append(contentsOf: used)
        return (first, used.count, keys)
    }

    public func endRequest() { end(nil) }

    /// The request is over: gives back handles, and erases keys that nothing is kept for.
    public func end(_ table: KeyTable?) {
        releaseGarbage()
        defer { slots = [] }
        guard let table, !slots.isEmpty else { return }
        var unused: [Int32] = []
        for slot in slots where uses[Int(slot)] == 0 {
            // Marked, so that a slot of several rows is erased once.
            uses[Int(slot)] = -1
            unused.append(slot)
        }
        for slot in unused { uses[Int(slot)] = 0 }
        // What the store has of a key is deleted there first.
        if let pager { unused = pager.erasable(unused) }
        guard !unused.isEmpty else { return }
        unused.withUnsafeBufferPointer { if let base = $0.baseAddress { table.erase(slots: base, count: $0.count) } }
    }

    func releaseGarbage() {
        guard let hostObjects, !garbage.isEmpty else { return }
        garbage.withUnsafeBufferPointer { if let base = $0.baseAddress { hostObjects.release(base, $0.count) } }
        garbage.removeAll(keepingCapacity: true)
    }

    func discard(_ value: StateValue?) {
        if case .object(let handle) = value { garbage.append(handle.pointer) }
    }

    private func slot(_ row: Int) throws(MillstreamError) -> Int {
        let index = row &- unkeyedRowCount
        guard index >= 0, index < slots.count else {
            if isKeyed || index >= 0 && !slots.isEmpty {
                throw MillstreamError(.invalidArgument, "row \(row) is not one of the request's \(unkeyedRowCount + slots.count)")
            }
            throw table == nil
                ? MillstreamError(.invalidState, "state and timers need a keyed stream", hint: "Call key_by before process.")
                : MillstreamError(
                    .invalidState, "the records of this input have no key, so they have no keyed state and no timers",
                    hint: "A broadcast record reaches the states of keys by apply_to_keyed_state.")
        }
        return Int(slots[index])
    }

    /// The place of a state's value: the row's slot, or the one of operator state.
    private func place(_ state: Int, _ row: Int) throws(MillstreamError) -> Int {
        guard state >= 0, state < isPerKey.count, isPerKey[state] else { return isOperatorState(state) ? 0 : try slot(row) }
        return try slot(row)
    }

    private func isOperatorState(_ state: Int) -> Bool {
        state >= 0 && (state < isPerKey.count ? !isPerKey[state] : state - isPerKey.count < declared.count)
    }

    private func mismatch(_ state: Int, _ wanted: String) -> MillstreamError {
        let all = names + declared.map(\.name)
        guard state >= 0, state < all.count else {
            return MillstreamError(.invalidArgument, "there is no state \(state); \(all.count) are declared")
        }
        return MillstreamError(.invalidArgument, "state '\(all[state])' is no \(wanted) state")
    }

    /// The cells of a state. Throws `invalidArgument` for one that was not declared or is of another kind.
    private func cells(_ state: Int, _ kind: StateCells.Kind) throws(MillstreamError) -> StateCells {
        guard state >= 0, state < stores.count, stores[state].kind == kind else { return try declaredCells(state, kind) }
        return stores[state]
    }

    @inline(never)
    private func declaredCells(_ state: Int, _ kind: StateCells.Kind) throws(MillstreamError) -> StateCells {
        let place = state &- stores.count
        guard place >= 0, place < declared.count, declared[place].cells.kind == kind else { throw mismatch(state, "\(kind)") }
        return declared[place].cells
    }

    private func count(_ state: Int, _ slot: Int, wasThere: Bool, isThere: Bool) {
        if state < isPerKey.count, isPerKey[state] { uses[slot] += (isThere ? 1 : 0) - (wasThere ? 1 : 0) }
    }

    /// The store has something else than the slot from now on.
    @inline(__always)
    private func change(_ state: Int, _ slot: Int) {
        if let pager, state < isPerKey.count, isPerKey[state] { pager.change(slot) }
    }

    // MARK: Value state

    public func value(_ state: Int, row: Int) throws(MillstreamError) -> StateValue? {
        let slot = try place(state, row)
        return try cells(state, .value).values[slot]
    }

    public func setValue(_ state: Int, row: Int, _ value: StateValue?) throws(MillstreamError) {
        do throws(MillstreamError) {
            let slot = try place(state, row)
            let cells = try cells(state, .value)
            let old = cells.values[slot]
            cells.values[slot] = value
            discard(old)
            change(state, slot)
            count(state, slot, wasThere: old != nil, isThere: value != nil)
        } catch {
            discard(value)
            throw error
        }
    }

    // MARK: List state

    public func listCount(_ state: Int, row: Int) throws(MillstreamError) -> Int {
        let slot = try place(state, row)
        return try cells(state, .list).lists[slot].count
    }

    public func listElement(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> StateValue? {
        let slot = try place(state, row)
        let cells = try cells(state, .list)
        return index >= 0 && index < cells.lists[slot].count ? cells.lists[slot][index] : nil
    }

    public func listAppend(_ state: Int, row: Int, _ value: StateValue) throws(MillstreamError) {
        do throws(MillstreamError) {
            let slot = try place(state, row)
            let cells = try cells(state, .list)
            change(state, slot)
            count(state, slot, wasThere: !cells.lists[slot].isEmpty, isThere: true)
            cells.lists[slot].append(value)
        } catch {
            discard(value)
            throw error
        }
    }

    public func listClear(_ state: Int, row: Int) throws(MillstreamError) {
        let slot = try place(state, row)
        let cells = try cells(state, .list)
        change(state, slot)
        count(state, slot, wasThere: !cells.lists[slot].isEmpty, isThere: false)
        for value in cells.lists[slot] { discard(value) }
        cells.lists[slot] = []
    }

    // MARK: Map state

    private func withMap<Result>(
        _ state: Int, _ row: Int, changes: Bool = false, _ body: (inout StateMap) throws(MillstreamError) -> Result
    ) throws(MillstreamError) -> Result {
        let slot = try place(state, row)
        let cells = try cells(state, .map)
        if changes { change(state, slot) }
        let before = cells.maps[slot].count
        let result = try body(&cells.maps[slot])
        let after = cells.maps[slot].count
        count(state, slot, wasThere: before > 0, isThere: after > 0)
        // The memory of a map that has become empty goes.
        if before > 0, after == 0 { cells.maps[slot] = StateMap() }
        return result
    }

    public func mapValue(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) -> StateValue? {
        let hash = try hash(key)
        return try withMap(state, row) { (map) throws(MillstreamError) in
            guard let place = try map.place(of: hash, { (other) throws(MillstreamError) in try isEqual(key, other) }) else { return nil }
            return map.value(at: place)
        }
    }

    public func mapPut(_ state: Int, row: Int, key: StateValue, value: StateValue) throws(MillstreamError) {
        var isHandedOn = false
        do throws(MillstreamError) {
            try withMap(state, row, changes: true) { (map) throws(MillstreamError) in
                isHandedOn = true
                try put(key, value, into: &map)
            }
        } catch {
            if !isHandedOn {
                discard(key)
                discard(value)
            }
            throw error
        }
    }

    /// Puts an entry into a map, which takes over the references to key and value.
    func put(_ key: StateValue, _ value: StateValue, into map: inout StateMap) throws(MillstreamError) {
        do throws(MillstreamError) {
            let hash = try hash(key)
            if let place = try map.place(of: hash, { (other) throws(MillstreamError) in try isEqual(key, other) }) {
                discard(map.replace(at: place, value))
                discard(key)
            } else {
                map.append(hash, key, value)
            }
        } catch {
            discard(key)
            discard(value)
            throw error
        }
    }

    public func mapRemove(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) {
        let hash = try hash(key)
        try withMap(state, row, changes: true) { (map) throws(MillstreamError) in
            guard let place = try map.place(of: hash, { (other) throws(MillstreamError) in try isEqual(key, other) }) else { return }
            let entry = map.remove(at: place)
            discard(entry.key)
            discard(entry.value)
        }
    }

    public func mapClear(_ state: Int, row: Int) throws(MillstreamError) {
        try withMap(state, row, changes: true) { (map) throws(MillstreamError) in
            for value in map.contents { discard(value) }
            map = StateMap()
        }
    }

    public func mapCount(_ state: Int, row: Int) throws(MillstreamError) -> Int {
        try withMap(state, row) { (map) throws(MillstreamError) in map.count }
    }

    public func mapEntry(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> (key: StateValue, value: StateValue)? {
        try withMap(state, row) { (map) throws(MillstreamError) in map.entry(index) }
    }

    /// The stable hash of a map's key. Throws `key` for a host value that can be no key.
    private func hash(_ key: StateValue) throws(MillstreamError) -> UInt64 {
        switch key {
        case .bool(let flag): return StableHash.hash(Int64(flag ? 1 : 0))
        case .int64(let number): return StableHash.hash(number)
        case .double(let number): return StableHash.hash(number)
        case .bytes(let bytes): return bytes.withUnsafeBytes { StableHash.hash(bytes: $0) }
        case .object(let handle):
            guard let hostObjects else { throw .internal("an OBJECT state has no host") }
            var result: UInt64 = 0
            let refused = withUnsafePointer(to: Optional(handle.pointer)) { hostObjects.hash($0, 1, &result) }
            guard refused < 0 else {
                throw MillstreamError(.key, "the value \(hostObjects.description(of: handle.pointer)) cannot be a key of a map state")
            }
            return result
        }
    }

    private func isEqual(_ left: StateValue, _ right: StateValue) throws(MillstreamError) -> Bool {
        switch (left, right) {
        case (.bool(let a), .bool(let b)): return a == b
        case (.int64(let a), .int64(let b)): return a == b
        case (.double(let a), .double(let b)): return StableHash.canonicalBits(a) == StableHash.canonicalBits(b)
        case (.bytes(let a), .bytes(let b)): return a == b
        case (.object(let a), .object(let b)):
            if a.pointer == b.pointer { return true }
            guard let hostObjects else { throw .internal("an OBJECT state has no host") }
            let answer = hostObjects.equal(a.pointer, b.pointer)
            guard answer >= 0 else { throw MillstreamError(.userFunction, "comparing two keys of a map state failed") }
            return answer != 0
        default: return false
        }
    }

    // MARK: Timers

    private func timers(_ domain: TimeDomain) -> TimerService { domain == .eventTime ? eventTimers : processingTimers }

    public func registerTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) {
        let slot = try slot(row)
        if timers(domain).register(slot: slot, at: milliseconds) { uses[slot] += 1 }
    }

    public func deleteTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) {
        let slot = try slot(row)
        if timers(domain).delete(slot: slot, at: milliseconds) { uses[slot] -= 1 }
    }

    /// Takes out due timers (`TimerService.takeDue`); their keys stay until the request that fires them ends.
    public func takeDue(_ domain: TimeDomain, upTo time: Int64) -> (slots: [Int32], times: [Int64]) {
        let due = timers(domain).takeDue(upTo: time)
        for slot in due.slots { uses[Int(slot)] -= 1 }
        return due
    }
}
