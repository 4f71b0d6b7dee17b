import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// Follows a path through a document.
struct JSONPathReader {
    /// A path that leads nowhere, where that is an error.
    struct Missing: Error {
        var message: String
    }

    private let document: JSONDocument
    /// How many places a path may look at, so that `..` over `..` ends.
    private static let stepCountMax = 1_000_000

    private struct Found {
        var items: [JSONItem] = []
        var stepCount = 0
    }

    init(_ document: JSONDocument) { self.document = document }

    /// nil where the path leads nowhere; paths that are not definite give a list, if an empty one.
    func read(_ path: JSONPath, from node: Int) throws(MillstreamError) -> JSONItem? {
        do throws(Missing) { return try find(path, from: node) } catch { return path.isDefinite ? nil : .list([]) }
    }

    /// Throws `Missing` as Jayway does in its strict mode.
    func find(_ path: JSONPath, from node: Int) throws(Missing) -> JSONItem {
        if path.isDefinite, let item = try direct(path.steps, node) { return item }
        var results = Found()
        var functions: [JSONPathFunction] = []
        var steps = path.steps[...]
        while case .function(let function)? = steps.last {
            functions.insert(function, at: 0)
            steps.removeLast()
        }
        try walk(steps, node, isDefinite: true, &results)
        let isDefinite = JSONPath.isDefinite(steps)
        if isDefinite, results.items.isEmpty { throw Missing(message: "no results for the JSON path") }
        var item = isDefinite ? results.items[results.items.count - 1] : JSONItem.list(results.items)
        for function in functions { item = try apply(function, item) }
        return item
    }

    /// Paths of single names and indices alone, which most are: no list is made. nil for others.
    private func direct(_ steps: [JSONPath.Step], _ start: Int) throws(Missing) -> JSONItem? {
        var node = start
        for step in steps {
            switch step {
            case .fields(let names) where names.count == 1:
                guard document.nodes[node].kind == .object else { throw Missing(message: "'\(name(names[0]))' is asked of what is no object") }
                guard let value = names[0].withUnsafeBytes({ document.field(node, $0) }) else { throw Missing(message: "No results for path: $['\(name(names[0]))']") }
                node = value
            case .indices(let indices) where indices.count == 1:
                guard document.nodes[node].kind == .array else { throw Missing(message: "[\(indices[0])] is asked of what is no array") }
                let index = indices[0] < 0 ? Int(document.nodes[node].count) + indices[0] : indices[0]
                guard let value = document.element(node, index) else { throw Missing(message: "No results for path: [\(indices[0])]") }
                node = value
            default: return nil
            }
        }
        return .node(node)
    }

