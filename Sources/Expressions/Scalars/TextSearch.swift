import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// Functions that look for a text in another.
enum TextSearch {
    /// POSITION and LOCATE: the place of the first occurrence from a place on, counted from 1; 0 where there is none. An empty needle is at 1.
    static func position(_ type: DataType, needle: Int, text: Int) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let needles = TextArgument(arguments[needle])
            let texts = TextArgument(arguments[text])
            let from = arguments.count > 2 ? IntegerArgument(arguments[2]) : nil
            return try TextLoops.numbers(arguments, count, type, as: Int32.self) { row in
                Int32(truncatingIfNeeded: place(of: needles[row], in: texts[row], from: from?[row] ?? 1))
            }
        }
    }

    /// INSTR: the place of the n-th occurrence; a negative start counts, and searches, from the end.
    static func instr(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            let needles = TextArgument(arguments[1])
            let from = arguments.count > 2 ? IntegerArgument(arguments[2]) : nil
            let nth = arguments.count > 3 ? IntegerArgument(arguments[3]) : nil
            return try TextLoops.numbers(arguments, count, type, as: Int32.self) { (row) throws(MillstreamError) in
                let occurrence = nth?[row] ?? 1
                guard occurrence > 0 else {
                    throw MillstreamError(.invalidArgument, "INSTR's occurrence is \(occurrence); it must be 1 or more", recordIndex: Int64(row))
                }
                let start = from?[row] ?? 1
                let (text, needle) = (texts[row], needles[row])
                if start == 0 { return 0 }
                if start > 0 { return Int32(truncatingIfNeeded: place(of: needle, in: text, from: start, occurrence)) }
                let (backText, backNeedle) = (reversed(text), reversed(needle))
                let found = backText.withUnsafeBytes { text in
                    backNeedle.withUnsafeBytes { needle in place(of: needle, in: text, from: start == Int.min ? Int.max : -start, occurrence) }
                }
                return found == 0 ? 0 : Int32(truncatingIfNeeded: TextPoints.count(text) + 2 - found - TextPoints.count(needle))
            }
        }
    }

    static func startsWith(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, starts) = (TextArgument(arguments[0]), TextArgument(arguments[1]))
            return try TextLoops.truths(arguments, count, type) { hasPrefix(texts[$0], starts[$0]) }
        }
    }

    static func endsWith(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, ends) = (TextArgument(arguments[0]), TextArgument(arguments[1]))
            return try TextLoops.truths(arguments, count, type) { hasSuffix(texts[$0], ends[$0]) }
        }
    }

    /// The first byte as Java's signed one; 0 for an empty text.
    static func ascii(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            return try TextLoops.numbers(arguments, count, type, as: Int32.self) { row in texts[row].first.map { Int32(Int8(bitPattern: $0)) } ?? 0 }
        }
    }

    @inline(__always)
    static func hasPrefix(_ text: UnsafeRawBufferPointer, _ start: UnsafeRawBufferPointer) -> Bool {
        guard start.count <= text.count else { return false }
        guard start.count > 0, let first = text.baseAddress, let second = start.baseAddress else { return true }
        return memcmp(first, second, start.count) == 0
    }

    @inline(__always)
    static func hasSuffix(_ text: UnsafeRawBufferPointer, _ end: UnsafeRawBufferPointer) -> Bool {
        guard end.count <= text.count else { return false }
        guard end.count > 0, let first = text.baseAddress, let second = end.baseAddress else { return true }
        return memcmp(first + (text.count &- end.count), second, end.count) == 0
    }

    private static func place(of needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from: Int, _ occurrence: Int = 1) -> Int {
        if needle.count == 0 { return 1 }
        var start = from > 1 ? TextPoints.offset(text, from &- 1) : 0
        var left = occurrence
        while let found = TextPoints.find(needle, in: text, from: start) {
            left &-= 1
            if left == 0 { return TextPoints.count(TextPoints.part(text, 0, found)) &+ 1 }
            start = found &+ TextPoints.length(text, at: found)
        }
        return 0
    }

    static func reversed(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var end = text.count
        while end > 0 {
            var start = end &- 1
            while start > 0, text[start] & 0xC0 == 0x80, end &- start < 4 { start &-= 1 }
            result.append(contentsOf: text[start..<end])
            end = start
        }
        return result
    }
}
