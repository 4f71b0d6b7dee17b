import Columnar

/// The condition of `[?(…)]`.
indirect enum JSONPathFilter {
    case and([JSONPathFilter])
    case or([JSONPathFilter])
    case not(JSONPathFilter)
    case exists(Operand)
    case compare(Operand, Comparison, Operand)

    enum Comparison: String {
        case equal = "=="
        case notEqual = "!="
        case identical = "==="
        case notIdentical = "!=="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case matches = "=~"
        case `in`
        case nin
        case contains
        case size
        case empty
    }

    indirect enum Operand {
        case path(JSONPath, isRoot: Bool)
        case number(Double)
        case text([UInt8])
        case boolean(Bool)
        case null
        case list([Operand])
        case pattern(Regex)
    }

    func accepts(_ node: Int, _ document: JSONDocument) throws(MillstreamError) -> Bool {
        switch self {
        case .and(let parts):
            for part in parts where try !part.accepts(node, document) { return false }
            return true
        case .or(let parts):
            for part in parts where try part.accepts(node, document) { return true }
            return false
        case .not(let inner): return try !inner.accepts(node, document)
        case .exists(let operand):
            guard case .path(let path, let isRoot) = operand else { return true }
            guard let item = try JSONPathReader(document).read(path, from: isRoot ? 0 : node) else { return false }
            if case .list(let items) = item, !path.isDefinite { return !items.isEmpty }
            return true
        case .compare(let left, let comparison, let right):
            return try Self.compare(try value(left, node, document), comparison, try value(right, node, document))
        }
    }

    /// What an operand is for one node. A path that leads nowhere is `undefined`.
    enum Value {
        case undefined
        case null
        case boolean(Bool)
        case number(Double)
        case text([UInt8])
        case list([Value])
        /// An object, of which only its size and its sameness with itself matter.
        case object(Int, count: Int)
        case pattern(Regex)
    }

    private func value(_ operand: Operand, _ node: Int, _ document: JSONDocument) throws(MillstreamError) -> Value {
        switch operand {
        case .number(let number): return .number(number)
        case .text(let text): return .text(text)
        case .boolean(let truth): return .boolean(truth)
        case .null: return .null
        case .pattern(let regex): return .pattern(regex)
        case .list(let operands):
            var values: [Value] = []
            for operand in operands { values.append(try value(operand, node, document)) }
            return .list(values)
        case .path(let path, let isRoot):
            guard let item = try JSONPathReader(document).read(path, from: isRoot ? 0 : node) else { return .undefined }
            return Self.value(item, document)
        }
    }

    private static func value(_ item: JSONItem, _ document: JSONDocument) -> Value {
        switch item {
        case .null: return .null
        case .number(let number): return .number(number)
        case .integer(let number): return .number(Double(number))
        case .text(let text): return .text(text)
        case .list(let items): return .list(items.map { value($0, document) })
        case .object(let fields): return .object(-1, count: fields.count)
        case .node(let node):
            switch document.nodes[node].kind {
            case .null: return .null
            case .isTrue: return .boolean(true)
            case .isFalse: return .boolean(false)
            case .integer, .number: return .number(Double(String(decoding: document.bytes(node), as: UTF8.self)) ?? .nan)
            case .string: return .text(document.characters(node))
            case .array: return .list(document.elements(node).map { value(.node($0), document) })
            case .object: return .object(node, count: Int(document.nodes[node].count))
            }
        }
    }

    private static func compare(_ left: Value, _ comparison: Comparison, _ right: Value) throws(MillstreamError) -> Bool {
        switch comparison {
        case .equal, .identical: return isEqual(left, right)
        case .notEqual, .notIdentical: return !isEqual(left, right)
        case .less: return order(left, right).map { $0 < 0 } ?? false
        case .lessOrEqual: return order(left, right).map { $0 <= 0 } ?? false
        case .greater: return order(left, right).map { $0 > 0 } ?? false
        case .greaterOrEqual: return order(left, right).map { $0 >= 0 } ?? false
        case .matches:
            guard case .pattern(let regex) = right, case .text(let text) = left else { return false }
            return try text.withBytes { (bytes: UnsafeRawBufferPointer) throws(MillstreamError) in try regex.find(regex.subject(bytes)) }
        case .in:
            guard case .list(let values) = right else { return false }
            return values.contains { isEqual(left, $0) }
        case .nin:
            guard case .list(let values) = right else { return false }
            return !values.contains { isEqual(left, $0) }
        case .contains:
            if case .list(let values) = left { return values.contains { isEqual($0, right) } }
            guard case .text(let text) = left, case .text(let part) = right else { return false }
            return text.withUnsafeBytes { text in part.withUnsafeBytes { part in TextPoints.find(part, in: text) != nil } }
        case .size:
            guard case .number(let wanted) = right, let count = count(left) else { return false }
            return Double(count) == wanted
        case .empty:
            guard case .boolean(let wanted) = right, let count = count(left) else { return false }
            return (count == 0) == wanted
        }
    }

    private static func count(_ value: Value) -> Int? {
        switch value {
        case .list(let values): values.count
        case .object(_, let count): count
        case .text(let text): text.withUnsafeBytes { TextPoints.count($0) }
        default: nil
        }
    }

    private static func isEqual(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.undefined, .undefined), (.null, .null): true
        case (.boolean(let a), .boolean(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.text(let a), .text(let b)): a == b
        case (.number(let a), .text(let b)), (.text(let b), .number(let a)): Double(String(decoding: b, as: UTF8.self)) == a
        case (.list(let a), .list(let b)): a.count == b.count && zip(a, b).allSatisfy { isEqual($0, $1) }
        case (.object(let a, _), .object(let b, _)): a == b && a >= 0
        default: false
        }
    }

    private static func order(_ left: Value, _ right: Value) -> Int? {
        switch (left, right) {
        case (.number(let a), .number(let b)): a < b ? -1 : a > b ? 1 : a == b ? 0 : nil
        case (.text(let a), .text(let b)): a == b ? 0 : JSONNames.isLess(a, b) ? -1 : 1
        default: nil
        }
    }
}
