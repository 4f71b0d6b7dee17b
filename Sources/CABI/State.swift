import CMillstream
import Columnar
import Dataflow
import Plan

/// Runs a call with a state; the fast way allocates nothing and takes no reference.
@inline(__always)
private func stateful(
    _ state: OpaquePointer?, _ error: UnsafeMutablePointer<OpaquePointer?>?,
    _ body: (HostCall, any HostStateAccess) throws(MillstreamError) -> Void
) -> millstream_status {
    guard let call = stateCall(state) else { return report(staleCall("state", state), into: error) }
    return call._withUnsafeGuaranteedRef { call in
        do throws(MillstreamError) {
            guard let access = call.state else { throw stateMissing() }
            try body(call, access)
            return MILLSTREAM_OK
        } catch let failure {
            return report(failure, into: error)
        }
    }
}

@inline(never)
private func stateMissing() -> MillstreamError { MillstreamError(.invalidState, "this call has no state") }

extension HostCall {
    /// Throws `invalidArgument` for a row that the request has not.
    @inline(__always)
    fileprivate func row(_ row: Int64) throws(MillstreamError) -> Int {
        guard UInt64(bitPattern: row) < UInt64(stateRowCount) else { throw rowOutside(row) }
        return Int(row)
    }

    /// The row of a state; operator state has none. Throws `invalidArgument` for a row that the request has not.
    @inline(__always)
    fileprivate func row(_ row: Int64, of index: Int32) throws(MillstreamError) -> Int {
        try kind(index).isOperatorState ? 0 : self.row(row)
    }

    @inline(never)
    private func rowOutside(_ row: Int64) -> MillstreamError {
        MillstreamError(.invalidArgument, "row \(row) is not one of the request's \(stateRowCount)")
    }

    /// The kind of a declared state. Throws `invalidArgument` for one that was not declared.
    @inline(__always)
    fileprivate func kind(_ index: Int32) throws(MillstreamError) -> StateDeclaration.Kind {
        guard index >= 0, Int(index) < stateKinds.count else { throw stateUnknown(index) }
        return stateKinds[Int(index)]
    }

    @inline(never)
    private func stateUnknown(_ index: Int32) -> MillstreamError {
        MillstreamError(.invalidArgument, "there is no state \(index); '\(definition.name)' declares \(site.states.count)")
    }

    fileprivate func requireList(_ index: Int32) throws(MillstreamError) {
        switch try kind(index) {
        case .list, .operatorList, .unionList: return
        case .value, .map, .reducing, .aggregating, .broadcast: throw kindMismatch(index, "list")
        }
    }

    fileprivate func requireMap(_ index: Int32) throws(MillstreamError) {
        guard try kind(index).isMap else { throw kindMismatch(index, "map") }
    }

    @inline(never)
    private func kindMismatch(_ index: Int32, _ wanted: String) -> MillstreamError {
        MillstreamError(.invalidArgument, "state '\(site.states[Int(index)].name)' is no \(wanted) state but a \(site.states[Int(index)].kind) state")
    }

    @inline(__always)
    fileprivate func requireValue(_ index: Int32) throws(MillstreamError) {
        switch try kind(index) {
        case .value, .reducing, .aggregating: return
        case .list, .map, .broadcast, .operatorList, .unionList: throw valueMissing(index)
        }
    }

    @inline(never)
    private func valueMissing(_ index: Int32) -> MillstreamError {
        MillstreamError(.invalidArgument, "state '\(site.states[Int(index)].name)' is a \(site.states[Int(index)].kind) state and has no single value")
    }
}

/// Writes a value that the engine lends.
@inline(__always)
private func write(_ value: StateValue?, _ target: UnsafeMutablePointer<millstream_value>?, _ lent: LentBytes) throws(MillstreamError) {
    guard let target else { throw MillstreamError(.invalidArgument, "value is NULL: there is no place for the result") }
    var result = millstream_value()
    switch value {
    case nil: result.kind = Int32(MILLSTREAM_VALUE_NULL.rawValue)
    case .bool(let flag):
        result.kind = Int32(MILLSTREAM_VALUE_BOOLEAN.rawValue)
        result.as.integer = flag ? 1 : 0
    case .int64(let number):
        result.kind = Int32(MILLSTREAM_VALUE_INT64.rawValue)
        result.as.integer = number
    case .double(let number):
        result.kind = Int32(MILLSTREAM_VALUE_DOUBLE.rawValue)
        result.as.number = number
    case .bytes(let bytes):
        result.kind = Int32(MILLSTREAM_VALUE_BYTES.rawValue)
        result.length = Int64(bytes.count)
        result.as.bytes = lent.lend(bytes)
    case .object(let handle):
        result.kind = Int32(MILLSTREAM_VALUE_OBJECT.rawValue)
        result.as.object = handle.pointer
    }
    target.pointee = result
}

