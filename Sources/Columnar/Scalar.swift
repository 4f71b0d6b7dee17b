/// One value outside a column: a literal, a constant, a cell in a test. Never used per row on a hot path.
///
/// The case follows the layout, not the logical type: DATE, TIME, TIMESTAMP, intervals and all integers are `.int64`, FLOAT and DOUBLE are `.double`.
public indirect enum Scalar: Hashable, Sendable {
    case null
    case boolean(Bool)
    case int64(Int64)
    case double(Double)
    /// The unscaled value.
    case decimal(Int128)
    /// The UTF-8 of text, or bytes.
    case bytes([UInt8])
    case list([Scalar])
    /// Entries in order; keys and values have the same count. A MULTISET's values are its counts.
    case map(keys: [Scalar], values: [Scalar])
    case row([Scalar])
    case object(ObjectScalar)

    /// A text's bytes.
    public static func string(_ text: String) -> Scalar { .bytes(Array(text.utf8)) }
}

/// One value of the host language, with what keeps it alive.
public struct ObjectScalar: Hashable, CustomStringConvertible, @unchecked Sendable {
    public let handle: HostObjects.Handle?
    public let objects: HostObjects
    private let keeper: AnyObject

    /// A handle that lives as long as `keeper`.
    public init(handle: HostObjects.Handle?, objects: HostObjects, keeper: AnyObject) {
        self.handle = handle
        self.objects = objects
        self.keeper = keeper
    }

    /// The host's description of the value.
    public var description: String { objects.description(of: handle) }

    public static func == (left: ObjectScalar, right: ObjectScalar) -> Bool { left.handle == right.handle }
    public func hash(into hasher: inout Hasher) { hasher.combine(handle) }
}

extension Column {
    /// The value at a place, boxed; for messages, literals and tests.
    public func scalar(at index: Int) -> Scalar {
        if isNull(index) { return .null }
        switch type.layout {
        case .null: return .null
        case .bits: return .boolean(bit(index))
        case .fixed(let byteWidth): return fixedScalar(at: index, byteWidth: byteWidth)
        case .views: return .bytes(Array(bytes(index)))
        case .handles:
            guard let hostObjects, let values else { return .null }
            return .object(
                ObjectScalar(handle: pointer(as: HostObjects.Handle?.self)[index], objects: hostObjects, keeper: values.keeper))
        case .row: return .row(children.map { $0.scalar(at: offset + index) })
        case .list:
            let elements = children[0]
            if case .array = type.kind { return .list(listRange(index).map { elements.scalar(at: $0) }) }
            let entries = listRange(index).filter { !elements.isNull($0) }.map { elements.offset + $0 }
            return .map(
                keys: entries.map { elements.children[0].scalar(at: $0) }, values: entries.map { elements.children[1].scalar(at: $0) })
        }
    }

    private func fixedScalar(at index: Int, byteWidth: Int) -> Scalar {
        switch type.kind {
        case .float: .double(Double(pointer(as: Float.self)[index]))
        case .double: .double(pointer(as: Double.self)[index])
        case .decimal: .decimal(pointer(as: Int128.self)[index])
        default:
            switch byteWidth {
            case 1: .int64(Int64(pointer(as: Int8.self)[index]))
            case 2: .int64(Int64(pointer(as: Int16.self)[index]))
            case 4: .int64(Int64(pointer(as: Int32.self)[index]))
            default: .int64(pointer(as: Int64.self)[index])
            }
        }
    }
}
