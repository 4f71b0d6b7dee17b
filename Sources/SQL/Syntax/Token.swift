/// A word, literal or sign of a statement.
public struct Token: Sendable {
    public enum Kind: Hashable, Sendable {
        /// A name or keyword without quotes; `text` is as written, `keyword` in upper case.
        case word
        /// A name in backticks; `text` is without them.
        case quoted
        /// Digits alone, or with a point.
        case number
        /// With an exponent.
        case approximate
        /// `text` is the value.
        case string
        /// X'..'; `text` is the digits.
        case hexadecimal
        case sign
        /// `/*+`, up to the sign `*/`.
        case hint
        case end
    }

    public var kind: Kind
    public var range: SourceRange
    public var text: String
    /// The upper case of a word without quotes, and the text of a sign; else empty.
    public var keyword: String
    /// Of a string: the character set that stood before it.
    public var characterSet: String?
}