/// Reads a value; nil for NULL values. A reference to an object stays where it is.
@inline(__always)
private func read(_ source: UnsafePointer<millstream_value>?, _ what: String) throws(MillstreamError) -> StateValue? {
    guard let source else { throw MillstreamError(.invalidArgument, "\(what) is NULL") }
    let value = source.pointee
    switch millstream_value_kind(rawValue: UInt32(bitPattern: value.kind)) {
    case MILLSTREAM_VALUE_NULL: return nil
    case MILLSTREAM_VALUE_BOOLEAN: return .bool(value.as.integer != 0)
    case MILLSTREAM_VALUE_INT64: return .int64(value.as.integer)
    case MILLSTREAM_VALUE_DOUBLE: return .double(value.as.number)
    case MILLSTREAM_VALUE_BYTES: return .bytes(Array(try readBytes(value)))
    case MILLSTREAM_VALUE_OBJECT:
        guard let object = value.as.object else { throw MillstreamError(.invalidArgument, "\(what) is a NULL object; give a value of kind NULL") }
        return .object(HostHandle(object))
    default: throw MillstreamError(.invalidArgument, "\(value.kind) is no millstream_value_kind")
    }
}

private func readKey(_ source: UnsafePointer<millstream_value>?) throws(MillstreamError) -> StateValue {
    guard let key = try read(source, "key") else { throw MillstreamError(.key, "a map state has no NULL keys") }
    return key
}

/// Gives back the references of values that a setter took over but could not hand on.
private func giveBack(_ values: UnsafePointer<millstream_value>?...) {
    guard let objects = Library.shared.hostObjects else { return }
    for value in values {
        guard let value, value.pointee.kind == Int32(MILLSTREAM_VALUE_OBJECT.rawValue), let object = value.pointee.as.object else { continue }
        withUnsafePointer(to: Optional(object)) { objects.release($0, 1) }
    }
}

/// Like `stateful`, for setters: `body` reports when it has handed the values on.
@inline(__always)
private func storing(
    _ state: OpaquePointer?, _ first: UnsafePointer<millstream_value>?, _ second: UnsafePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?,
    _ body: (HostCall, any HostStateAccess, inout Bool) throws(MillstreamError) -> Void
) -> millstream_status {
    var isHandedOn = false
    let status = stateful(state, error) { call, access throws(MillstreamError) in try body(call, access, &isHandedOn) }
    if !isHandedOn { giveBack(first, second) }
    return status
}

@c @implementation
public func millstream_state_get(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ value: UnsafeMutablePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try call.requireValue(index)
        try write(try access.value(Int(index), row: try call.row(row, of: index)), value, call.lent)
    }
}

@c @implementation
public func millstream_state_set(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ value: UnsafePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    storing(state, value, nil, error) { call, access, isHandedOn throws(MillstreamError) in
        try call.requireValue(index)
        let place = try call.row(row, of: index)
        let new = try read(value, "value")
        isHandedOn = true
        try access.setValue(Int(index), row: place, new)
    }
}

@c @implementation
public func millstream_state_clear(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        let place = try call.row(row, of: index)
        switch try call.kind(index) {
        case .value, .reducing, .aggregating: try access.setValue(Int(index), row: place, nil)
        case .list, .operatorList, .unionList: try access.listClear(Int(index), row: place)
        case .map, .broadcast: try access.mapClear(Int(index), row: place)
        }
    }
}

@c @implementation
public func millstream_state_count(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ count: UnsafeMutablePointer<Int64>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        let result = try place(count, "count")
        let place = try call.row(row, of: index)
        switch try call.kind(index) {
        case .list, .operatorList, .unionList: result.pointee = Int64(try access.listCount(Int(index), row: place))
        case .map, .broadcast: result.pointee = Int64(try access.mapCount(Int(index), row: place))
        case .value, .reducing, .aggregating: result.pointee = try access.value(Int(index), row: place) == nil ? 0 : 1
        }
    }
}

@c @implementation
public func millstream_state_list_get(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ position: Int64, _ value: UnsafeMutablePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try call.requireList(index)
        let place = try call.row(row, of: index)
        guard position >= 0, position < Int64(try access.listCount(Int(index), row: place)) else {
            throw MillstreamError(.invalidArgument, "the list has no element \(position)")
        }
        try write(try access.listElement(Int(index), row: place, index: Int(position)), value, call.lent)
    }
}

@c @implementation
public func millstream_state_list_add(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ value: UnsafePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    storing(state, value, nil, error) { call, access, isHandedOn throws(MillstreamError) in
        try call.requireList(index)
        let place = try call.row(row, of: index)
        guard let element = try read(value, "value") else { throw MillstreamError(.invalidArgument, "a list state has no NULL elements") }
        isHandedOn = true
        try access.listAppend(Int(index), row: place, element)
    }
}

@c @implementation
public func millstream_state_map_get(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ key: UnsafePointer<millstream_value>?,
    _ value: UnsafeMutablePointer<millstream_value>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try call.requireMap(index)
        try write(try access.mapValue(Int(index), row: try call.row(row, of: index), key: try readKey(key)), value, call.lent)
    }
}

