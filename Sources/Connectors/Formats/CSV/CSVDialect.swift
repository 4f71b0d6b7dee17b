import Columnar
import Plan

/// The bytes that mean something in a CSV file, checked.
struct CSVDialect {
    let delimiter: UInt8
    let quote: UInt8?
    let escape: UInt8?
    let comment: UInt8?
    let nullLiteral: [UInt8]?
    var allowsMissingFields: Bool
    var allowsExtraFields: Bool
    let allowsTrailingDelimiter: Bool
    let hasHeader: Bool
    let trimsSpaces: Bool
    let emptyTextIsNull: Bool
    /// Whether fields are put into quotes by Flink's rules rather than only where they must be.
    let quotesAsFlink: Bool

    /// Throws `configuration` if two of the bytes are the same, or one is a line end.
    init(_ options: CSVOptions) throws(MillstreamError) {
        delimiter = options.delimiter
        quote = options.quote
        escape = options.escape
        comment = options.comment
        nullLiteral = options.nullLiteral.map { Array($0.utf8) }
        allowsMissingFields = options.allowsRaggedRows || options.allowsMissingFields
        allowsExtraFields = options.allowsRaggedRows || options.allowsExtraFields
        allowsTrailingDelimiter = options.allowsTrailingDelimiter
        trimsSpaces = options.trimsSpaces
        emptyTextIsNull = options.emptyTextIsNull
        quotesAsFlink = options.followsFlink
        hasHeader = options.hasHeader
        let named: [(String, UInt8?)] = [("delimiter", delimiter), ("quote", quote), ("escape", escape), ("comment", comment)]
        for (place, (name, byte)) in named.enumerated() {
            guard let byte else { continue }
            guard byte != 0x0A, byte != 0x0D, byte < 0x80 else {
                throw MillstreamError(.configuration, "the CSV \(name) must be an ASCII character that is no line end")
            }
            for (other, second) in named[..<place] where second == byte {
                throw MillstreamError(.configuration, "the CSV \(name) and the CSV \(other) are the same character")
            }
        }
    }

    /// The bytes that the structural index lists.
    var structuralBytes: [UInt8] { [delimiter, 0x0A, 0x0D] + (quote.map { [$0] } ?? []) + (escape.map { [$0] } ?? []) }
}
