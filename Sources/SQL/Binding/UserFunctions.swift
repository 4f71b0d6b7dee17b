import Columnar
import Plan

/// A function that is not built in: of the host program or of a library.
public struct UserFunction: Sendable {
    public enum Kind: String, Sendable { case scalar = "scalar", table = "table", aggregate = "aggregate", tableAggregate = "table aggregate" }

    /// One way to call it. Arguments are cast to the parameters' types as Flink casts implicitly.
    public struct Signature: Sendable {
        public struct Parameter: Sendable {
            /// For calls with `name => value`.
            public var name: String?
            /// nil: a value of any type, as it comes.
            public var type: DataType?
            /// May be left out; NULL is given then.
            public var isOptional: Bool

            public init(_ type: DataType?, name: String? = nil, isOptional: Bool = false) {
                self.name = name
                self.type = type
                self.isOptional = isOptional
            }
        }

        /// nil: any arguments, as they come.
        public var parameters: [Parameter]?
        /// Whether the last parameter may be repeated, or left out.
        public var isVariadic: Bool
        /// Of a scalar function the value, of an aggregate the result, of a table function a ROW (or one column's type).
        public var result: DataType

        public init(_ parameters: [Parameter]?, isVariadic: Bool = false, result: DataType) {
            self.parameters = parameters
            self.isVariadic = isVariadic
            self.result = result
        }
    }

    /// As messages call it.
    public var name: String
    public var kind: Kind
    public var binding: BindingID
    public var signatures: [Signature]
    /// Whether equal arguments give equal results.
    public var isDeterministic: Bool

    public init(_ name: String, _ kind: Kind, _ binding: BindingID, _ signatures: [Signature], isDeterministic: Bool = true) {
        self.name = name
        self.kind = kind
        self.binding = binding
        self.signatures = signatures
        self.isDeterministic = isDeterministic
    }
}

/// Where functions come from that are not built in. Temporary system functions are asked for before the built-in ones, all others behind them.
public protocol UserFunctions {
    /// The function of that name, with one to three parts; nil if there is none. `beforeBuiltIn`: temporary system functions alone.
    func function(_ name: [String], beforeBuiltIn: Bool) throws(MillstreamError) -> UserFunction?
    /// All names, for a proposal where one is wrong.
    var names: [String] { get }
}

/// No functions beyond the built-in ones.
public struct NoUserFunctions: UserFunctions {
    public init() {}
    public func function(_ name: [String], beforeBuiltIn: Bool) throws(MillstreamError) -> UserFunction? { nil }
    public var names: [String] { [] }
}
