import Columnar

/// PRINTF with the formats of Java's Formatter (Locale.US). A format that does not fit its arguments gives NULL, as in Flink.
///
/// Not there: dates and times (`%t…`), which Flink's values do not have the types for.
enum TextPrintf {
    static func kernel(_ request: KernelRequest) -> Kernel {
        let type = request.type
        return { (arguments, count, _) throws(MillstreamError) in
            let first = Array(arguments.prefix(1))
            if TextLoops.isNull(first) { return .null(type) }
            let formats = TextArgument(arguments[0])
            let values = Array(arguments.dropFirst())
            let known = TextPatternCache<[FormatPiece]?>()
            return try TextLoops.text(first, count, type) { (row, result) throws(MillstreamError) in
                guard let pieces = try known.compiled(formats[row], { FormatPiece.parse($0) }) else { return false }
                var ordinary = 0
                var last = -1
                for piece in pieces {
                    switch piece {
                    case .text(let bytes): result.append(bytes)
                    case .value(let spec):
                        var index = -1
                        switch spec.index {
                        case .none: break
                        case .next:
                            index = ordinary
                            ordinary += 1
                        case .same: index = last
                        case .at(let place): index = place
                        }
                        var value = FormatValue.none
                        if spec.index != .none {
                            guard index >= 0, index < values.count else { return false }
                            last = index
                            value = FormatValue(values[index], row)
                        }
                        guard let text = spec.format(value) else { return false }
                        result.append(text)
                    }
                }
                return true
            }
        }
    }
}

/// What a format is made of.
enum FormatPiece {
    case text([UInt8])
    case value(FormatSpecifier)

    /// nil for what is no format.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> [FormatPiece]? {
        var pieces: [FormatPiece] = []
        var text: [UInt8] = []
        var place = 0
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "%") else {
                text.append(bytes[place])
                place += 1
                continue
            }
            place += 1
            guard let spec = FormatSpecifier(bytes, &place) else { return nil }
            if !text.isEmpty { pieces.append(.text(text)) }
            text = []
            pieces.append(.value(spec))
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        return pieces
    }
}

/// `%[index$][flags][width][.precision]conversion`, checked as far as that needs no value.
struct FormatSpecifier {
    enum Index: Equatable {
        /// `%n` and `%%` take no value.
        case none
        case next
        case same
        case at(Int)
    }

    /// Wider ones would only fill memory.
    private static let widthMax = 1 << 20

    var index = Index.next
    var isLeft = false, hasHash = false, hasPlus = false, hasSpace = false, hasZero = false, hasComma = false, hasParenthesis = false
    var width: Int?
    var precision: Int?
    var conversion: UInt8 = 0
    var isUpper = false

