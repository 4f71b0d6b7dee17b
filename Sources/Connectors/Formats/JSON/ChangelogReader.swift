import CDecoding
import Columnar
import Plan

/// A line is a change of a table: one row or more, with row kinds, as the tool that read the database's log wrote it (Debezium, Canal, Maxwell, Ogg).
///
/// An update is two rows, -U with the old values and +U with the new ones. Canal and Maxwell give of the old row the fields that changed only; the
/// others are those of the new row.
final class ChangelogReader: JSONLineReader {
    private enum Operation { case insert, update, delete, skip }

    /// Where the parts of a change are in the parsed line.
    private struct Parts {
        var old: Int?
        var new: Int?
        var operation: Int?
        var database: Int?
        var table: Int?
    }

    private let options: ChangelogOptions
    private let words: ChangelogWords
    private let databases: NamePattern?
    private let tables: NamePattern?

    /// Throws `unsupported` for a pattern of names that is none of ours.
    init(_ options: ChangelogOptions) throws(MillstreamError) {
        self.options = options
        words = ChangelogWords(options.kind)
        databases = try options.databases.map { text throws(MillstreamError) in try NamePattern(text) }
        tables = try options.tables.map { text throws(MillstreamError) in try NamePattern(text) }
    }

    var makesChanges: Bool { true }

    func take(_ json: JSONEvents, into rows: JSONRows) throws {
        let parts = find(json, try payload(json))
        guard matches(json, parts.database, databases), matches(json, parts.table, tables) else { return }
        let operation = try operation(json, parts.operation)
        if operation == .skip { return }
        if options.kind == .canal { return try takeAll(json, parts, operation, into: rows) }
        switch operation {
        case .insert:
            try row(json, try object(json, parts.new, words.new), .insert, into: rows)
            rows.accept(1)
        case .delete:
            // Maxwell has the row that went under the name of a new one.
            let isInNew = options.kind == .maxwell
            try row(json, try object(json, isInNew ? parts.new : parts.old, isInNew ? words.new : words.old), .delete, into: rows)
            rows.accept(1)
        case .update:
            let (old, new) = (try object(json, parts.old, words.old), try object(json, parts.new, words.new))
            try update(json, old, new, into: rows)
            rows.accept(2)
        case .skip: break
        }
    }

    /// Canal: one change of several rows.
    private func takeAll(_ json: JSONEvents, _ parts: Parts, _ operation: Operation, into rows: JSONRows) throws {
        let new = try elements(json, parts.new, words.new)
        switch operation {
        case .insert, .delete:
            for place in new { try row(json, place, operation == .insert ? .insert : .delete, into: rows) }
            rows.accept(new.count)
        case .update:
            let old = try elements(json, parts.old, words.old)
            guard old.count == new.count else {
                throw JSONProblem(path: words.old.text, reason: "it has \(old.count) rows, and '\(words.new.text)' has \(new.count)")
            }
            for (old, new) in zip(old, new) { try update(json, old, new, into: rows) }
            rows.accept(2 * new.count)
        case .skip: break
        }
    }

    private func row(_ json: JSONEvents, _ place: Int, _ kind: RowKind, into rows: JSONRows) throws {
        try rows.take(json, place)
        try rows.checkMissing()
        try rows.endRow(kind)
    }

    private func update(_ json: JSONEvents, _ old: Int, _ new: Int, into rows: JSONRows) throws {
        try rows.take(json, old)
        if words.hasChangedFieldsOnly { try rows.take(json, new) }
        try rows.checkMissing()
        try rows.endRow(.updateBefore)
        try row(json, new, .updateAfter, into: rows)
    }

    // MARK: The envelope

    /// The object that holds the change.
    private func payload(_ json: JSONEvents) throws(JSONProblem) -> Int {
        guard options.hasSchema else { return 0 }
        var place = 1
        while place < json.count - 1 {
            if isEqual(json.text(place), "payload") {
                guard json.kind(place + 1) == decoding_json_object else { break }
                return place + 1
            }
            place = json.next(place + 1)
        }
        throw JSONProblem(path: "payload", reason: "there is no such object, and the format is read with its schema")
    }

    private func find(_ json: JSONEvents, _ object: Int) -> Parts {
        var parts = Parts()
        let end = json.next(object) - 1
        var place = object + 1
        while place < end {
            let key = json.text(place)
            if words.new.matches(key) {
                parts.new = parts.new ?? place + 1
            } else if words.old.matches(key) {
                parts.old = parts.old ?? place + 1
            } else if words.operation.matches(key) {
                parts.operation = parts.operation ?? place + 1
            } else if databases != nil, isEqual(key, "database") {
                parts.database = parts.database ?? place + 1
            } else if tables != nil, isEqual(key, "table") {
                parts.table = parts.table ?? place + 1
            }
            place = json.next(place + 1)
        }
        return parts
    }

    private func matches(_ json: JSONEvents, _ place: Int?, _ pattern: NamePattern?) -> Bool {
        guard let pattern else { return true }
        guard let place, json.kind(place) == decoding_json_string else { return false }
        return pattern.matches(UnsafeRawBufferPointer(json.text(place)))
    }

    private func operation(_ json: JSONEvents, _ place: Int?) throws(JSONProblem) -> Operation {
        let name = words.operation.text
        guard let place, json.kind(place) == decoding_json_string else {
            throw JSONProblem(path: name, reason: "it is missing, and it says what the change is")
        }
        let text = json.text(place)
        if words.inserts.contains(where: { $0.matches(text) }) { return .insert }
        if words.update.matches(text) { return .update }
        if words.delete.matches(text) { return .delete }
        // Canal tells of new tables in between.
        if options.kind == .canal, isEqual(text, "CREATE") { return .skip }
        let shown = text.baseAddress.map { quoted($0, text.count) } ?? "''"
        let known = (words.inserts + [words.update, words.delete]).map(\.text).joined(separator: ", ")
        throw JSONProblem(path: name, reason: "\(shown) is no change of \(words.format); those are \(known)")
    }