    private func name(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// `isDefinite`: whether all steps so far were; then what is missing is an error, otherwise it is passed over.
    private func walk(_ steps: ArraySlice<JSONPath.Step>, _ node: Int, isDefinite: Bool, _ results: inout Found) throws(Missing) {
        results.stepCount += 1
        guard results.stepCount < Self.stepCountMax else { throw Missing(message: "a JSON path takes more than \(Self.stepCountMax) steps") }
        guard let step = steps.first else { return results.items.append(.node(node)) }
        let rest = steps.dropFirst()
        let kind = document.nodes[node].kind
        switch step {
        case .fields(let names):
            guard kind == .object else {
                if !isDefinite { return }
                throw Missing(message: "'\(name(names[0]))' is asked of what is no object")
            }
            if names.count > 1, rest.isEmpty {
                var fields: [(name: [UInt8], value: JSONItem)] = []
                for name in names {
                    if let value = name.withUnsafeBytes({ document.field(node, $0) }), !fields.contains(where: { $0.name == name }) { fields.append((name, .node(value))) }
                }
                return results.items.append(.object(fields))
            }
            for name in names {
                if let value = name.withUnsafeBytes({ document.field(node, $0) }) {
                    try walk(rest, value, isDefinite: isDefinite && names.count == 1, &results)
                } else if !rest.isEmpty, isDefinite, names.count == 1 {
                    throw Missing(message: "Missing property in path $['\(self.name(name))']")
                }
            }
        case .indices(let indices):
            guard try isArray(node, isDefinite) else { return }
            for index in indices {
                let place = index < 0 ? Int(document.nodes[node].count) + index : index
                if let value = document.element(node, place) { try walk(rest, value, isDefinite: isDefinite && indices.count == 1, &results) }
            }
        case .slice(let from, let to):
            guard try isArray(node, isDefinite) else { return }
            let elements = document.elements(node)
            var (first, last) = (0, elements.count)
            switch (from, to) {
            case (let start?, let end?): (first, last) = (start, min(elements.count, end))
            case (let start?, nil): first = max(0, start < 0 ? elements.count + start : start)
            case (nil, let end?): last = min(elements.count, end < 0 ? elements.count + end : end)
            default: break
            }
            guard first < last else { return }
            for index in max(first, -elements.count)..<last {
                let place = index < 0 ? elements.count + index : index
                if place >= 0, place < elements.count { try walk(rest, elements[place], isDefinite: false, &results) }
            }
        case .wildcard:
            if kind == .object {
                for field in document.fields(node) { try walkOptional(rest, field.value, &results) }
            } else if kind == .array {
                for element in document.elements(node) { try walkOptional(rest, element, &results) }
            }
        case .scan: try scan(rest, node, &results)
        case .filter(let filter):
            if kind == .object {
                if try accepts(filter, node) { try walk(rest, node, isDefinite: false, &results) }
            } else if kind == .array {
                for element in document.elements(node) where try accepts(filter, element) { try walk(rest, element, isDefinite: false, &results) }
            } else if isDefinite {
                throw Missing(message: "a filter of a JSON path is asked of what is neither object nor array")
            }
        case .function: throw Missing(message: "a function of a JSON path stands at its end")
        }
    }

    private func walkOptional(_ steps: ArraySlice<JSONPath.Step>, _ node: Int, _ results: inout Found) throws(Missing) {
        do throws(Missing) { try walk(steps, node, isDefinite: false, &results) } catch { if results.stepCount >= Self.stepCountMax { throw error } }
    }

    private func accepts(_ filter: JSONPathFilter, _ node: Int) throws(Missing) -> Bool {
        do throws(MillstreamError) { return try filter.accepts(node, document) } catch { throw Missing(message: error.message) }
    }

    private func isArray(_ node: Int, _ isDefinite: Bool) throws(Missing) -> Bool {
        if document.nodes[node].kind == .array { return true }
        if !isDefinite { return false }
        throw Missing(message: "an index is asked of what is no array")
    }

    /// The next step at every object and array from a node on, in the order of the text, which is the order of the nodes: no recursion into the document.
    private func scan(_ steps: ArraySlice<JSONPath.Step>, _ node: Int, _ results: inout Found) throws(Missing) {
        guard let step = steps.first else { return }
        let end = Int(document.nodes[node].next)
        for place in node..<end {
            let kind = document.nodes[place].kind
            guard kind == .object || kind == .array else { continue }
            switch step {
            case .fields(let names):
                guard kind == .object else { continue }
                if names.count == 1, names[0].withUnsafeBytes({ document.field(place, $0) }) == nil { continue }
                try walkOptional(steps, place, &results)
            case .indices, .slice: if kind == .array { try walkOptional(steps, place, &results) }
            case .filter(let filter):
                // Each container is asked once, by whoever holds it; the root has no holder.
                if kind == .array {
                    try walkOptional(steps, place, &results)
                } else if try accepts(filter, place), place == node {
                    try walkOptional(steps, place, &results)
                }
            default: try walkOptional(steps, place, &results)
            }
        }
    }

    // MARK: Functions

    private func apply(_ function: JSONPathFunction, _ item: JSONItem) throws(Missing) -> JSONItem {
        let items: [JSONItem]?
        switch item {
        case .list(let list): items = list
        case .node(let node) where document.nodes[node].kind == .array: items = document.elements(node).map { .node($0) }
        default: items = nil
        }
        switch function {
        case .length, .size:
            if let items { return .integer(items.count) }
            if case .node(let node) = item, document.nodes[node].kind == .object { return .integer(Int(document.nodes[node].count)) }
            return .null
        case .keys:
            guard case .node(let node) = item, document.nodes[node].kind == .object else { return .null }
            return .list(document.fields(node).map { .text($0.name) })
        case .first, .last:
            guard let items, let found = function == .first ? items.first : items.last else { throw Missing(message: "\(function.rawValue)() of an empty array") }
            return found
        case .min, .max, .avg, .sum, .stddev:
            let numbers = (items ?? []).compactMap { number($0) }
            guard !numbers.isEmpty else { throw Missing(message: "\(function.rawValue)() of no numbers") }
            let count = Double(numbers.count)
            let sum = numbers.reduce(0, +)
            switch function {
            case .min: return .number(numbers.min() ?? 0)
            case .max: return .number(numbers.max() ?? 0)
            case .avg: return .number(sum / count)
            case .sum: return .number(sum)
            default: return .number((numbers.reduce(0) { $0 + $1 * $1 } / count - sum * sum / count / count).squareRoot())
            }
        }
    }

    private func number(_ item: JSONItem) -> Double? {
        guard case .node(let node) = item, document.nodes[node].kind == .integer || document.nodes[node].kind == .number else { return nil }
        return Double(String(decoding: document.bytes(node), as: UTF8.self))
    }
}

extension TextColumn {
    /// What a path gave, as JSON.
    func append(json item: JSONItem, of document: JSONDocument) {
        switch item {
        case .node(let node): append(json: node, of: document)
        case .null: append("null")
        case .number(let number): JSONNumbers.append(number, to: self)
        case .integer(let number): append(String(number))
        case .text(let text): text.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in append(jsonString: bytes) }
        case .list(let items):
            append(UInt8(ascii: "["))
            for (place, item) in items.enumerated() {
                if place > 0 { append(UInt8(ascii: ",")) }
                append(json: item, of: document)
            }
            append(UInt8(ascii: "]"))
        case .object(let fields):
            append(UInt8(ascii: "{"))
            for (place, field) in fields.sorted(by: { JSONNames.isLess($0.name, $1.name) }).enumerated() {
                if place > 0 { append(UInt8(ascii: ",")) }
                field.name.withUnsafeBytes { (name: UnsafeRawBufferPointer) in append(jsonString: name) }
                append(UInt8(ascii: ":"))
                append(json: field.value, of: document)
            }
            append(UInt8(ascii: "}"))
        }
    }

    /// A scalar as JSON_VALUE gives it: strings without quotes. False for null, objects and arrays.
    func append(jsonScalar item: JSONItem, of document: JSONDocument) -> Bool {
        switch item {
        case .node(let node):
            switch document.nodes[node].kind {
            case .null, .array, .object: return false
            case .string: append(string: node, of: document)
            default: append(json: node, of: document)
            }
        case .number(let number): append(FloatingText.java(number))
        case .integer(let number): append(String(number))
        case .text(let text): append(text)
        case .null, .list, .object: return false
        }
        return true
    }

    func append(string node: Int, of document: JSONDocument) { document.append(string: node, to: self) }
}