    init?(_ bytes: UnsafeRawBufferPointer, _ place: inout Int) {
        func digits() -> Int? {
            var value: Int?
            while place < bytes.count, bytes[place] >= 0x30, bytes[place] <= 0x39 {
                value = min((value ?? 0) * 10 + Int(bytes[place] - 0x30), Self.widthMax + 1)
                place += 1
            }
            return value
        }
        let start = place
        if place < bytes.count, bytes[place] == UInt8(ascii: "<") {
            index = .same
            place += 1
        } else if place < bytes.count, bytes[place] != 0x30, let number = digits() {
            if place < bytes.count, bytes[place] == UInt8(ascii: "$") {
                index = .at(number - 1)
                place += 1
            } else {
                place = start
            }
        }
        flags: while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "-") where !isLeft: isLeft = true
            case UInt8(ascii: "#") where !hasHash: hasHash = true
            case UInt8(ascii: "+") where !hasPlus: hasPlus = true
            case UInt8(ascii: " ") where !hasSpace: hasSpace = true
            case UInt8(ascii: "0") where !hasZero: hasZero = true
            case UInt8(ascii: ",") where !hasComma: hasComma = true
            case UInt8(ascii: "(") where !hasParenthesis: hasParenthesis = true
            // A flag given twice is an error.
            case UInt8(ascii: "-"), UInt8(ascii: "#"), UInt8(ascii: "+"), UInt8(ascii: " "), UInt8(ascii: "0"), UInt8(ascii: ","), UInt8(ascii: "("): return nil
            default: break flags
            }
            place += 1
        }
        width = digits()
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            guard let number = digits() else { return nil }
            precision = number
        }
        guard place < bytes.count, width ?? 0 <= Self.widthMax, precision ?? 0 <= Self.widthMax else { return nil }
        conversion = bytes[place]
        place += 1
        if "BHSCXEGA".utf8.contains(conversion) {
            isUpper = true
            conversion |= 0x20
        }
        guard isConsistent() else { return nil }
    }

    private mutating func isConsistent() -> Bool {
        if (isLeft || hasZero) && width == nil { return false }
        switch conversion {
        case UInt8(ascii: "n"):
            index = .none
            return width == nil && precision == nil && !hasAnyFlag
        case UInt8(ascii: "%"):
            index = .none
            return precision == nil && !(hasHash || hasPlus || hasSpace || hasZero || hasComma || hasParenthesis)
        case UInt8(ascii: "b"), UInt8(ascii: "h"), UInt8(ascii: "s"):
            return !(hasHash || hasPlus || hasSpace || hasZero || hasComma || hasParenthesis)
        case UInt8(ascii: "c"): return precision == nil && !(hasHash || hasPlus || hasSpace || hasZero || hasComma || hasParenthesis)
        case UInt8(ascii: "d"): return precision == nil && !hasHash && !(hasPlus && hasSpace) && !(isLeft && hasZero)
        case UInt8(ascii: "x"), UInt8(ascii: "o"):
            return precision == nil && !(hasPlus || hasSpace || hasComma || hasParenthesis) && !(isLeft && hasZero)
        case UInt8(ascii: "e"): return !hasComma && !(hasPlus && hasSpace) && !(isLeft && hasZero)
        case UInt8(ascii: "f"): return !(hasPlus && hasSpace) && !(isLeft && hasZero)
        case UInt8(ascii: "g"): return !hasHash && !(hasPlus && hasSpace) && !(isLeft && hasZero)
        case UInt8(ascii: "a"): return !hasComma && !hasParenthesis && precision == nil && !(hasPlus && hasSpace) && !(isLeft && hasZero)
        default: return false
        }
    }

    private var hasAnyFlag: Bool { isLeft || hasHash || hasPlus || hasSpace || hasZero || hasComma || hasParenthesis }

    // MARK: Values

    /// nil where the value is none for this conversion.
    func format(_ value: FormatValue) -> String? {
        switch conversion {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "%"): return padded("%")
        case UInt8(ascii: "b"):
            if case .boolean(let truth) = value { return padded(cut(truth ? "true" : "false")) }
            return padded(cut(value.isNull ? "false" : "true"))
        case UInt8(ascii: "s"): return padded(cut(value.text))
        case UInt8(ascii: "h"): return padded(cut(value.isNull ? "null" : value.hash.map { String(UInt32(bitPattern: $0), radix: 16) } ?? value.text))
        case UInt8(ascii: "c"):
            if value.isNull { return padded("null") }
            guard case .integer(let code, let byteCount) = value, byteCount <= 4, let scalar = UInt32(exactly: code).flatMap({ Unicode.Scalar($0) }) else { return nil }
            return padded(String(Character(scalar)))
        case UInt8(ascii: "d"):
            if value.isNull { return padded("null") }
            guard case .integer(let number, _) = value else { return nil }
            return signed(grouped(String(number.magnitude)), isNegative: number < 0)
        case UInt8(ascii: "x"), UInt8(ascii: "o"):
            if value.isNull { return padded("null") }
            guard case .integer(let number, let byteCount) = value else { return nil }
            let bits = byteCount == 8 ? UInt64(bitPattern: number) : UInt64(bitPattern: number) & ((1 << UInt64(8 * byteCount)) - 1)
            let isHex = conversion == UInt8(ascii: "x")
            var text = String(bits, radix: isHex ? 16 : 8)
            let mark = hasHash ? (isHex ? "0x" : "0") : ""
            if hasZero, let width { text = String(repeating: "0", count: max(0, width - text.utf8.count - mark.utf8.count)) + text }
            return padded(mark + text)
        default:
            if value.isNull { return padded("null") }
            guard case .floating(let number, _) = value else { return nil }
            return floating(number)
        }
    }

    private func floating(_ number: Double) -> String? {
        if number.isNaN { return padded("NaN") }
        let isNegative = number.sign == .minus
        if number.isInfinite {
            let sign = isNegative ? (hasParenthesis ? "(" : "-") : hasPlus ? "+" : hasSpace ? " " : ""
            return padded(sign + "Infinity" + (isNegative && hasParenthesis ? ")" : ""))
        }
        let decimal = DecimalDigits(number.magnitude)
        switch conversion {
        case UInt8(ascii: "f"): return signed(grouped(decimal.plain(precision ?? 6) + (hasHash && precision == 0 ? "." : "")), isNegative: isNegative)
        case UInt8(ascii: "e"): return signed(decimal.scientific(precision ?? 6, hasPoint: hasHash), isNegative: isNegative)
        case UInt8(ascii: "g"):
            let digits = precision == 0 ? 1 : precision ?? 6
            if number == 0 { return signed(grouped(decimal.plain(digits - 1)), isNegative: isNegative) }
            let rounded = decimal.rounded(toDigits: digits)
            if rounded.magnitude > -4, rounded.magnitude <= digits { return signed(grouped(rounded.plain(digits - rounded.magnitude)), isNegative: isNegative) }
            return signed(decimal.scientific(digits - 1, hasPoint: false), isNegative: isNegative)
        default: return signed(Self.hexadecimal(number.magnitude), isNegative: isNegative)
        }
    }

    /// Java's Double.toHexString.
    private static func hexadecimal(_ number: Double) -> String {
        if number == 0 { return "0x0.0p0" }
        let isSubnormal = number < Double.leastNormalMagnitude
        var digits = String(number.significandBitPattern, radix: 16)
        digits = String(repeating: "0", count: 13 - digits.utf8.count) + digits
        while digits.utf8.count > 1, digits.utf8.last == 0x30 { digits.removeLast() }
        return "0x\(isSubnormal ? 0 : 1).\(digits)p\(isSubnormal ? -1022 : Int(number.exponent))"
    }

    private func signed(_ digits: String, isNegative: Bool) -> String {
        let before = isNegative ? (hasParenthesis ? "(" : "-") : hasPlus ? "+" : hasSpace ? " " : ""
        let behind = isNegative && hasParenthesis ? ")" : ""
        var digits = digits
        if hasZero, let width {
            let isHex = conversion == UInt8(ascii: "a")
            let zeros = String(repeating: "0", count: max(0, width - digits.utf8.count - before.utf8.count - behind.utf8.count))
            digits = isHex ? "0x" + zeros + digits.dropFirst(2) : zeros + digits
        }
        return padded(before + digits + behind)
    }

    private func grouped(_ digits: String) -> String {
        guard hasComma else { return digits }
        let bytes = Array(digits.utf8)
        let whole = bytes.firstIndex(of: UInt8(ascii: ".")) ?? bytes.count
        var result: [UInt8] = []
        for (place, byte) in bytes[..<whole].enumerated() {
            if place > 0, (whole - place) % 3 == 0 { result.append(UInt8(ascii: ",")) }
            result.append(byte)
        }
        return String(decoding: result + bytes[whole...], as: UTF8.self)
    }

    private func cut(_ text: String) -> String {
        guard let precision else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(precision)))
    }

    private func padded(_ text: String) -> String {
        let text = isUpper ? text.uppercased() : text
        let missing = max(0, (width ?? 0) - text.unicodeScalars.count)
        if missing == 0 { return text }
        let spaces = String(repeating: " ", count: missing)
        return isLeft ? text + spaces : spaces + text
    }
}
