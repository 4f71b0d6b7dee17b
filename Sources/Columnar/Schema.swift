/// The columns of a stream, and how a host language sees one element of it.
public struct Schema: Hashable, Sendable {
    /// What one element is to the host language.
    public enum Shape: UInt8, Hashable, Sendable {
        /// A bare value; the schema has one field.
        case scalar = 0
        /// A tuple of all fields.
        case tuple = 1
        /// A `Row` with named fields.
        case row = 2
    }

    public var fields: [Field]
    public var shape: Shape

    public init(_ fields: [Field], shape: Shape = .row) {
        self.fields = fields
        self.shape = shape
    }

    /// A stream of bare values.
    public static func scalar(_ type: DataType) -> Schema { Schema([Field("value", type)], shape: .scalar) }

    /// A stream of values of the host language.
    public static let object = Schema.scalar(.object)

    public var types: [DataType] { fields.map(\.type) }

    /// The position of the field called `name`.
    public func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
}
