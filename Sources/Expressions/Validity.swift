import Columnar

/// Bitmaps of operands, word by word.
enum Validity {
    /// Which rows have a value in all operands; nil means all rows. Constants that are null must have been dealt with.
    static func ofAll(_ operands: [Operand], count: Int) -> Buffer? {
        var result: Buffer?
        for operand in operands where !operand.isConstant && operand.column.mayHaveNulls {
            guard let validity = operand.column.validity else { return Buffer.zeroed(byteCount: wordByteCount(count)) }
            let offset = operand.column.offset
            if let result {
                combine(result, count) { word, start, length in word & Bits.word(validity.base, offset &+ start, count: length) }
            } else {
                result = copied(validity, offset, count)
            }
        }
        return result
    }

    /// The bits from `offset` on, moved to the start of a buffer of whole words.
    static func copied(_ source: Buffer, _ offset: Int, _ count: Int) -> Buffer {
        let buffer = Buffer(byteCount: wordByteCount(count))
        combine(buffer, count) { _, start, length in Bits.word(source.base, offset &+ start, count: length) }
        return buffer
    }

    /// Replaces each word of `buffer` by `body(word, index of its first bit, number of its bits)`.
    @inline(__always)
    static func combine(_ buffer: Buffer, _ count: Int, _ body: (UInt64, Int, Int) -> UInt64) {
        let words = buffer.pointer(as: UInt64.self)
        var start = 0
        while start < count {
            words[start &>> 6] = body(words[start &>> 6], start, min(64, count &- start))
            start &+= 64
        }
    }

    static func wordByteCount(_ count: Int) -> Int { ((count &+ 63) &>> 6) &<< 3 }
}