    private func object(_ json: JSONEvents, _ place: Int?, _ word: Word) throws(JSONProblem) -> Int {
        guard let place, json.kind(place) != decoding_json_null else {
            let isOld = word.text == words.old.text
            throw JSONProblem(
                path: word.text,
                reason: isOld
                    ? "it is null, and the change needs the old row (Postgres: set the table's REPLICA IDENTITY to FULL)"
                    : "it is null, and the change needs it")
        }
        guard json.kind(place) == decoding_json_object else { throw JSONProblem(path: word.text, reason: "it is no object") }
        return place
    }

    private func elements(_ json: JSONEvents, _ place: Int?, _ word: Word) throws(JSONProblem) -> [Int] {
        guard let place, json.kind(place) == decoding_json_array else {
            throw JSONProblem(path: word.text, reason: "it is no array, and the change needs it")
        }
        var result: [Int] = []
        let end = json.next(place) - 1
        var inner = place + 1
        while inner < end {
            guard json.kind(inner) == decoding_json_object else { throw JSONProblem(path: word.text, reason: "an element is no object") }
            result.append(inner)
            inner = json.next(inner)
        }
        return result
    }
}

/// A word of a format, ready to be compared with bytes.
struct Word {
    let text: String
    private let bytes: [UInt8]

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    @inline(__always)
    func matches(_ key: UnsafeBufferPointer<UInt8>) -> Bool { key.count == bytes.count && key.elementsEqual(bytes) }
}

private func isEqual(_ text: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
    text.count == word.utf8CodeUnitCount && text.elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
}

/// What the parts of a change are called.
struct ChangelogWords {
    let format: String
    let old: Word
    let new: Word
    let operation: Word
    let inserts: [Word]
    let update: Word
    let delete: Word
    /// Whether an update has of the old row only what changed.
    let hasChangedFieldsOnly: Bool

    init(_ kind: ChangelogOptions.Kind) {
        func words(_ texts: String...) -> [Word] { texts.map { Word($0) } }
        switch kind {
        case .debezium:
            (format, old, new, operation) = ("debezium-json", Word("before"), Word("after"), Word("op"))
            (inserts, update, delete, hasChangedFieldsOnly) = (words("c", "r"), Word("u"), Word("d"), false)
        case .ogg:
            (format, old, new, operation) = ("ogg-json", Word("before"), Word("after"), Word("op_type"))
            (inserts, update, delete, hasChangedFieldsOnly) = (words("I"), Word("U"), Word("D"), false)
        case .canal:
            (format, old, new, operation) = ("canal-json", Word("old"), Word("data"), Word("type"))
            (inserts, update, delete, hasChangedFieldsOnly) = (words("INSERT"), Word("UPDATE"), Word("DELETE"), true)
        case .maxwell:
            (format, old, new, operation) = ("maxwell-json", Word("old"), Word("data"), Word("type"))
            (inserts, update, delete, hasChangedFieldsOnly) = (words("insert"), Word("update"), Word("delete"), true)
        }
    }
}

/// The part of regular expressions that names of databases and tables need: text, `.*` for any text, `|` between alternatives.
struct NamePattern {
    /// The pieces of each alternative between its `.*`.
    private let alternatives: [[[UInt8]]]

    /// Throws `unsupported` for other signs of regular expressions.
    init(_ pattern: String) throws(MillstreamError) {
        var alternatives: [[[UInt8]]] = [[[]]]
        var bytes = Array(pattern.utf8)[...]
        while let byte = bytes.popFirst() {
            let last = alternatives.count - 1
            switch byte {
            case UInt8(ascii: "|"): alternatives.append([[]])
            case UInt8(ascii: ".") where bytes.first == UInt8(ascii: "*"):
                bytes.removeFirst()
                alternatives[last].append([])
            case UInt8(ascii: "\\") where bytes.first == UInt8(ascii: "."):
                bytes.removeFirst()
                alternatives[last][alternatives[last].count - 1].append(UInt8(ascii: "."))
            case _ where "\\.*+?()[]{}^$".utf8.contains(byte):
                throw MillstreamError(
                    .unsupported, "the pattern of names '\(pattern)' has more in it than text, '.*' and '|'",
                    hint: "Name the databases or tables, with '|' between them.")
            default: alternatives[last][alternatives[last].count - 1].append(byte)
            }
        }
        self.alternatives = alternatives
    }

    func matches(_ name: UnsafeRawBufferPointer) -> Bool { alternatives.contains { NamePattern.matches(name, $0) } }

    /// The first piece begins the name, the last ends it, the others come in between in order.
    private static func matches(_ name: UnsafeRawBufferPointer, _ pieces: [[UInt8]]) -> Bool {
        guard let first = pieces.first, let last = pieces.last else { return false }
        guard pieces.count > 1 else { return name.elementsEqual(first) }
        guard name.count >= first.count + last.count, name.starts(with: first), name.suffix(last.count).elementsEqual(last) else { return false }
        var rest = name[first.count..<(name.count - last.count)]
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let start = rest.indices.first(where: { rest[$0...].starts(with: piece) }) else { return false }
            rest = rest[(start + piece.count)...]
        }
        return true
    }
}
