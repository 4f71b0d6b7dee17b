import Columnar
import Dataflow

/// Values of a state as columns of a snapshot, and back.
///
/// A column has the type that the state was declared with, where cells of that type are numbers, text or bytes. What a host keeps as objects of its own
/// whatever the declaration says (lists, maps, rows, decimals) has the type OBJECT. FLOAT is kept in 64 bits, as it is in the job.
enum StateColumns {
    /// The type of a declared type's column.
    static func stored(_ declared: DataType) -> DataType {
        if declared.kind == .float { return DataType.double.notNull }
        switch declared.layout {
        case .bits, .views: return declared.notNull
        case .fixed(let byteWidth): return byteWidth <= 8 ? declared.notNull : DataType.object.notNull
        case .null, .list, .row, .handles: return DataType.object.notNull
        }
    }

    /// A column of `count` values, none of which is missing. Handles are retained. Throws `typeMismatch` for a value of another kind than its type's.
    @inline(__always)
    static func column(
        _ count: Int, type declared: DataType, state: String, hostObjects: HostObjects?, _ value: (Int) -> StateValue?
    ) throws(MillstreamError) -> Column {
        let type = stored(declared)
        switch (type.layout, type.kind) {
        case (.bits, _):
            let bits = Buffer.zeroed(byteCount: Bits.byteCount(count))
            for row in 0..<count {
                guard case .bool(let flag) = value(row) else { throw mismatch(state, declared) }
                if flag { Bits.set(bits.base, row) }
            }
            return Column(type: type, count: count, values: bits)
        case (.fixed, .double):
            let values = Buffer(byteCount: 8 * count)
            let target = values.pointer(as: Double.self)
            for row in 0..<count {
                guard case .double(let number) = value(row) else { throw mismatch(state, declared) }
                target[row] = number
            }
            return Column(type: type, count: count, values: values)
        case (.fixed(byteWidth: 1), _): return try integers(Int8.self, count, type, state, value)
        case (.fixed(byteWidth: 2), _): return try integers(Int16.self, count, type, state, value)
        case (.fixed(byteWidth: 4), _): return try integers(Int32.self, count, type, state, value)
        case (.fixed, _): return try integers(Int64.self, count, type, state, value)
        case (.views, _):
            var builder = ViewBuilder()
            for row in 0..<count {
                guard case .bytes(let bytes) = value(row) else { throw mismatch(state, declared) }
                if type.isText, !bytes.withUnsafeBytes({ UTF8Validation.isValid($0) }) {
                    throw MillstreamError(.typeMismatch, "a value of the state '\(state)', which is of type \(declared), is no UTF-8")
                }
                var failure: MillstreamError?
                bytes.withUnsafeBytes { source in do throws(MillstreamError) { try builder.append(source) } catch { failure = error } }
                if let failure { throw failure }
            }
            return builder.finish(type: type)
        default: return try objects(count, type, state, declared, hostObjects, value)
        }
    }

    @inline(__always)
    private static func integers<Number: FixedWidthInteger & BitwiseCopyable>(
        _ number: Number.Type, _ count: Int, _ type: DataType, _ state: String, _ value: (Int) -> StateValue?
    ) throws(MillstreamError) -> Column {
        let values = Buffer(byteCount: MemoryLayout<Number>.stride * count)
        let target = values.pointer(as: Number.self)
        for row in 0..<count {
            guard case .int64(let integer) = value(row), let narrow = Number(exactly: integer) else { throw mismatch(state, type) }
            target[row] = narrow
        }
        return Column(type: type, count: count, values: values)
    }

    private static func objects(
        _ count: Int, _ type: DataType, _ state: String, _ declared: DataType, _ hostObjects: HostObjects?, _ value: (Int) -> StateValue?
    ) throws(MillstreamError) -> Column {
        guard let hostObjects else { throw mismatch(state, declared) }
        let buffer = Buffer(byteCount: 8 * count)
        let handles = buffer.pointer(as: HostObjects.Handle?.self)
        for row in 0..<count {
            guard case .object(let handle) = value(row) else { throw mismatch(state, declared) }
            handles[row] = handle.pointer
        }
        hostObjects.retain(handles, count)
        let owner = HandleOwner(objects: hostObjects, buffer: buffer, count: count)
        return Column(
            type: type, count: count, values: Buffer(unowned: buffer.base, byteCount: 8 * count, owner: owner), hostObjects: hostObjects)
    }

    @inline(never)
    private static func mismatch(_ state: String, _ type: DataType) -> MillstreamError {
        MillstreamError(
            .typeMismatch, "the state '\(state)' is declared with the type \(type), and holds a value of another kind",
            hint: "Set values as the declared type crosses the border: numbers and bytes for simple types, objects for OBJECT and what is nested.")
    }

    /// The values of a column that was read, for a state of the type `declared`. The caller owns a reference to each handle. Throws `decode` for a column of
    /// another type: only integers may have become wider.
    static func values(_ column: Column, declared: DataType, state: String) throws(MillstreamError) -> [StateValue] {
        let type = stored(declared)
        if let reason = TypeEvolution.refusal(from: column.type.notNull, to: type) {
            throw MillstreamError(
                .decode, "the state '\(state)' is of type \(column.type.nullable) in the checkpoint, and of type \(type.nullable) in the job: \(reason)",
                hint: "Give the state its former type, or another name.", domain: .external)
        }
        guard column.nullCount == 0 else {
            throw MillstreamError(.decode, "the state '\(state)' has a null in the checkpoint, where no null can be", domain: .external)
        }
        let column = column.type.nullable == type.nullable ? column : try TypeEvolution.convert(column, to: type)
        var result: [StateValue] = []
        result.reserveCapacity(column.count)
        switch (column.type.layout, column.type.kind) {
        case (.bits, _): for row in 0..<column.count { result.append(.bool(column.bit(row))) }
        case (.fixed, .double): for row in 0..<column.count { result.append(.double(column.pointer(as: Double.self)[row])) }
        case (.fixed(byteWidth: 1), _): append(column, Int8.self, &result)
        case (.fixed(byteWidth: 2), _): append(column, Int16.self, &result)
        case (.fixed(byteWidth: 4), _): append(column, Int32.self, &result)
        case (.fixed, _): append(column, Int64.self, &result)
        case (.views, _): for row in 0..<column.count { result.append(.bytes(Array(column.bytes(row)))) }
        default:
            let handles = column.pointer(as: HostObjects.Handle?.self)
            for row in 0..<column.count {
                guard let handle = handles[row] else { throw .internal("the state '\(state)' has a handle that is nil") }
                result.append(.object(HostHandle(handle)))
            }
            column.hostObjects?.retain(handles, column.count)
        }
        withExtendedLifetime(column) {}
        return result
    }

    private static func append<Number: FixedWidthInteger & BitwiseCopyable>(_ column: Column, _ number: Number.Type, _ result: inout [StateValue]) {
        let values = column.pointer(as: Number.self)
        for row in 0..<column.count { result.append(.int64(Int64(values[row]))) }
    }
}
