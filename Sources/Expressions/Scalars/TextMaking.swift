import Columnar

/// Functions that make new texts.
enum TextMaking {
    static func concat(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = arguments.map { TextArgument($0) }
            return try TextLoops.text(arguments, count, type) { (row, result) in
                for text in texts { result.append(text[row]) }
                return true
            }
        }
    }

    /// Nulls among the texts are left out; a null separator gives NULL.
    static func concatWithSeparator(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let first = Array(arguments.prefix(1))
            if TextLoops.isNull(first) { return .null(type) }
            let separator = TextArgument(arguments[0])
            let texts = arguments.dropFirst().filter { !$0.isNullConstant && $0.type.kind != .null }.map { TextArgument($0) }
            return try TextLoops.text(first, count, type) { (row, result) in
                var isFirst = true
                for text in texts where !text.isNull(row) {
                    if !isFirst { result.append(separator[row]) }
                    isFirst = false
                    result.append(text[row])
                }
                return true
            }
        }
    }

    /// LPAD and RPAD: to a length in code points. NULL for a negative length or no padding.
    static func pad(_ type: DataType, atStart: Bool) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, lengths, paddings) = (TextArgument(arguments[0]), IntegerArgument(arguments[1]), TextArgument(arguments[2]))
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                let (text, length, padding) = (texts[row], lengths[row], paddings[row])
                guard length >= 0, padding.count > 0 else { return false }
                let missing = length &- TextPoints.count(text)
                if missing <= 0 {
                    result.append(TextPoints.part(text, 0, TextPoints.offset(text, length)))
                    return true
                }
                guard missing <= TextColumn.valueByteCountMax else { throw TextColumn.tooLong() }
                if !atStart { result.append(text) }
                let points = TextPoints.count(padding)
                for _ in 0..<missing / max(points, 1) { result.append(padding) }
                result.append(TextPoints.part(padding, 0, TextPoints.offset(padding, missing % max(points, 1))))
                if atStart { result.append(text) }
                return true
            }
        }
    }

    static func repeated(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, times) = (TextArgument(arguments[0]), IntegerArgument(arguments[1]))
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                let (text, times) = (texts[row], times[row])
                guard times > 0, text.count > 0 else { return true }
                let (byteCount, isOver) = text.count.multipliedReportingOverflow(by: times)
                guard !isOver, byteCount <= TextColumn.valueByteCountMax else { throw TextColumn.tooLong() }
                for _ in 0..<times { result.append(text) }
                return true
            }
        }
    }

    /// All occurrences from left to right; an empty one is before, between and behind all characters.
    static func replace(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, olds, news) = (TextArgument(arguments[0]), TextArgument(arguments[1]), TextArgument(arguments[2]))
            return try TextLoops.text(arguments, count, type) { (row, result) in
                let (text, old, new) = (texts[row], olds[row], news[row])
                var start = 0
                if old.count == 0 {
                    result.append(new)
                    while start < text.count {
                        let end = start &+ TextPoints.length(text, at: start)
                        result.append(TextPoints.part(text, start, end))
                        result.append(new)
                        start = end
                    }
                    return true
                }
                while let found = TextPoints.find(old, in: text, from: start) {
                    result.append(TextPoints.part(text, start, found))
                    result.append(new)
                    start = found &+ old.count
                }
                result.append(TextPoints.part(text, start, text.count))
                return true
            }
        }
    }

    static func reverse(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) in
                let text = texts[row]
                if UTF8Validation.isASCII(text) {
                    result.write(room: text.count) { target in
                        for place in 0..<text.count { target[place] = text[text.count &- 1 &- place] }
                        return text.count
                    }
                } else {
                    result.append(TextSearch.reversed(text))
                }
                return true
            }
        }
    }

    /// A part of a text replaced. A place outside of the text changes nothing; a length of 0 or less, or beyond the end, takes all of the rest away (Flink's).
    static func overlay(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, news, starts) = (TextArgument(arguments[0]), TextArgument(arguments[1]), IntegerArgument(arguments[2]))
            let lengths = arguments.count > 3 ? IntegerArgument(arguments[3]) : nil
            return try TextLoops.text(arguments, count, type) { (row, result) in
                let (text, new, start) = (texts[row], news[row], starts[row])
                let points = TextPoints.count(text)
                guard start > 0, start <= points else {
                    result.append(text)
                    return true
                }
                let length = lengths?[row] ?? TextPoints.count(new)
                let from = TextPoints.offset(text, start &- 1)
                result.append(TextPoints.part(text, 0, from))
                result.append(new)
                if length > 0, length <= points &- start { result.append(TextPoints.part(text, TextPoints.offset(text, length, from: from), text.count)) }
                return true
            }
        }
    }

    /// Each character of the second argument becomes the one at the same place of the third, or goes where there is none.
    static func translate(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let first = Array(arguments.prefix(1))
            if TextLoops.isNull(first) { return .null(type) }
            let from = TextLoops.isNull([arguments[1]]) ? nil : TextArgument(arguments[1])
            let to = TextLoops.isNull([arguments[2]]) ? nil : TextArgument(arguments[2])
            let texts = TextArgument(arguments[0])
            let isFixed = arguments[1].isConstant && arguments[2].isConstant
            func table(_ row: Int) -> TranslationTable? {
                guard let from, !from.isNull(row), from[row].count > 0 else { return nil }
                guard let to, !to.isNull(row) else { return TranslationTable(from: from[row], to: UnsafeRawBufferPointer(start: nil, count: 0)) }
                return TranslationTable(from: from[row], to: to[row])
            }
            let fixed = isFixed && count > 0 ? table(0) : nil
            return try TextLoops.text(first, count, type) { (row, result) in
                if let table = isFixed ? fixed : table(row) { table.translate(texts[row], to: result) } else { result.append(texts[row]) }
                return true
            }
        }
    }

    /// The character of Latin-1 with that number modulo 256; nothing for a negative one.
    static func chr(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let numbers = IntegerArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) in
                if numbers[row] >= 0 { result.append(point: UInt32(truncatingIfNeeded: numbers[row] & 0xFF)) }
                return true
            }
        }
    }
}

/// Which character becomes which.
struct TranslationTable {
    private static let same: UInt32 = .max
    private static let gone: UInt32 = .max - 1
    private var low = [UInt32](repeating: TranslationTable.same, count: 128)
    private var others: [(from: UInt32, to: UInt32)] = []

    init(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer) {
        let targets = TextPoints.all(to)
        for (place, point) in TextPoints.all(from).enumerated() {
            let target = place < targets.count ? targets[place] : Self.gone
            // The first of several mappings of one character counts.
            if point < 128 {
                if low[Int(point)] == Self.same { low[Int(point)] = target }
            } else if !others.contains(where: { $0.from == point }) {
                others.append((point, target))
            }
        }
        others.sort { $0.from < $1.from }
    }

    func translate(_ text: UnsafeRawBufferPointer, to result: TextColumn) {
        var place = 0
        while place < text.count {
            let (point, length) = TextPoints.decode(text, at: place)
            let target = point < 128 ? low[Int(point)] : other(point)
            if target == Self.same {
                result.append(TextPoints.part(text, place, place &+ length))
            } else if target != Self.gone {
                result.append(point: target)
            }
            place &+= length
        }
    }

    private func other(_ point: UInt32) -> UInt32 {
        var (low, high) = (0, others.count)
        while low < high {
            let middle = (low + high) / 2
            if others[middle].from < point { low = middle + 1 } else { high = middle }
        }
        return low < others.count && others[low].from == point ? others[low].to : Self.same
    }
}
