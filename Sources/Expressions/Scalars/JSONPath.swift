import Columnar

/// A path into JSON as Flink's library (Jayway JsonPath) reads it: `$.a['b'][0][-1][1:3][*].*..c[?(@.d > 1)].length()`.
struct JSONPath {
    indirect enum Step {
        /// Fields by name; several make one object of them at the end of a path.
        case fields([[UInt8]])
        /// Negative ones count from the end.
        case indices([Int])
        case slice(from: Int?, to: Int?)
        case wildcard
        /// `..`: the next step anywhere below.
        case scan
        case filter(JSONPathFilter)
        case function(JSONPathFunction)
    }

    /// `lax` before the path: what is not there is no error.
    let isLax: Bool
    let steps: [Step]
    /// Whether at most one place can be meant; the results of other paths are a list.
    let isDefinite: Bool

    struct Failure: Error {
        var message: String
    }

    init(_ text: [UInt8]) throws(Failure) {
        var rest = text[...]
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
        // ^\s*(strict|lax)\s+(.+)$, of any case.
        let trimmed = rest.drop(while: isSpace)
        var isLax = false
        for (word, meaning) in [("strict", false), ("lax", true)] {
            let head = trimmed.prefix(word.utf8.count)
            guard head.map({ $0 | 0x20 }).elementsEqual(word.utf8) else { continue }
            let behind = trimmed.dropFirst(word.utf8.count)
            let path = behind.drop(while: isSpace)
            if path.count < behind.count, !path.isEmpty { (isLax, rest) = (meaning, path) }
        }
        self.isLax = isLax
        var parser = JSONPathParser(Array(rest))
        steps = try parser.parse()
        isDefinite = Self.isDefinite(steps[...])
    }

    /// A path within a filter: from `@` or `$`.
    init(steps: [Step]) {
        isLax = true
        self.steps = steps
        isDefinite = Self.isDefinite(steps[...])
    }

    static func isDefinite(_ steps: ArraySlice<Step>) -> Bool {
        for (place, step) in steps.enumerated() {
            switch step {
            case .fields(let names): if names.count > 1, place < steps.count - 1 { return false }
            case .indices(let indices): if indices.count > 1 { return false }
            case .function: break
            case .slice, .wildcard, .scan, .filter: return false
            }
        }
        return true
    }
}

/// What a path gives: a place in the document, or what was made of several.
indirect enum JSONItem {
    case node(Int)
    case list([JSONItem])
    case object([(name: [UInt8], value: JSONItem)])
    case number(Double)
    case integer(Int)
    case text([UInt8])
    case null
}

enum JSONPathFunction: String {
    case length, size, min, max, avg, sum, stddev, keys, first, last
}

/// Reads a path.
struct JSONPathParser {
    private let bytes: [UInt8]
    private var place = 0

    init(_ text: [UInt8]) {
        // Space behind a path is passed over; before it, it is the start of a name, which cannot be.
        var text = text[...]
        while let last = text.last, last <= 0x20 { text.removeLast() }
        // A path that begins with neither is one below the root.
        if let first = text.first, first != UInt8(ascii: "$"), first != UInt8(ascii: "@") { bytes = Array("$.".utf8) + text } else { bytes = Array(text) }
    }

    private func failure(_ message: String) -> JSONPath.Failure {
        JSONPath.Failure(message: "the JSON path '\(String(decoding: bytes, as: UTF8.self))' is wrong at place \(place + 1): \(message)")
    }

    private func at(_ ahead: Int = 0) -> UInt8 { place + ahead < bytes.count ? bytes[place + ahead] : 0 }
    private mutating func skipSpace() { while at() == 0x20 { place += 1 } }

    mutating func parse() throws(JSONPath.Failure) -> [JSONPath.Step] {
        guard !bytes.isEmpty else { throw failure("it is empty") }
        guard bytes.last != UInt8(ascii: ".") else { throw failure("it must not end with '.'") }
        place = 1
        return try steps(isWhole: true)
    }

    /// The steps behind `$` or `@`; within a filter they end where no step can go on.
    private mutating func steps(isWhole: Bool) throws(JSONPath.Failure) -> [JSONPath.Step] {
        var steps: [JSONPath.Step] = []
        while place < bytes.count {
            switch at() {
            case UInt8(ascii: "["): steps.append(try bracket())
            case UInt8(ascii: "."):
                place += 1
                if at() == UInt8(ascii: ".") {
                    place += 1
                    guard place < bytes.count else { throw failure("'..' needs something behind it") }
                    steps.append(.scan)
                }
                // Jayway passes over a '.' before '['.
                if at() == UInt8(ascii: "[") { continue }
                steps.append(try nameOrFunction(isWhole: isWhole))
            default:
                if isWhole { throw failure("'.' or '[' is missing") }
                return steps
            }
        }
        return steps
    }

