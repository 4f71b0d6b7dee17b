import Columnar
import Plan

/// Functions that give parts of a text. Their results point into the argument's memory and copy nothing longer than a view.
enum TextParts {
    enum Side: String {
        case both = "BOTH"
        case leading = "LEADING"
        case trailing = "TRAILING"
    }

    // MARK: By place

    static func substring(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let from = IntegerArgument(arguments[1])
            let length = arguments.count > 2 ? IntegerArgument(arguments[2]) : nil
            return TextLoops.parts(arguments, count, type) { (row, bytes) in
                let points = length?[row] ?? Int.max
                // Flink gives NULL for a negative length, and nothing for a place before the text's start.
                guard points >= 0 else { return nil }
                let place = from[row]
                let start: Int
                if place > 0 {
                    start = TextPoints.offset(bytes, place &- 1)
                } else if place < 0 {
                    guard place > Int.min, let found = TextPoints.offset(bytes, fromEnd: -place) else { return (0, 0) }
                    start = found
                } else {
                    start = 0
                }
                let end = points >= bytes.count &- start ? bytes.count : TextPoints.offset(bytes, points, from: start)
                return (start, end &- start)
            }
        }
    }

    static func left(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let length = IntegerArgument(arguments[1])
            return TextLoops.parts(arguments, count, type) { (row, bytes) in (0, TextPoints.offset(bytes, length[row])) }
        }
    }

    static func right(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let length = IntegerArgument(arguments[1])
            return TextLoops.parts(arguments, count, type) { (row, bytes) in
                let start = TextPoints.offset(bytes, fromEnd: max(0, length[row])) ?? 0
                return (start, bytes.count &- start)
            }
        }
    }

    // MARK: Trimming

    static func trim(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        guard request.arguments.count == 3 else { return trim(request.type, .both) }
        guard let side = request.text(2).flatMap({ Side(rawValue: $0) }) else { throw .internal("TRIM without its side") }
        let kernel = trim(request.type, side)
        return { (arguments, count, context) throws(MillstreamError) in try kernel(Array(arguments.prefix(2)), count, context) }
    }

    /// Takes away the characters of the second argument, or spaces.
    static func trim(_ type: DataType, _ side: Side) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let characters = arguments.count > 1 ? TextArgument(arguments[1]) : nil
            var set = TextCharacters(spaces: ())
            if let characters, characters.isConstant { set = TextCharacters(characters[0]) }
            let isFixed = characters?.isConstant ?? true
            return TextLoops.parts(arguments, count, type) { (row, bytes) in
                if !isFixed, let characters { set = TextCharacters(characters[row]) }
                var start = 0
                var end = bytes.count
                if side != .trailing { start = set.skip(bytes) }
                if side != .leading { end = set.skipBack(bytes, downTo: start) }
                return (start, end &- start)
            }
        }
    }

    // MARK: By separator

    /// The piece of that number, counted from 0; NULL where there is none. An empty text has no pieces; an empty separator stands for white space.
    static func splitIndex(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let index = IntegerArgument(arguments[2])
            let isText = arguments[1].type.isText
            let code = isText ? nil : IntegerArgument(arguments[1])
            let separators = isText ? TextArgument(arguments[1]) : nil
            return TextLoops.parts(arguments, count, type) { (row, bytes) in
                let wanted = index[row]
                guard wanted >= 0, bytes.count > 0 else { return nil }
                if let code {
                    let value = code[row]
                    guard value >= 1, value <= 255 else { return nil }
                    // A character of Latin-1 in UTF-8.
                    var encoded: (UInt8, UInt8) = value < 0x80
                        ? (UInt8(truncatingIfNeeded: value), 0) : (UInt8(truncatingIfNeeded: 0xC0 | value >> 6), UInt8(truncatingIfNeeded: 0x80 | value & 0x3F))
                    return withUnsafeBytes(of: &encoded) { piece(bytes, TextPoints.part($0, 0, value < 0x80 ? 1 : 2), wanted) }
                }
                guard let separator = separators?[row] else { return nil }
                return separator.count == 0 ? pieceBetweenSpaces(bytes, wanted) : piece(bytes, separator, wanted)
            }
        }
    }

    private static func piece(_ bytes: UnsafeRawBufferPointer, _ separator: UnsafeRawBufferPointer, _ wanted: Int) -> (from: Int, length: Int)? {
        var start = 0
        var left = wanted
        while true {
            let end = TextPoints.find(separator, in: bytes, from: start)
            if left == 0 { return (start, (end ?? bytes.count) &- start) }
            guard let end else { return nil }
            start = end &+ separator.count
            left &-= 1
        }
    }

    private static func pieceBetweenSpaces(_ bytes: UnsafeRawBufferPointer, _ wanted: Int) -> (from: Int, length: Int)? {
        var start = 0
        var left = wanted
        var place = 0
        while place < bytes.count {
            if bytes[place] == 0x20 || (bytes[place] >= 0x09 && bytes[place] <= 0x0D) || (bytes[place] >= 0x1C && bytes[place] <= 0x1F) {
                if left == 0 { return (start, place &- start) }
                left &-= 1
                start = place &+ 1
            }
            place &+= 1
        }
        return left == 0 ? (start, bytes.count &- start) : nil
    }

    /// All pieces; the characters one by one where the separator is empty.
    static func split(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let text = TextArgument(arguments[0])
            let separators = TextArgument(arguments[1])
            return try TextLoops.lists(arguments, count, type, sharing: text.column) { (row, elements) in
                let bytes = text[row]
                let separator = separators[row]
                let view = text.view(row)
                var start = 0
                if separator.count == 0 {
                    while start < bytes.count {
                        let length = TextPoints.length(bytes, at: start)
                        elements.append(view, bytes, from: start, length)
                        start &+= length
                    }
                    return true
                }
                if bytes.count == 0 { return true }
                while let end = TextPoints.find(separator, in: bytes, from: start) {
                    elements.append(view, bytes, from: start, end &- start)
                    start = end &+ separator.count
                }
                elements.append(view, bytes, from: start, bytes.count &- start)
                return true
            }
        }
    }

    // MARK: Choice

    /// The argument of that number, counted from 1; NULL where there is none.
    static func elt(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments[0].isNullConstant || arguments[0].type.kind == .null { return .null(type) }
            let index = IntegerArgument(arguments[0])
            let choices = arguments.dropFirst().map { $0.type.kind == .null ? nil : TextArgument($0) }
            let result = TextColumn(rowCount: count)
            for row in 0..<count {
                let chosen = index[row]
                if !arguments[0].isNull(row), chosen >= 1, chosen <= choices.count, let choice = choices[chosen - 1], !choice.isNull(row) {
                    result.append(choice[row])
                    try result.endValue()
                } else {
                    result.appendNull()
                }
            }
            return Operand(result.finish(type))
        }
    }
}

