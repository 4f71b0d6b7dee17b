import Columnar
import Plan

/// JSON_OBJECT, JSON_ARRAY and JSON_STRING. Fields are in the order of their names.
enum JSONConstructors {
    /// Whether what an argument gives is JSON already.
    private static func isJSON(_ request: KernelRequest, _ index: Int) -> Bool {
        guard index < request.functions.count else { return false }
        switch request.functions[index] {
        case .json?, .jsonObject?, .jsonArray?: return true
        default: return false
        }
    }

    /// `(onNull, key, value, …)`.
    static func object(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let skipsNulls = request.text(0) == "ABSENT"
        let fields = stride(from: 1, to: request.arguments.count - 1, by: 2).map { $0 }
        let writers = fields.map { isJSON(request, $0 + 1) ? nil : JSONValueWriter(request.arguments[$0 + 1]) }
        func sorted(_ keys: [[UInt8]]) -> [Int] {
            keys.indices.sorted { JSONNames.isLess(keys[$0], keys[$1]) || (keys[$0] == keys[$1] && $0 < $1) }
        }
        let constants = fields.map { index -> [UInt8]? in if case .bytes(let bytes)? = request.constants[index] { bytes } else { nil } }
        let isFixed = !constants.contains { $0 == nil }
        let fixedKeys = constants.map { $0 ?? [] }
        let fixedOrder = isFixed ? sorted(fixedKeys) : []
        return { (arguments, count, _) throws(MillstreamError) in
            return try TextLoops.text([], count, type) { (row, result) throws(MillstreamError) in
                var (keys, order) = (fixedKeys, fixedOrder)
                if !isFixed {
                    for (place, index) in fields.enumerated() {
                        guard arguments[index].type.kind != .null, !arguments[index].isNull(row) else {
                            throw MillstreamError(.invalidArgument, "a key of JSON_OBJECT is NULL", recordIndex: Int64(row))
                        }
                        keys[place] = Array(arguments[index].bytes(row))
                    }
                    order = sorted(keys)
                }
                result.append(UInt8(ascii: "{"))
                var isFirst = true
                for (rank, place) in order.enumerated() {
                    let value = arguments[fields[place] + 1]
                    func isGone(_ operand: Operand) -> Bool { skipsNulls && (operand.type.kind == .null || operand.isNull(row)) }
                    if isGone(value) { continue }
                    // The last field of a name counts.
                    let isOverwritten = order[(rank + 1)...].prefix { keys[$0] == keys[place] }.contains { !isGone(arguments[fields[$0] + 1]) }
                    if isOverwritten { continue }
                    if !isFirst { result.append(UInt8(ascii: ",")) }
                    isFirst = false
                    keys[place].withUnsafeBytes { (key: UnsafeRawBufferPointer) in result.append(jsonString: key) }
                    result.append(UInt8(ascii: ":"))
                    write(value, row, writers[place], to: result)
                }
                result.append(UInt8(ascii: "}"))
                return true
            }
        }
    }

    /// `(onNull, value, …)`.
    static func array(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let skipsNulls = request.text(0) == "ABSENT"
        let writers = request.arguments.indices.map { $0 == 0 || isJSON(request, $0) ? nil : JSONValueWriter(request.arguments[$0]) }
        return { (arguments, count, _) throws(MillstreamError) in
            return try TextLoops.text([], count, type) { (row, result) in
                result.append(UInt8(ascii: "["))
                var isFirst = true
                for (index, value) in arguments.enumerated().dropFirst() {
                    if skipsNulls, value.type.kind == .null || value.isNull(row) { continue }
                    if !isFirst { result.append(UInt8(ascii: ",")) }
                    isFirst = false
                    write(value, row, writers[index], to: result)
                }
                result.append(UInt8(ascii: "]"))
                return true
            }
        }
    }

    static func string(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let writer = JSONValueWriter(request.arguments[0])
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            return try TextLoops.text(arguments, count, type) { (row, result) in
                writer.write(arguments[0].column, arguments[0].isConstant ? 0 : row, to: result)
                return true
            }
        }
    }

    private static func write(_ operand: Operand, _ row: Int, _ writer: JSONValueWriter?, to result: TextColumn) {
        if operand.type.kind == .null || operand.isNull(row) { return result.append("null") }
        if let writer { writer.write(operand.column, operand.isConstant ? 0 : row, to: result) } else { result.append(operand.bytes(row)) }
    }
}

