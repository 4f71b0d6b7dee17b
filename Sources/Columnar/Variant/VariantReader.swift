/// One value of Parquet's Variant encoding: what a VARIANT column holds (the metadata, then the value), or a part of it.
///
/// Reads what comes from anywhere: every place is checked against the bytes, and what does not hold gives nil or `.malformed`. The bytes belong to the caller.
public struct VariantReader {
    public enum Kind: Sendable {
        case null, boolean, integer, float, double, decimal, string, binary, date, time, timestamp, timestampLTZ, uuid, array, object, malformed
    }

    /// The names of fields.
    public let metadata: UnsafeRawBufferPointer
    /// From the value's header on; what follows the value may be in it.
    public let value: UnsafeRawBufferPointer

    /// The value of a cell. nil where the metadata is none of version 1.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard let size = VariantMetadata(bytes)?.byteCount, size < bytes.count else { return nil }
        metadata = UnsafeRawBufferPointer(rebasing: bytes[..<size])
        value = UnsafeRawBufferPointer(rebasing: bytes[size...])
    }

    init(metadata: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        self.metadata = metadata
        self.value = value
    }

    private var basic: UInt8 { value[0] & 3 }
    private var header: UInt8 { value[0] >> 2 }

    public var kind: Kind {
        guard value.count > 0 else { return .malformed }
        switch basic {
        case 1: return .string
        case 2: return .object
        case 3: return .array
        default: break
        }
        switch header {
        case 0: return .null
        case 1, 2: return .boolean
        case 3...6: return .integer
        case 7: return .double
        case 8...10: return .decimal
        case 11: return .date
        case 12, 18: return .timestampLTZ
        case 13, 19: return .timestamp
        case 14: return .float
        case 15: return .binary
        case 16: return .string
        case 17: return .time
        case 20: return .uuid
        default: return .malformed
        }
    }

    // MARK: Scalars

    public var boolean: Bool? { kind == .boolean ? header == 1 : nil }

    /// Whole numbers; days of a date; microseconds of a time or timestamp, or nanoseconds where `isNanoseconds`.
    public var integer: Int64? {
        guard value.count > 0, basic == 0 else { return nil }
        switch header {
        case 3: return signed(1)
        case 4: return signed(2)
        case 5, 11: return signed(4)
        case 6, 12, 13, 17, 18, 19: return signed(8)
        default: return nil
        }
    }

    public var isNanoseconds: Bool { value.count > 0 && basic == 0 && (header == 18 || header == 19) }

    private func signed(_ byteCount: Int) -> Int64? {
        guard let bits = Self.unsigned(value, 1, byteCount) else { return nil }
        let shift = UInt64(64 - 8 * byteCount)
        return Int64(bitPattern: bits << shift) >> Int64(shift)
    }

    public var double: Double? { kind == .double ? Self.unsigned(value, 1, 8).map { Double(bitPattern: $0) } : nil }
    public var float: Float? { kind == .float ? Self.unsigned(value, 1, 4).map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) } : nil }

    /// The unscaled value and its scale, at most 38.
    public var decimal: (unscaled: Int128, scale: Int)? {
        guard kind == .decimal, value.count > 1, value[1] <= 38 else { return nil }
        let byteCount = header == 8 ? 4 : header == 9 ? 8 : 16
        guard let low = Self.unsigned(value, 2, min(byteCount, 8)) else { return nil }
        let unscaled: Int128
        if byteCount == 16 {
            guard let high = Self.unsigned(value, 10, 8) else { return nil }
            unscaled = Int128(Int64(bitPattern: high)) << 64 | Int128(low)
        } else {
            unscaled = byteCount == 8 ? Int128(Int64(bitPattern: low)) : Int128(Int32(truncatingIfNeeded: low))
        }
        return (unscaled, Int(value[1]))
    }

    /// The bytes of a string, of binary, or of a UUID.
    public var bytes: UnsafeRawBufferPointer? {
        switch kind {
        case .uuid: return Self.part(value, 1, 16)
        case .string where basic == 1: return Self.part(value, 1, Int(header))
        case .string, .binary: return Self.unsigned(value, 1, 4).flatMap { Self.part(value, 5, Int($0)) }
        default: return nil
        }
    }

    // MARK: Arrays and objects

    /// Where the parts of a container are.
    private struct Parts {
        var count = 0
        var ids = 0
        var idSize = 0
        var offsets = 0
        var offsetSize = 0
        var data = 0
    }

    private var parts: Parts? {
        guard kind == .array || kind == .object else { return nil }
        let isObject = kind == .object
        let isLarge = header >> (isObject ? 4 : 2) & 1 != 0
        var parts = Parts()
        guard let count = Self.unsigned(value, 1, isLarge ? 4 : 1) else { return nil }
        parts.count = Int(count)
        parts.offsetSize = Int(header & 3) + 1
        parts.idSize = isObject ? Int(header >> 2 & 3) + 1 : 0
        parts.ids = 1 + (isLarge ? 4 : 1)
        parts.offsets = parts.ids + parts.count * parts.idSize
        parts.data = parts.offsets + (parts.count + 1) * parts.offsetSize
        return parts.data <= value.count ? parts : nil
    }

    /// How many elements or fields there are; nil for what is no container.
    public var count: Int? { parts?.count }

    /// An element of an array, or a field's value by its place.
    public func element(_ index: Int) -> VariantReader? {
        guard let parts, index >= 0, index < parts.count else { return nil }
        return element(parts, index)
    }

    private func element(_ parts: Parts, _ index: Int) -> VariantReader? {
        guard let offset = Self.unsigned(value, parts.offsets + index * parts.offsetSize, parts.offsetSize) else { return nil }
        let start = parts.data + Int(offset)
        guard start < value.count else { return nil }
        return VariantReader(metadata: metadata, value: UnsafeRawBufferPointer(rebasing: value[start...]))
    }

    /// A field's name by its place.
    public func name(_ index: Int) -> UnsafeRawBufferPointer? {
        guard kind == .object, let parts, index >= 0, index < parts.count else { return nil }
        return Self.unsigned(value, parts.ids + index * parts.idSize, parts.idSize).flatMap { VariantMetadata(metadata)?.name(Int($0)) }
    }

    /// The value of a field. Fields are in the order of their names.
    public func field(_ name: UnsafeRawBufferPointer) -> VariantReader? {
        guard kind == .object, let parts, let names = VariantMetadata(metadata) else { return nil }
        var (low, high) = (0, parts.count)
        while low < high {
            let middle = (low + high) / 2
            guard let id = Self.unsigned(value, parts.ids + middle * parts.idSize, parts.idSize), let other = names.name(Int(id)) else { return nil }
            if other.lexicographicallyPrecedes(name) {
                low = middle + 1
            } else if name.lexicographicallyPrecedes(other) {
                high = middle
            } else {
                return element(parts, middle)
            }
        }
        return nil
    }

    /// How many bytes the value takes; nil where it is damaged.
    public var byteCount: Int? {
        guard value.count > 0 else { return nil }
        let count: Int
        switch kind {
        case .malformed: return nil
        case .null, .boolean: count = 1
        case .array, .object:
            guard let parts, let end = Self.unsigned(value, parts.offsets + parts.count * parts.offsetSize, parts.offsetSize) else { return nil }
            count = parts.data + Int(end)
        case .string, .binary:
            guard let bytes else { return nil }
            count = (basic == 1 ? 1 : 5) + bytes.count
        case .decimal: count = 2 + (header == 8 ? 4 : header == 9 ? 8 : 16)
        case .uuid: count = 17
        case .float, .date: count = 5
        case .integer: count = 1 + [1, 2, 4, 8][Int(header) - 3]
        case .double, .time, .timestamp, .timestampLTZ: count = 9
        }
        return count <= value.count ? count : nil
    }

    // MARK: Bytes

    @inline(__always)
    static func unsigned(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ byteCount: Int) -> UInt64? {
        guard place >= 0, byteCount <= bytes.count, place <= bytes.count - byteCount else { return nil }
        var result: UInt64 = 0
        for index in 0..<byteCount { result |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        return result
    }

    static func part(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ byteCount: Int) -> UnsafeRawBufferPointer? {
        guard place >= 0, byteCount >= 0, byteCount <= bytes.count, place <= bytes.count - byteCount else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<place + byteCount])
    }
}

/// The dictionary of names before a value.
struct VariantMetadata {
    private let bytes: UnsafeRawBufferPointer
    private let offsetSize: Int
    private let count: Int
    let byteCount: Int

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 3, bytes[0] & 0x0F == 1 else { return nil }
        self.bytes = bytes
        offsetSize = Int(bytes[0] >> 6) + 1
        guard let count = VariantReader.unsigned(bytes, 1, offsetSize) else { return nil }
        self.count = Int(count)
        let strings = 1 + offsetSize + (self.count + 1) * offsetSize
        guard strings <= bytes.count, let end = VariantReader.unsigned(bytes, strings - offsetSize, offsetSize), Int(end) <= bytes.count - strings else { return nil }
        byteCount = strings + Int(end)
    }

    func name(_ id: Int) -> UnsafeRawBufferPointer? {
        guard id >= 0, id < count else { return nil }
        let offsets = 1 + offsetSize
        guard let start = VariantReader.unsigned(bytes, offsets + id * offsetSize, offsetSize),
            let end = VariantReader.unsigned(bytes, offsets + (id + 1) * offsetSize, offsetSize), start <= end
        else { return nil }
        return VariantReader.part(bytes, offsets + (count + 1) * offsetSize + Int(start), Int(end - start))
    }
}
