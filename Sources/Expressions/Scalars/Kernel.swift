import Columnar
import Plan

/// What a function computes for the rows of a batch, column at a time.
///
/// Arguments are dense columns of `count` rows, or constants (one value for all rows). A kernel gives `count` rows, or a constant where all its arguments are constants and
/// it is deterministic. It reads no value behind a null. `prepare` makes one when an expression is compiled, so that constant arguments (a pattern, a unit, a format) are
/// looked at once.
typealias Kernel = (_ arguments: [Operand], _ count: Int, _ context: EvaluationContext) throws(MillstreamError) -> Operand

/// A call as a group of functions sees it before any row is there.
struct KernelRequest {
    let function: ScalarFunction
    /// The arguments' types.
    let arguments: [DataType]
    /// The values of the arguments that are constants.
    let constants: [Scalar?]
    /// The type of the result.
    let type: DataType
    /// Which function an argument is itself a call of: JSON_OBJECT and JSON_ARRAY take over as JSON what JSON functions give, and quote all other text.
    let functions: [ScalarFunction?]

    /// The text of a constant argument; nil where it is no constant, NULL or no text.
    func text(_ index: Int) -> String? {
        guard index < constants.count, case .bytes(let bytes)? = constants[index] else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What functions may ask of the world.
public struct EvaluationContext: Sendable {
    /// The name of the session's time zone, e.g. `Europe/Berlin` or `UTC`.
    public var timeZone: String
    /// Milliseconds since the epoch, as functions of the present time see it: of the query in batch mode, of the batch of rows in streaming mode.
    public var now: Int64
    /// The current watermark in milliseconds; nil before the first.
    public var watermark: Int64?
    /// The catalog's current database.
    public var database: String
    /// Draws of RAND and UUID without a seed: the next 64 random bits.
    public var random: @Sendable () -> UInt64

    public init(timeZone: String = "UTC", now: Int64 = 0, watermark: Int64? = nil, database: String = "default_database", random: @escaping @Sendable () -> UInt64 = { 0 }) {
        self.timeZone = timeZone
        self.now = now
        self.watermark = watermark
        self.database = database
        self.random = random
    }
}

/// The functions by group. A group gives nil for a function that is another's.
enum Kernels {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        if let kernel = try LogicFunctions.prepare(request) { return kernel }
        if let kernel = try ComparisonFunctions.prepare(request) { return kernel }
        if let kernel = try ArithmeticFunctions.prepare(request) { return kernel }
        if let kernel = try ChoiceFunctions.prepare(request) { return kernel }
        if let kernel = try MathFunctions.prepare(request) { return kernel }
        if let kernel = try MathRounding.prepare(request) { return kernel }
        if let kernel = try MathRandom.prepare(request) { return kernel }
        if let kernel = try MathText.prepare(request) { return kernel }
        if let kernel = try ChoiceOfCharacters.prepare(request) { return kernel }
        if let kernel = try TimeFunctions.prepare(request) { return kernel }
        if let kernel = try TextFunctions.prepare(request) { return kernel }
        if let kernel = try RegexFunctions.prepare(request) { return kernel }
        if let kernel = try EncodingFunctions.prepare(request) { return kernel }
        if let kernel = try DigestFunctions.prepare(request) { return kernel }
        if let kernel = try JSONFunctions.prepare(request) { return kernel }
        if let kernel = try VariantFunctions.prepare(request) { return kernel }
        if let kernel = try CollectionElements.prepare(request) { return kernel }
        if let kernel = try CollectionArrays.prepare(request) { return kernel }
        if let kernel = try CollectionConstructors.prepare(request) { return kernel }
        if let kernel = try MapFunctions.prepare(request) { return kernel }
        if let kernel = try BitmapFunctions.prepare(request) { return kernel }
        if let kernel = try SessionFunctions.prepare(request) { return kernel }
        throw MillstreamError(.unsupported, "\(request.function.rawValue) of (\(request.arguments.map(\.description).joined(separator: ", "))) is not built")
    }
}
