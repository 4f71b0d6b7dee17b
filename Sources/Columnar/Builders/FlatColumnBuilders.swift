/// Counts the values of a NULL column.
public final class NullColumnBuilder: ColumnBuilder {
    private var nulls = 0
    public override var count: Int { nulls }

    public override func appendNull() throws(MillstreamError) {
        _ = try grownCapacity(nulls, count: nulls, additional: 1)
        nulls += 1
    }

    public override func finish() -> Column {
        defer { nulls = 0 }
        return Column(type: type, count: nulls, values: nil)
    }
}

/// A `FixedWidthBuilder` behind the erased interface. Element is Int8...Int64, Int128, Float or Double.
public final class FixedColumnBuilder<Element: BitwiseCopyable>: ColumnBuilder {
    public var builder = FixedWidthBuilder<Element>()
    public override var count: Int { builder.count }

    public override func appendNull() throws(MillstreamError) { try builder.appendNull() }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        try builder.append(from: column, start, length)
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        var storage: Int128 = 0
        let fits = withUnsafeMutableBytes(of: &storage) { store(scalar, in: $0) }
        guard fits else { throw mismatch(scalar) }
        let value = withUnsafeBytes(of: &storage) { $0.loadUnaligned(as: Element.self) }
        try builder.append(value)
    }

    private func store(_ scalar: Scalar, in bytes: UnsafeMutableRawBufferPointer) -> Bool {
        switch (type.kind, scalar) {
        case (.float, .double(let value)): bytes.storeBytes(of: Float(value), as: Float.self)
        case (.double, .double(let value)): bytes.storeBytes(of: value, as: Double.self)
        case (.float, _), (.double, _): return false
        case (.decimal, .decimal(let value)): bytes.storeBytes(of: value, as: Int128.self)
        case (.decimal, _): return false
        case (_, .int64(let value)):
            let bits = 8 * MemoryLayout<Element>.size
            guard bits >= 64 || (value >= -(1 << (bits - 1)) && value < 1 << (bits - 1)) else { return false }
            bytes.storeBytes(of: value, as: Int64.self)
        default: return false
        }
        return true
    }

    public override func finish() -> Column { builder.finish(type: type) }
}

/// A `BooleanBuilder` behind the erased interface.
public final class BooleanColumnBuilder: ColumnBuilder {
    public var builder = BooleanBuilder()
    public override var count: Int { builder.count }

    public override func appendNull() throws(MillstreamError) { try builder.appendNull() }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        try builder.append(from: column, start, length)
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        guard case .boolean(let value) = scalar else { throw mismatch(scalar) }
        try builder.append(value)
    }

    public override func finish() -> Column { builder.finish(type: type) }
}

/// A `ViewBuilder` behind the erased interface.
public final class ViewColumnBuilder: ColumnBuilder {
    public var builder = ViewBuilder()
    public override var count: Int { builder.count }

    public override func appendNull() throws(MillstreamError) { try builder.appendNull() }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        if length == 1 {
            // One value at a time is how rows are gathered from many columns; a reader would cost more than it saves.
            if column.isNull(start) { try builder.appendNull() } else { try builder.append(column.bytes(start)) }
            return
        }
        let values = ViewReader(column)
        for index in start..<start + length {
            if column.isNull(index) { try builder.appendNull() } else { try builder.append(values[index]) }
        }
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        guard case .bytes(let value) = scalar else { throw mismatch(scalar) }
        var failure: MillstreamError?
        value.withUnsafeBytes { bytes in
            do throws(MillstreamError) { try builder.append(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    public override func finish() -> Column { builder.finish(type: type) }
}

/// A `HandleBuilder` behind the erased interface.
public final class HandleColumnBuilder: ColumnBuilder {
    public var builder: HandleBuilder
    public override var count: Int { builder.count }

    init(type: DataType, objects: HostObjects) {
        builder = HandleBuilder(objects: objects)
        super.init(type: type)
    }

    public override func appendNull() throws(MillstreamError) { try builder.appendNull() }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        try builder.append(from: column, start, length)
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        guard case .object(let value) = scalar else { throw mismatch(scalar) }
        withUnsafePointer(to: value.handle) { value.objects.retain($0, 1) }
        try builder.append(owned: value.handle)
    }

    public override func finish() -> Column { builder.finish(type: type) }
}
