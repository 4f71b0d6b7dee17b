import Columnar

/// One value of JSON as a run of nodes in the order of the text: a container's parts follow it, and it knows where they end.
///
/// Reads what Jackson reads by default (RFC 8259; what follows the first value is not looked at), copies nothing, and never recurses. Made once, used for many texts.
final class JSONDocument {
    enum Kind: UInt8 {
        case null, isFalse, isTrue, integer, number, string, array, object
    }

    struct Node {
        var kind: Kind
        /// Strings: whether there are backslashes in it.
        var hasEscapes = false
        /// Scalars: their bytes in the text, strings without quotes.
        var start: Int32 = 0
        var end: Int32 = 0
        /// The node after this one and all of its parts.
        var next: Int32 = 0
        /// Containers: how many elements or fields. A field is two values, the first a string.
        var count: Int32 = 0
    }

    /// Jackson's bounds.
    static let depthMax = 1_000
    private static let numberByteCountMax = 1_000

    private(set) var nodes: [Node] = []
    private(set) var text = UnsafeRawBufferPointer(start: nil, count: 0)
    private var open: [Int32] = []
    private(set) var failure = ""
    private(set) var failurePlace = 0

    /// Whether there is a value at the start of `bytes`, which must stay until the next text.
    func parse(_ bytes: UnsafeRawBufferPointer) -> Bool {
        nodes.removeAll(keepingCapacity: true)
        open.removeAll(keepingCapacity: true)
        text = bytes
        guard bytes.count < Int(Int32.max) else { return fail("the text is too long", 0) }
        var place = skipSpace(0)
        guard place < bytes.count else { return fail("there is no value", place) }
        // What may come: a value, or a field's name.
        var wantsName = false
        while true {
            if wantsName {
                guard place < text.count, text[place] == UInt8(ascii: "\"") else { return fail("a field's name is missing", place) }
                guard string(&place) else { return false }
                place = skipSpace(place)
                guard place < text.count, text[place] == UInt8(ascii: ":") else { return fail("':' is missing", place) }
                place = skipSpace(place + 1)
            }
            guard place < text.count else { return fail("a value is missing", place) }
            switch text[place] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let isObject = text[place] == UInt8(ascii: "{")
                guard open.count < Self.depthMax else { return fail("it nests more than \(Self.depthMax) levels deep", place) }
                open.append(Int32(truncatingIfNeeded: nodes.count))
                nodes.append(Node(kind: isObject ? .object : .array))
                place = skipSpace(place + 1)
                guard place < text.count else { return fail("it ends within \(isObject ? "an object" : "an array")", place) }
                if text[place] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { break }
                wantsName = isObject
                continue
            case UInt8(ascii: "\""): guard string(&place) else { return false }
            case UInt8(ascii: "-"), 0x30...0x39: guard number(&place) else { return false }
            case UInt8(ascii: "t"): guard word("true", .isTrue, &place) else { return false }
            case UInt8(ascii: "f"): guard word("false", .isFalse, &place) else { return false }
            case UInt8(ascii: "n"): guard word("null", .null, &place) else { return false }
            default: return fail("this begins no value", place)
            }
            // Behind a value, or at the end of an empty container.
            var isEmptyEnd = place < text.count && !open.isEmpty && nodes.count - 1 == Int(open[open.count - 1])
            while true {
                guard let container = open.last else { return true }
                let isObject = nodes[Int(container)].kind == .object
                if !isEmptyEnd {
                    nodes[Int(container)].count &+= 1
                    place = skipSpace(place)
                }
                isEmptyEnd = false
                guard place < text.count else { return fail("it ends within \(isObject ? "an object" : "an array")", place) }
                if text[place] == UInt8(ascii: ",") {
                    place = skipSpace(place + 1)
                    wantsName = isObject
                    break
                }
                guard text[place] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return fail("',' or the end of \(isObject ? "an object" : "an array") is missing", place) }
                place += 1
                nodes[Int(container)].next = Int32(truncatingIfNeeded: nodes.count)
                open.removeLast()
                if open.isEmpty { return true }
            }
        }
    }

    private func fail(_ message: String, _ place: Int) -> Bool {
        failure = message
        failurePlace = place
        return false
    }

    /// What was wrong with the last text.
    var error: MillstreamError {
        let shown = String(decoding: text.prefix(100), as: UTF8.self)
        return MillstreamError(.decode, "'\(shown)' is no JSON: \(failure) (at byte \(failurePlace + 1))")
    }

    @inline(__always)
    private func skipSpace(_ start: Int) -> Int {
        var place = start
        while place < text.count, text[place] == 0x20 || text[place] == 0x0A || text[place] == 0x0D || text[place] == 0x09 { place &+= 1 }
        return place
    }

    private func push(_ kind: Kind, _ start: Int, _ end: Int, hasEscapes: Bool = false) {
        nodes.append(
            Node(
                kind: kind, hasEscapes: hasEscapes, start: Int32(truncatingIfNeeded: start), end: Int32(truncatingIfNeeded: end), next: Int32(truncatingIfNeeded: nodes.count &+ 1)))
    }

    private func string(_ place: inout Int) -> Bool {
        let start = place + 1
        var end = start
        var hasEscapes = false
        while end < text.count {
            let byte = text[end]
            if byte == UInt8(ascii: "\"") {
                push(.string, start, end, hasEscapes: hasEscapes)
                place = end + 1
                return true
            }
            if byte < 0x20 { return fail("a control character in a string must be escaped", end) }
            guard byte == UInt8(ascii: "\\") else {
                end &+= 1
                continue
            }
            hasEscapes = true
            guard end + 1 < text.count else { break }
            switch text[end + 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): end += 2
            case UInt8(ascii: "u"):
                guard end + 5 < text.count, (2...5).allSatisfy({ Self.hexadecimal(text[end + $0]) != nil }) else { return fail("\\u needs four hexadecimal digits", end) }
                end += 6
            default: return fail("an unknown escape", end)
            }
        }
        return fail("a string is not closed", text.count)
    }

    static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x37)
        case 0x61...0x66: UInt32(byte - 0x57)
        default: nil
        }
    }

    private func number(_ place: inout Int) -> Bool {
        let start = place
        var end = place
        if text[end] == UInt8(ascii: "-") { end += 1 }
        func digits() -> Bool {
            let first = end
            while end < text.count, text[end] >= 0x30, text[end] <= 0x39 { end &+= 1 }
            return end > first
        }
        let whole = end
        guard digits() else { return fail("a number needs digits", end) }
        if text[whole] == 0x30, end - whole > 1 { return fail("a number begins with a needless 0", whole) }
        var kind = Kind.integer
        if end < text.count, text[end] == UInt8(ascii: ".") {
            end += 1
            kind = .number
            guard digits() else { return fail("digits are missing behind the point", end) }
        }
        if end < text.count, text[end] | 0x20 == UInt8(ascii: "e") {
            end += 1
            kind = .number
            if end < text.count, text[end] == UInt8(ascii: "+") || text[end] == UInt8(ascii: "-") { end += 1 }
            let exponent = end
            // BigDecimal's exponents are of 32 bits.
            guard digits(), end - exponent <= 9 else { return fail("the exponent is missing, or too large", exponent) }
        }
        guard end - start <= Self.numberByteCountMax else { return fail("a number has more than \(Self.numberByteCountMax) digits", start) }
        if open.isEmpty, end < text.count, skipSpace(end) == end { return fail("this does not belong to a number", end) }
        push(kind, start, end)
        place = end
        return true
    }

    private func word(_ word: StaticString, _ kind: Kind, _ place: inout Int) -> Bool {
        let bytes = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        let end = place + bytes.count
        guard end <= text.count, TextPoints.isEqual(TextPoints.part(text, place, end), bytes) else { return fail("this begins no value", place) }
        if end < text.count {
            let next = text[end]
            let isWord = next >= 0x80 || next == 0x5F || next == 0x24 || (next >= 0x30 && next <= 0x39) || (next | 0x20 >= 0x61 && next | 0x20 <= 0x7A)
            if isWord { return fail("this begins no value", place) }
        }
        push(kind, place, end)
        place = end
        return true
    }

    // MARK: Reading

    func bytes(_ index: Int) -> UnsafeRawBufferPointer { TextPoints.part(text, Int(nodes[index].start), Int(nodes[index].end)) }

    /// The characters of a string, escapes resolved.
    func append(string index: Int, to result: TextColumn) {
        let bytes = bytes(index)
        if nodes[index].hasEscapes { Self.append(unescaped: bytes, to: result) } else { result.append(repairing: bytes) }
    }

    /// The inside of a string, escapes resolved.
    static func append(unescaped bytes: UnsafeRawBufferPointer, to result: TextColumn) {
        var start = 0
        var place = 0
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "\\"), place + 1 < bytes.count else {
                place &+= 1
                continue
            }
            result.append(repairing: TextPoints.part(bytes, start, place))
            switch bytes[place + 1] {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var point = Self.unit(bytes, place)
                if point >= 0xD800, point < 0xDC00, place + 11 < bytes.count, bytes[place + 6] == UInt8(ascii: "\\"), bytes[place + 7] == UInt8(ascii: "u") {
                    let low = Self.unit(bytes, place + 6)
                    if low >= 0xDC00, low < 0xE000 {
                        point = 0x10000 + (point - 0xD800) << 10 + (low - 0xDC00)
                        place += 6
                    }
                }
                result.append(point: point)
                place += 4
            default: result.append(bytes[place + 1])
            }
            place += 2
            start = place
        }
        result.append(repairing: TextPoints.part(bytes, start, bytes.count))
    }

    /// Whether each backslash begins an escape.
    static func hasSoundEscapes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "\\") else {
                place &+= 1
                continue
            }
            guard place + 1 < bytes.count else { return false }
            if bytes[place + 1] == UInt8(ascii: "u") {
                guard place + 5 < bytes.count, (2...5).allSatisfy({ hexadecimal(bytes[place + $0]) != nil }) else { return false }
                place += 6
            } else {
                guard "\"\\/bfnrt".utf8.contains(bytes[place + 1]) else { return false }
                place += 2
            }
        }
        return true
    }

    private static func unit(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in place + 2..<min(place + 6, bytes.count) { value = value << 4 | (hexadecimal(bytes[index]) ?? 0) }
        return value
    }

    /// A string's characters.
    func characters(_ index: Int) -> [UInt8] {
        if !nodes[index].hasEscapes { return Array(bytes(index)) }
        let scratch = TextColumn(rowCount: 1)
        append(string: index, to: scratch)
        return Array(scratch.valueBytes)
    }

    /// The value of a field; the last one where several have its name.
    func field(_ object: Int, _ name: UnsafeRawBufferPointer) -> Int? {
        var found: Int?
        var place = object + 1
        for _ in 0..<nodes[object].count {
            let value = place + 1
            let isSame = nodes[place].hasEscapes ? characters(place).elementsEqual(name) : TextPoints.isEqual(bytes(place), name)
            if isSame { found = value }
            place = Int(nodes[value].next)
        }
        return found
    }

    func element(_ array: Int, _ index: Int) -> Int? {
        let count = Int(nodes[array].count)
        guard index >= 0, index < count else { return nil }
        var place = array + 1
        for _ in 0..<index { place = Int(nodes[place].next) }
        return place
    }

    /// The elements of an array.
    func elements(_ array: Int) -> [Int] {
        var places: [Int] = []
        places.reserveCapacity(Int(nodes[array].count))
        var place = array + 1
        for _ in 0..<nodes[array].count {
            places.append(place)
            place = Int(nodes[place].next)
        }
        return places
    }

    /// The fields of an object in their order, a name that comes again with its last value at its first place.
    func fields(_ object: Int) -> [(name: [UInt8], value: Int)] {
        var fields: [(name: [UInt8], value: Int)] = []
        var places: [[UInt8]: Int] = [:]
        var place = object + 1
        for _ in 0..<nodes[object].count {
            let name = characters(place)
            if let known = places[name] {
                fields[known].value = place + 1
            } else {
                places[name] = fields.count
                fields.append((name, place + 1))
            }
            place = Int(nodes[place + 1].next)
        }
        return fields
    }
}
