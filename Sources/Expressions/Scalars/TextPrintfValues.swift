import Columnar

/// One value as PRINTF sees it: the types are those of Flink's inner data, where dates and times are numbers and DECIMAL has only a text.
enum FormatValue {
    case none
    case null
    case boolean(Bool)
    case integer(Int64, byteCount: Int)
    case floating(Double, isFloat: Bool)
    case text(String)

    init(_ operand: Operand, _ row: Int) {
        let column = operand.column
        let row = operand.isConstant ? 0 : row
        if column.isNull(row) {
            self = .null
            return
        }
        switch column.type.kind {
        case .boolean: self = .boolean(column.bit(row))
        case .tinyInt: self = .integer(Int64(column.pointer(as: Int8.self)[row]), byteCount: 1)
        case .smallInt: self = .integer(Int64(column.pointer(as: Int16.self)[row]), byteCount: 2)
        case .int, .date, .intervalYearMonth: self = .integer(Int64(column.pointer(as: Int32.self)[row]), byteCount: 4)
        case .time(let precision):
            let value = precision <= 3 ? Int64(column.pointer(as: Int32.self)[row]) : column.pointer(as: Int64.self)[row]
            self = .integer(TextPrintfTimes.milliseconds(value, precision), byteCount: 4)
        case .bigInt: self = .integer(column.pointer(as: Int64.self)[row], byteCount: 8)
        case .intervalDayTime(let precision): self = .integer(TextPrintfTimes.milliseconds(column.pointer(as: Int64.self)[row], precision), byteCount: 8)
        case .float: self = .floating(Double(column.pointer(as: Float.self)[row]), isFloat: true)
        case .double: self = .floating(column.pointer(as: Double.self)[row], isFloat: false)
        case .decimal(_, let scale): self = .text(JSONNumbers.plain(column.pointer(as: Int128.self)[row], scale: scale))
        case .char, .varChar: self = .text(String(decoding: column.bytes(row), as: UTF8.self))
        case .timestamp(let precision), .timestampLTZ(let precision):
            self = .text(TextPrintfTimes.isoTimestamp(column.pointer(as: Int64.self)[row], precision))
        default:
            // Flink prints the object's address here; ours is the value as JSON.
            let text = TextColumn(rowCount: 1)
            JSONValueWriter(column.type).write(column, row, to: text)
            self = .text(String(decoding: text.valueBytes, as: UTF8.self))
        }
    }

    var isNull: Bool { if case .null = self { true } else { false } }

    /// What `%s` prints.
    var text: String {
        switch self {
        case .none: ""
        case .null: "null"
        case .boolean(let truth): truth ? "true" : "false"
        case .integer(let number, _): String(number)
        case .floating(let number, true): FloatingText.java(Float(number))
        case .floating(let number, false): FloatingText.java(number)
        case .text(let text): text
        }
    }

    /// Java's hash code, for `%h`.
    var hash: Int32? {
        switch self {
        case .none, .null: nil
        case .boolean(let truth): truth ? 1231 : 1237
        case .integer(let number, let byteCount): byteCount == 8 ? DigestHashCodes.of(number) : Int32(truncatingIfNeeded: number)
        case .floating(let number, true): Int32(bitPattern: Float(number).bitPattern)
        case .floating(let number, false): DigestHashCodes.of(Int64(bitPattern: number.bitPattern))
        case .text(let text): DigestHashCodes.of(text)
        }
    }
}

enum TextPrintfTimes {
    /// The whole milliseconds of a time or interval in the unit of its precision.
    static func milliseconds(_ value: Int64, _ precision: Int) -> Int64 {
        let perSecond = TimeUnit(precision: precision).perSecond
        return perSecond >= 1_000 ? value / (perSecond / 1_000) : value &* 1_000
    }

    /// java.time.LocalDateTime's text: seconds where they are not 0, and a fraction of 3, 6 or 9 digits where there is one.
    static func isoTimestamp(_ value: Int64, _ precision: Int) -> String {
        let text = JSONTimes.local(value, precision: precision)
        guard text.fraction == 0 else { return "\(text.minutes):\(JSONTimes.two(text.seconds)).\(JSONTimes.groups(text.fraction))" }
        return text.seconds == 0 ? text.minutes : "\(text.minutes):\(JSONTimes.two(text.seconds))"
    }
}

/// The decimal digits of a finite, non-negative number: the shortest that read back as it, which is what Java rounds too. Half up.
struct DecimalDigits {
    private(set) var digits: [UInt8] = []
    /// The value is 0.d1d2d3... times ten to this power.
    private(set) var magnitude = 0

    init(_ number: Double) {
        var exponent = 0
        var pointAt: Int?
        var rest = Array(number.description.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x2E {
                pointAt = digits.count
            } else if byte == 0x65 {
                exponent = Int(String(decoding: rest, as: UTF8.self)) ?? 0
                break
            } else {
                digits.append(byte &- 0x30)
            }
        }
        magnitude = (pointAt ?? digits.count) + exponent
        while let first = digits.first, first == 0 {
            digits.removeFirst()
            magnitude -= 1
        }
        while let last = digits.last, last == 0 { digits.removeLast() }
        if digits.isEmpty { magnitude = 0 }
    }

    /// Rounded to so many digits behind the leading one's place.
    func rounded(toDigits count: Int) -> DecimalDigits {
        guard count < digits.count else { return self }
        var copy = self
        if count < 0 {
            copy.digits = []
            copy.magnitude = 0
            return copy
        }
        let isUp = digits[count] >= 5
        copy.digits = Array(digits.prefix(count))
        if isUp {
            var place = count - 1
            while place >= 0, copy.digits[place] == 9 {
                copy.digits[place] = 0
                place -= 1
            }
            if place >= 0 {
                copy.digits[place] += 1
            } else {
                copy.digits.insert(1, at: 0)
                copy.magnitude += 1
            }
        }
        while let last = copy.digits.last, last == 0 { copy.digits.removeLast() }
        if copy.digits.isEmpty { copy.magnitude = 0 }
        return copy
    }

    /// With so many digits behind the point.
    func plain(_ precision: Int) -> String {
        let rounded = rounded(toDigits: magnitude + precision)
        var text: [UInt8] = []
        for place in 0..<max(rounded.magnitude, 0) { text.append(0x30 + (place < rounded.digits.count ? rounded.digits[place] : 0)) }
        if text.isEmpty { text.append(0x30) }
        if precision > 0 {
            text.append(UInt8(ascii: "."))
            for place in rounded.magnitude..<rounded.magnitude + precision {
                text.append(0x30 + (place >= 0 && place < rounded.digits.count ? rounded.digits[place] : 0))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// One digit, so many behind the point, and an exponent of two digits or more.
    func scientific(_ precision: Int, hasPoint: Bool) -> String {
        let rounded = rounded(toDigits: precision + 1)
        var text: [UInt8] = [0x30 + (rounded.digits.first ?? 0)]
        if precision > 0 || hasPoint { text.append(UInt8(ascii: ".")) }
        for place in 1..<max(precision + 1, 1) { text.append(0x30 + (place < rounded.digits.count ? rounded.digits[place] : 0)) }
        let exponent = rounded.digits.isEmpty ? 0 : rounded.magnitude - 1
        let number = String(abs(exponent))
        return String(decoding: text, as: UTF8.self) + "e" + (exponent < 0 ? "-" : "+") + (number.utf8.count < 2 ? "0" : "") + number
    }
}