/// Values of one type as JSON. Made once for a column.
final class JSONValueWriter {
    private enum Form {
        case null, boolean, int8, int16, int32, int64, float, double, decimal, text, bytes, date, timestamp, timestampLTZ, time32, time64, variant, list, map, row
    }

    private let form: Form
    private let precision: Int
    private var children: [JSONValueWriter] = []
    /// ROW: the fields' names in JSON and the order to write them in.
    private var names: [[UInt8]] = []
    private var order: [Int] = []
    /// MAP: whether keys are text; others are written as text in quotes.
    private var hasTextKeys = true

    init(_ type: DataType) {
        var precision = 0
        switch type.kind {
        case .null, .object: form = .null
        case .boolean: form = .boolean
        case .tinyInt: form = .int8
        case .smallInt: form = .int16
        case .int, .intervalYearMonth: form = .int32
        case .bigInt, .intervalDayTime: form = .int64
        case .float: form = .float
        case .double: form = .double
        case .decimal(_, let scale): (form, precision) = (.decimal, scale)
        case .char, .varChar: form = .text
        case .binary, .varBinary, .raw, .bitmap: form = .bytes
        case .date: form = .date
        case .time(let digits): (form, precision) = (digits <= 3 ? .time32 : .time64, digits)
        case .timestamp(let digits): (form, precision) = (.timestamp, digits)
        case .timestampLTZ(let digits): (form, precision) = (.timestampLTZ, digits)
        case .variant: form = .variant
        case .array: form = .list
        case .map, .multiset: form = .map
        case .row, .structured: form = .row
        }
        self.precision = precision
        switch type.kind {
        case .array(let element): children = [JSONValueWriter(element)]
        case .map(let key, let value):
            children = [JSONValueWriter(key), JSONValueWriter(value)]
            hasTextKeys = key.isText
        case .multiset(let element):
            children = [JSONValueWriter(element), JSONValueWriter(.int)]
            hasTextKeys = element.isText
        case .row(let fields), .structured(_, let fields):
            children = fields.map { JSONValueWriter($0.type) }
            names = fields.map { Array($0.name.utf8) }
            let names = names
            order = names.indices.sorted { JSONNames.isLess(names[$0], names[$1]) || (names[$0] == names[$1] && $0 < $1) }
        default: break
        }
    }

    func write(_ column: Column, _ row: Int, to result: TextColumn) {
        if column.isNull(row) { return result.append("null") }
        switch form {
        case .null: result.append("null")
        case .boolean: result.append(column.bit(row) ? "true" : "false")
        case .int8: result.append(String(column.pointer(as: Int8.self)[row]))
        case .int16: result.append(String(column.pointer(as: Int16.self)[row]))
        case .int32: result.append(String(column.pointer(as: Int32.self)[row]))
        case .int64: result.append(String(column.pointer(as: Int64.self)[row]))
        case .float: JSONNumbers.append(Double(column.pointer(as: Float.self)[row]), to: result)
        case .double: JSONNumbers.append(column.pointer(as: Double.self)[row], to: result)
        case .decimal: JSONNumbers.append(column.pointer(as: Int128.self)[row], scale: precision, to: result)
        case .text: result.append(jsonString: column.bytes(row))
        case .bytes:
            result.append(UInt8(ascii: "\""))
            EncodingBase64.encode(column.bytes(row), to: result)
            result.append(UInt8(ascii: "\""))
        case .date: quoted(TimestampText.date(days: Int64(column.pointer(as: Int32.self)[row])), result)
        case .time32: quoted(JSONTimes.time(Int64(column.pointer(as: Int32.self)[row]), precision: precision), result)
        case .time64: quoted(JSONTimes.time(column.pointer(as: Int64.self)[row], precision: precision), result)
        case .timestamp: quoted(JSONTimes.timestamp(column.pointer(as: Int64.self)[row], precision: precision), result)
        case .timestampLTZ: quoted(JSONTimes.timestamp(column.pointer(as: Int64.self)[row], precision: precision) + "Z", result)
        case .variant: VariantFunctions.appendJSON(column.bytes(row), to: result)
        case .list:
            result.append(UInt8(ascii: "["))
            let range = column.listRange(row)
            for place in range {
                if place > range.lowerBound { result.append(UInt8(ascii: ",")) }
                children[0].write(column.children[0], place, to: result)
            }
            result.append(UInt8(ascii: "]"))
        case .map: writeMap(column, row, to: result)
        case .row:
            result.append(UInt8(ascii: "{"))
            var isFirst = true
            for (rank, place) in order.enumerated() {
                // Of several fields of one name the last is written.
                if rank + 1 < order.count, names[order[rank + 1]] == names[place] { continue }
                if !isFirst { result.append(UInt8(ascii: ",")) }
                isFirst = false
                names[place].withUnsafeBytes { (name: UnsafeRawBufferPointer) in result.append(jsonString: name) }
                result.append(UInt8(ascii: ":"))
                children[place].write(column.children[place], column.offset + row, to: result)
            }
            result.append(UInt8(ascii: "}"))
        }
    }

