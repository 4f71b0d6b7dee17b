import CMillstream

extension ArrowArrayReader {
    /// Numbers that no type of ours has in that form.
    func converted(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        switch node.format {
        case .unsigned(1): return try converting(array, node, window, UInt8.self) { Int16($0) }
        case .unsigned(2): return try converting(array, node, window, UInt16.self) { Int32($0) }
        case .unsigned(4): return try converting(array, node, window, UInt32.self) { Int64($0) }
        case .unsigned: return try converting(array, node, window, UInt64.self) { Int128($0) }
        case .half: return try converting(array, node, window, UInt16.self) { Float(Float16(bitPattern: $0)) }
        case .decimal(4): return try converting(array, node, window, Int32.self) { Int128($0) }
        case .decimal(8): return try converting(array, node, window, Int64.self) { Int128($0) }
        case .decimal: return try narrowed(array, node, window)
        case .dayTimeInterval:
            return try converting(array, node, window, SIMD2<Int32>.self) { Int64($0[0]) &* 86_400_000 &+ Int64($0[1]) }
        default: throw MillstreamError.internal("\(node.format) needs no conversion")
        }
    }

    @inline(__always)
    private func converting<Source: BitwiseCopyable, Target: BitwiseCopyable>(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, _ source: Source.Type, _ convert: (Source) -> Target
    ) throws(MillstreamError) -> Column {
        let width = MemoryLayout<Source>.stride
        let values = try aligned(try buffer(array, 1, byteCount: width * window.end, node), to: width)
        let from = UnsafePointer(values.pointer(as: Source.self)) + window.offset
        let result = try Buffer(checking: MemoryLayout<Target>.stride * window.count)
        let target = result.pointer(as: Target.self)
        for index in 0..<window.count { target[index] = convert(from[index]) }
        return Column(type: node.type, count: window.count, validity: window.validityFromZero(), values: result)
    }

    /// Decimals of 256 bits, of which those up to 38 digits are taken.
    private func narrowed(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        let values = try buffer(array, 1, byteCount: 32 * window.end, node)
        let result = try Buffer(checking: 16 * window.count)
        let target = result.pointer(as: Int128.self)
        for index in 0..<window.count {
            let place = 32 * (window.offset + index)
            let low = values.base.loadUnaligned(fromByteOffset: place, as: UInt128.self)
            let high = values.base.loadUnaligned(fromByteOffset: place + 16, as: Int128.self)
            let value = Int128(bitPattern: low)
            target[index] = value
            if window.isNull(index) { continue }
            guard high == (value < 0 ? -1 : 0), value.magnitude < ArrowArrayReader.decimalBound else {
                throw node.error("value \(index) has more than 38 digits; DECIMAL holds 38", .unsupported)
            }
        }
        return Column(type: node.type, count: window.count, validity: window.validityFromZero(), values: result)
    }

    /// 10^38.
    private static let decimalBound: UInt128 = (0..<38).reduce(1) { power, _ in power * 10 }
}