@c @implementation
public func millstream_state_map_put(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ key: UnsafePointer<millstream_value>?, _ value: UnsafePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    storing(state, key, value, error) { call, access, isHandedOn throws(MillstreamError) in
        try call.requireMap(index)
        let place = try call.row(row, of: index)
        let name = try readKey(key)
        guard let new = try read(value, "value") else { throw MillstreamError(.invalidArgument, "a map state has no NULL values; remove the key") }
        isHandedOn = true
        try access.mapPut(Int(index), row: place, key: name, value: new)
    }
}

@c @implementation
public func millstream_state_map_remove(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ key: UnsafePointer<millstream_value>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try call.requireMap(index)
        try access.mapRemove(Int(index), row: try call.row(row, of: index), key: try readKey(key))
    }
}

@c @implementation
public func millstream_state_map_entry(
    _ state: OpaquePointer?, _ index: Int32, _ row: Int64, _ position: Int64, _ key: UnsafeMutablePointer<millstream_value>?,
    _ value: UnsafeMutablePointer<millstream_value>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try call.requireMap(index)
        let place = try call.row(row, of: index)
        guard position >= 0, position < Int64(Int32.max), let entry = try access.mapEntry(Int(index), row: place, index: Int(position)) else {
            throw MillstreamError(.invalidArgument, "the map has no entry \(position)")
        }
        try write(entry.key, key, call.lentKey)
        try write(entry.value, value, call.lent)
    }
}

@c @implementation
public func millstream_state_declare(
    _ state: OpaquePointer?, _ declaration: UnsafePointer<millstream_state_declaration>?, _ index: UnsafeMutablePointer<Int32>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        let number = try place(index, "index")
        guard let declaration else { throw MillstreamError(.invalidArgument, "declaration is NULL") }
        number.pointee = Int32(clamping: try call.declare(try readState(declaration.pointee), access))
    }
}

@c @implementation
public func millstream_state_select_keys(
    _ state: OpaquePointer?, _ index: Int32, _ first_row: UnsafeMutablePointer<Int64>?, _ count: UnsafeMutablePointer<Int64>?,
    _ keys: UnsafeMutablePointer<ArrowArray>?, _ key_schema: UnsafeMutablePointer<ArrowSchema>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        let first = try place(first_row, "first_row")
        let number = try place(count, "count")
        guard (keys == nil) == (key_schema == nil) else { throw MillstreamError(.invalidArgument, "keys and key_schema are given together") }
        guard try !call.kind(index).isOperatorState else {
            throw MillstreamError(.invalidArgument, "state '\(call.site.states[Int(index)].name)' is no keyed state, so it has no keys")
        }
        let selected = try access.selectKeys(Int(index))
        if let keys, let key_schema {
            keys.initialize(to: ArrowArray())
            key_schema.initialize(to: ArrowSchema())
            if selected.count > 0 {
                let schema = Schema(selected.keys.enumerated().map { Field("f\($0.offset)", $0.element.type) }, shape: .tuple)
                let options = ArrowExportOptions(usesViews: !call.definition.isCompatible)
                try exportArrowStruct(selected.keys, count: selected.count, into: keys, options: options)
                schema.exportArrow(into: key_schema, options: options)
            }
        }
        call.stateRowCount = selected.firstRow + selected.count
        first.pointee = Int64(selected.firstRow)
        number.pointee = Int64(selected.count)
    }
}

@c @implementation
public func millstream_timer_register(
    _ state: OpaquePointer?, _ row: Int64, _ domain: millstream_time_domain, _ milliseconds: Int64,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try access.registerTimer(row: try call.row(row), domain: try timeDomain(domain), at: milliseconds)
    }
}

@c @implementation
public func millstream_timer_delete(
    _ state: OpaquePointer?, _ row: Int64, _ domain: millstream_time_domain, _ milliseconds: Int64,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    stateful(state, error) { call, access throws(MillstreamError) in
        try access.deleteTimer(row: try call.row(row), domain: try timeDomain(domain), at: milliseconds)
    }
}

private func timeDomain(_ domain: millstream_time_domain) throws(MillstreamError) -> TimeDomain {
    guard let known = TimeDomain(rawValue: Int32(truncatingIfNeeded: domain.rawValue)) else {
        throw MillstreamError(.invalidArgument, "\(domain.rawValue) is no millstream_time_domain")
    }
    return known
}

@c @implementation
public func millstream_state_watermark(_ state: OpaquePointer?) -> Int64 {
    stateCall(state)?._withUnsafeGuaranteedRef { $0.state?.currentWatermark.milliseconds } ?? .min
}

@c @implementation
public func millstream_state_processing_time(_ state: OpaquePointer?) -> Int64 {
    stateCall(state)?._withUnsafeGuaranteedRef { $0.state?.currentProcessingTime.milliseconds } ?? .min
}
