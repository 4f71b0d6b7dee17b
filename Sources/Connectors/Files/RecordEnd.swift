/// Finds the end of a record that is too long to be decoded, piece by piece: nothing of it is kept but what the next byte's meaning hangs on.
struct RecordEnd {
    private enum State {
        case fieldStart, plain, quoted
        /// Behind a quote within quotes: the closing one, or the first of two.
        case quoteInQuotes
        case afterQuote
        case escaped, escapedInQuotes
    }

    private let delimiter: UInt8?
    private var quote: UInt8?
    private var escape: UInt8?
    private let endsAtReturn: Bool
    private var state: State
    private var previous: UInt8 = 0
    /// The record ended with a `\r`; a `\n` may belong to it.
    private var isBehindReturn = false
    /// Line ends within the record, its own included.
    private(set) var lineCount: Int64 = 0
    /// The bytes of its own line end.
    private(set) var lineEndByteCount: Int64 = 0

    /// Lines: of text, and of JSON with `endsAtReturn` false.
    init(endsAtReturn: Bool) {
        (delimiter, quote, escape) = (nil, nil, nil)
        self.endsAtReturn = endsAtReturn
        state = .plain
    }

    init(_ dialect: CSVDialect, firstByte: UInt8) {
        let isComment = dialect.comment == firstByte
        delimiter = dialect.delimiter
        quote = isComment ? nil : dialect.quote
        escape = isComment ? nil : dialect.escape
        endsAtReturn = true
        state = .fieldStart
    }

    /// The place behind the record, nil if it goes on behind `end`.
    mutating func find(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var index = start
        while index < end {
            let byte = bytes[index]
            if isBehindReturn {
                isBehindReturn = false
                lineEndByteCount = byte == 0x0A ? 2 : 1
                return byte == 0x0A ? index + 1 : index
            }
            index += 1
            let isReturn = endsAtReturn && byte == 0x0D
            if isReturn || (byte == 0x0A && !(endsAtReturn && previous == 0x0D)) { lineCount += 1 }
            let followsReturn = previous == 0x0D
            previous = byte
            switch state {
            case .escaped: state = .plain
            case .escapedInQuotes: state = .quoted
            case .quoted: if byte == escape { state = .escapedInQuotes } else if byte == quote { state = .quoteInQuotes }
            case .quoteInQuotes where byte == quote: state = .quoted
            case .fieldStart, .plain, .quoteInQuotes, .afterQuote:
                if byte == 0x0A {
                    lineEndByteCount = followsReturn ? 2 : 1
                    return index
                }
                if isReturn { isBehindReturn = true } else { state = next(byte) }
            }
        }
        return nil
    }

    private func next(_ byte: UInt8) -> State {
        if byte == delimiter { return .fieldStart }
        switch state {
        case .quoteInQuotes, .afterQuote: return .afterQuote
        case .fieldStart where byte == quote: return .quoted
        default: return byte == escape ? .escaped : .plain
        }
    }

    /// There are no more bytes.
    mutating func finish() { if isBehindReturn || (!endsAtReturn && previous == 0x0D) { lineEndByteCount = 1 } }
}