/// A set of characters: bits for those of ASCII, a short list of the others.
struct TextCharacters {
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    private var others: [UInt32] = []

    /// The space alone.
    init(spaces: Void) { low = 1 << 0x20 }

    init(_ bytes: UnsafeRawBufferPointer) {
        for point in TextPoints.all(bytes) {
            if point < 64 { low |= 1 << UInt64(point) } else if point < 128 { high |= 1 << UInt64(point &- 64) } else { others.append(point) }
        }
    }

    @inline(__always)
    private func contains(_ point: UInt32) -> Bool {
        if point < 64 { return low >> UInt64(point) & 1 != 0 }
        if point < 128 { return high >> UInt64(point &- 64) & 1 != 0 }
        return others.contains(point)
    }

    /// Where the first character that is not in the set begins.
    func skip(_ bytes: UnsafeRawBufferPointer) -> Int {
        var place = 0
        while place < bytes.count {
            let (point, length) = TextPoints.decode(bytes, at: place)
            if !contains(point) { break }
            place &+= length
        }
        return place
    }

    /// Where the last character that is not in the set ends.
    func skipBack(_ bytes: UnsafeRawBufferPointer, downTo start: Int) -> Int {
        var end = bytes.count
        while end > start {
            var place = end &- 1
            while place > start, bytes[place] & 0xC0 == 0x80 { place &-= 1 }
            let (point, length) = TextPoints.decode(bytes, at: place)
            if place &+ length != end || !contains(point) { break }
            end = place
        }
        return end
    }
}