    private func quoted(_ text: String, _ result: TextColumn) {
        result.append(UInt8(ascii: "\""))
        result.append(text)
        result.append(UInt8(ascii: "\""))
    }

    private func writeMap(_ column: Column, _ row: Int, to result: TextColumn) {
        let entries = column.children[0]
        let (keys, values) = (entries.children[0], entries.children[1])
        var order: [(key: [UInt8], place: Int)] = []
        for index in column.listRange(row) {
            let place = entries.offset + index
            if hasTextKeys {
                order.append((keys.isNull(place) ? Array("null".utf8) : Array(keys.bytes(place)), place))
            } else {
                let scratch = TextColumn(rowCount: 1)
                children[0].write(keys, place, to: scratch)
                order.append((Array(scratch.valueBytes), place))
            }
        }
        order.sort { JSONNames.isLess($0.key, $1.key) }
        result.append(UInt8(ascii: "{"))
        for (rank, entry) in order.enumerated() {
            if rank > 0 { result.append(UInt8(ascii: ",")) }
            entry.key.withUnsafeBytes { (key: UnsafeRawBufferPointer) in result.append(jsonString: key) }
            result.append(UInt8(ascii: ":"))
            children[1].write(values, entry.place, to: result)
        }
        result.append(UInt8(ascii: "}"))
    }
}

/// Points in time as JSON has them: `2020-01-01T12:00:00.1`, with as many digits of the second as it has.
enum JSONTimes {
    static func timestamp(_ value: Int64, precision: Int) -> String {
        let local = local(value, precision: precision)
        var fraction = local.fraction == 0 ? "" : ".\(nine(local.fraction))"
        while fraction.utf8.last == 0x30 { fraction.removeLast() }
        return "\(local.minutes):\(two(local.seconds))\(fraction)"
    }

    /// Date and time to the minute, the second, and its nanoseconds.
    static func local(_ value: Int64, precision: Int) -> (minutes: String, seconds: Int, fraction: Int) {
        let unit = TimeUnit(precision: precision).perSecond
        // The unit's own precision prints all of its digits.
        let text = TimestampText.timestamp(value, precision: unit == 1 ? 0 : unit == 1_000 ? 3 : unit == 1_000_000 ? 6 : 9)
        let parts = text.split(separator: " ")
        guard parts.count == 2, parts[1].utf8.count >= 8 else { return (text, 0, 0) }
        let time = Array(parts[1].utf8)
        let fraction = time.dropFirst(9)
        var nanoseconds = 0
        for place in 0..<9 { nanoseconds = nanoseconds * 10 + (place < fraction.count ? Int(fraction[fraction.startIndex + place] &- 0x30) : 0) }
        return ("\(parts[0])T\(String(decoding: time[..<5], as: UTF8.self))", Int(time[6] &- 0x30) * 10 + Int(time[7] &- 0x30), nanoseconds)
    }

    static func time(_ value: Int64, precision: Int) -> String {
        let text = timestamp(value, precision: precision)
        return String(text.drop { $0 != "T" }.dropFirst())
    }

    static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }

    static func nine(_ value: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, 9 - digits.utf8.count)) + digits
    }

    /// Three, six or nine digits.
    static func groups(_ nanoseconds: Int) -> String {
        let digits = nine(nanoseconds)
        return String(digits.prefix(nanoseconds % 1_000_000 == 0 ? 3 : nanoseconds % 1_000 == 0 ? 6 : 9))
    }
}