    private mutating func nameOrFunction(isWhole: Bool) throws(JSONPath.Failure) -> JSONPath.Step {
        if at() == UInt8(ascii: "*"), place + 1 == bytes.count || [UInt8(ascii: "."), UInt8(ascii: "["), 0x20, UInt8(ascii: ")")].contains(at(1)) {
            place += 1
            return .wildcard
        }
        let start = place
        while place < bytes.count, at() != UInt8(ascii: "."), at() != UInt8(ascii: "["), at() != UInt8(ascii: "(") {
            if !isWhole, [0x20, UInt8(ascii: ")"), UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "|")].contains(at()) { break }
            if at() == 0x20 { throw failure("a name with a space needs brackets: ['my name']") }
            place += 1
        }
        let name = Array(bytes[start..<place])
        guard !name.isEmpty else { throw failure("a name is missing") }
        guard at() == UInt8(ascii: "(") else { return .fields([name]) }
        place += 1
        skipSpace()
        guard at() == UInt8(ascii: ")") else { throw failure("arguments of functions are not built") }
        place += 1
        guard let function = JSONPathFunction(rawValue: String(decoding: name, as: UTF8.self)) else { throw failure("there is no such function") }
        return .function(function)
    }

    private mutating func bracket() throws(JSONPath.Failure) -> JSONPath.Step {
        place += 1
        skipSpace()
        switch at() {
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            var names: [[UInt8]] = []
            while true {
                names.append(try quoted())
                skipSpace()
                if at() == UInt8(ascii: ",") {
                    place += 1
                    skipSpace()
                    continue
                }
                break
            }
            try close()
            return .fields(names)
        case UInt8(ascii: "*"):
            place += 1
            skipSpace()
            try close()
            return .wildcard
        case UInt8(ascii: "?"):
            place += 1
            skipSpace()
            guard at() == UInt8(ascii: "(") else { throw failure("'(' is missing behind '?'") }
            place += 1
            let filter = try anyOf()
            skipSpace()
            guard at() == UInt8(ascii: ")") else { throw failure("')' is missing") }
            place += 1
            skipSpace()
            try close()
            return .filter(filter)
        default: return try indices()
        }
    }

    private mutating func close() throws(JSONPath.Failure) {
        guard at() == UInt8(ascii: "]") else { throw failure("']' is missing") }
        place += 1
    }

    private mutating func quoted() throws(JSONPath.Failure) -> [UInt8] {
        let quote = at()
        guard quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else { throw failure("a name in quotes is missing") }
        place += 1
        var name: [UInt8] = []
        while place < bytes.count, at() != quote {
            if at() == UInt8(ascii: "\\"), place + 1 < bytes.count {
                place += 1
                switch at() {
                case UInt8(ascii: "n"): name.append(0x0A)
                case UInt8(ascii: "t"): name.append(0x09)
                case UInt8(ascii: "r"): name.append(0x0D)
                default: name.append(at())
                }
            } else {
                name.append(at())
            }
            place += 1
        }
        guard place < bytes.count else { throw failure("a name is not closed") }
        place += 1
        return name
    }

    private mutating func integer() throws(JSONPath.Failure) -> Int? {
        skipSpace()
        let start = place
        if at() == UInt8(ascii: "-") { place += 1 }
        while at() >= 0x30, at() <= 0x39 { place += 1 }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        skipSpace()
        if text.isEmpty { return nil }
        guard let value = Int32(text) else { throw failure("this is no index") }
        return Int(value)
    }

    private mutating func indices() throws(JSONPath.Failure) -> JSONPath.Step {
        let first = try integer()
        if at() == UInt8(ascii: ":") {
            place += 1
            let last = try integer()
            guard first != nil || last != nil else { throw failure("a slice needs a start or an end") }
            try close()
            return .slice(from: first, to: last)
        }
        guard let first else { throw failure("an index, a name in quotes, '*' or '?' is missing") }
        var indices = [first]
        while at() == UInt8(ascii: ",") {
            place += 1
            guard let next = try integer() else { throw failure("an index is missing") }
            indices.append(next)
        }
        try close()
        return .indices(indices)
    }

    // MARK: Filters

    private static let depthMax = 50
    private var depth = 0

    private mutating func enter() throws(JSONPath.Failure) {
        depth += 1
        guard depth < Self.depthMax else { throw failure("filters nest too deep") }
    }

    private mutating func anyOf() throws(JSONPath.Failure) -> JSONPathFilter {
        var parts = [try allOf()]
        skipSpace()
        while at() == UInt8(ascii: "|"), at(1) == UInt8(ascii: "|") {
            place += 2
            parts.append(try allOf())
            skipSpace()
        }
        return parts.count == 1 ? parts[0] : .or(parts)
    }

    private mutating func allOf() throws(JSONPath.Failure) -> JSONPathFilter {
        var parts = [try condition()]
        skipSpace()
        while at() == UInt8(ascii: "&"), at(1) == UInt8(ascii: "&") {
            place += 2
            parts.append(try condition())
            skipSpace()
        }
        return parts.count == 1 ? parts[0] : .and(parts)
    }

    private mutating func condition() throws(JSONPath.Failure) -> JSONPathFilter {
        try enter()
        defer { depth -= 1 }
        skipSpace()
        if at() == UInt8(ascii: "!"), at(1) != UInt8(ascii: "=") {
            place += 1
            return .not(try condition())
        }
        if at() == UInt8(ascii: "(") {
            place += 1
            let inner = try anyOf()
            skipSpace()
            guard at() == UInt8(ascii: ")") else { throw failure("')' is missing") }
            place += 1
            return inner
        }
        let left = try operand()
        skipSpace()
        let start = place
        while [UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "~")].contains(at()) { place += 1 }
        if place == start { while at() | 0x20 >= 0x61, at() | 0x20 <= 0x7A { place += 1 } }
        let sign = String(decoding: bytes[start..<place], as: UTF8.self).lowercased()
        if sign.isEmpty { return .exists(left) }
        guard let comparison = JSONPathFilter.Comparison(rawValue: sign) else {
            place = start
            throw failure("there is no operator '\(sign)'")
        }
        return .compare(left, comparison, try operand())
    }

    private mutating func operand() throws(JSONPath.Failure) -> JSONPathFilter.Operand {
        try enter()
        defer { depth -= 1 }
        skipSpace()
        switch at() {
        case UInt8(ascii: "@"), UInt8(ascii: "$"):
            let isRoot = at() == UInt8(ascii: "$")
            place += 1
            return .path(JSONPath(steps: try steps(isWhole: false)), isRoot: isRoot)
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return .text(try quoted())
        case UInt8(ascii: "["):
            place += 1
            var values: [JSONPathFilter.Operand] = []
            skipSpace()
            while at() != UInt8(ascii: "]") {
                values.append(try operand())
                skipSpace()
                if at() == UInt8(ascii: ",") { place += 1 } else if at() != UInt8(ascii: "]") { throw failure("']' is missing") }
                skipSpace()
            }
            place += 1
            return .list(values)
        case UInt8(ascii: "/"):
            place += 1
            var pattern: [UInt8] = []
            while place < bytes.count, at() != UInt8(ascii: "/") {
                if at() == UInt8(ascii: "\\"), at(1) == UInt8(ascii: "/") { place += 1 }
                pattern.append(at())
                place += 1
            }
            guard place < bytes.count else { throw failure("a regular expression is not closed") }
            place += 1
            while at() | 0x20 >= 0x61, at() | 0x20 <= 0x7A {
                if at() == UInt8(ascii: "i") { pattern = Array("(?i)".utf8) + pattern }
                place += 1
            }
            do throws(Regex.Failure) {
                return .pattern(try pattern.withFailure { (bytes: UnsafeRawBufferPointer) throws(Regex.Failure) in try Regex(bytes, isWhole: true) })
            } catch { throw failure(error.message) }
        default:
            let start = place
            while place < bytes.count, ![0x20, UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "|")].contains(at()) {
                place += 1
            }
            let word = String(decoding: bytes[start..<place], as: UTF8.self)
            switch word {
            case "true": return .boolean(true)
            case "false": return .boolean(false)
            case "null": return .null
            default:
                guard let number = Double(word), number.isFinite else { throw failure("a value is missing") }
                return .number(number)
            }
        }
    }
}

extension Array where Element == UInt8 {
    /// `body` of the bytes, with the errors of regular expressions.
    func withFailure<Result>(_ body: (UnsafeRawBufferPointer) throws(Regex.Failure) -> Result) throws(Regex.Failure) -> Result {
        var failure: Regex.Failure?
        let result = withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> Result? in
            do throws(Regex.Failure) { return try body(bytes) } catch {
                failure = error
                return nil
            }
        }
        if let result { return result }
        throw failure ?? Regex.Failure(message: "no result", place: 0)
    }
}
