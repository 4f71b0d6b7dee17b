import Columnar

/// How a row of flat values lies in memory: words of flags, then one field per column. Bit 0 of the first word says that there is a row; the next bits, one
/// per field, that its value is not null.
struct RecordLayout {
    enum Storage: Equatable {
        /// One byte a value.
        case bits
        case fixed(byteWidth: Int)
        /// `OwnedBytes`; no bytes where null.
        case bytes
        /// The bits of a handle; 0 where null.
        case handles
    }

    struct Field {
        /// The position of the column.
        let column: Int
        let storage: Storage
        let byteOffset: Int
        /// The flag that says that the value is there: byte offset of its word, and bit.
        let flagByteOffset: Int
        let flag: UInt64
    }

    private(set) var fields: [Field] = []
    /// Positions of columns that have no place in a record: nested ones and those of type NULL.
    private(set) var others: [Int] = []
    let flagWordCount: Int
    /// Bytes from one record to the next; a multiple of 8.
    let stride: Int

    static let isPresent: UInt64 = 1

    init(_ types: [DataType]) {
        var flat: [(column: Int, storage: Storage, byteWidth: Int)] = []
        for (position, type) in types.enumerated() {
            switch type.layout {
            case .bits: flat.append((position, .bits, 1))
            case .fixed(let byteWidth): flat.append((position, .fixed(byteWidth: byteWidth), byteWidth))
            case .views: flat.append((position, .bytes, 16))
            case .handles: flat.append((position, .handles, 8))
            case .null, .list, .row: others.append(position)
            }
        }
        flagWordCount = (flat.count + 1 + 63) / 64
        var end = 8 * flagWordCount
        for (number, field) in flat.enumerated() {
            let alignment = min(8, field.byteWidth)
            end = (end + alignment - 1) / alignment * alignment
            fields.append(
                Field(
                    column: field.column, storage: field.storage, byteOffset: end, flagByteOffset: (number + 1) / 64 * 8,
                    flag: 1 &<< UInt64((number + 1) % 64)))
            end += field.byteWidth
        }
        stride = (end + 7) / 8 * 8
    }

    /// Whether records own memory or references that must be given back.
    var ownsValues: Bool { fields.contains { $0.storage == .bytes || $0.storage == .handles } }
}

/// Writes values into one field of records; `base` is the field's address in record 0.
@inline(__always)
func writeField<Value: BitwiseCopyable>(
    _ values: UnsafePointer<Value>, _ slots: UnsafePointer<Int32>, _ count: Int, to base: UnsafeMutableRawPointer, stride: Int
) {
    for row in 0..<count { (base + Int(slots[row]) &* stride).storeBytes(of: values[row], as: Value.self) }
}

/// Reads one field of records.
@inline(__always)
func readField<Value: BitwiseCopyable>(
    _ slots: UnsafePointer<Int32>, _ count: Int, from base: UnsafeRawPointer, stride: Int, into values: UnsafeMutablePointer<Value>
) {
    for row in 0..<count { values[row] = (base + Int(slots[row]) &* stride).loadUnaligned(as: Value.self) }
}

/// Like `writeField` for a width that is known at run time.
func writeFixed(
    _ byteWidth: Int, _ column: Column, _ slots: UnsafePointer<Int32>, _ count: Int, to base: UnsafeMutableRawPointer, stride: Int
) {
    switch byteWidth {
    case 1: writeField(column.pointer(as: UInt8.self), slots, count, to: base, stride: stride)
    case 2: writeField(column.pointer(as: UInt16.self), slots, count, to: base, stride: stride)
    case 4: writeField(column.pointer(as: UInt32.self), slots, count, to: base, stride: stride)
    case 8: writeField(column.pointer(as: UInt64.self), slots, count, to: base, stride: stride)
    default: writeField(column.pointer(as: SIMD2<UInt64>.self), slots, count, to: base, stride: stride)
    }
}

/// Like `readField` for a width that is known at run time.
func readFixed(
    _ byteWidth: Int, _ slots: UnsafePointer<Int32>, _ count: Int, from base: UnsafeRawPointer, stride: Int
) -> Buffer {
    let result = Buffer(byteCount: byteWidth * count)
    switch byteWidth {
    case 1: readField(slots, count, from: base, stride: stride, into: result.pointer(as: UInt8.self))
    case 2: readField(slots, count, from: base, stride: stride, into: result.pointer(as: UInt16.self))
    case 4: readField(slots, count, from: base, stride: stride, into: result.pointer(as: UInt32.self))
    case 8: readField(slots, count, from: base, stride: stride, into: result.pointer(as: UInt64.self))
    default: readField(slots, count, from: base, stride: stride, into: result.pointer(as: SIMD2<UInt64>.self))
    }
    return result
}
