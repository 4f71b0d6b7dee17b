import Columnar

/// What a file holds of values of the host language: which parts, and the classes that its pickles name. It goes into the manifest, so that whoever restores it
/// knows before a byte is read.
public struct WrittenObjects: Sendable {
    struct Part: Sendable {
        var hasPickles = false
        var classes: Set<String> = []
        /// The declared types that values have beside them.
        var types: Set<String> = []
    }

    private(set) var parts: [String: Part] = [:]
    /// So many classes of one part are named.
    private static let classCountMax = 256

    public init() {}

    /// The values of one block: a BYTES column of what the host has written.
    mutating func note(_ column: Column, in part: String) {
        var known = parts[part] ?? Part()
        // Mostly all are of one type.
        var last: [UInt8]?
        for row in 0..<column.count where !column.isNull(row) {
            var bytes = column.bytes(row)
            if let (type, value) = Self.typed(bytes) {
                if last?.elementsEqual(type) != true {
                    last = Array(type)
                    if known.types.count < Self.classCountMax { known.types.insert(String(decoding: type, as: UTF8.self)) }
                }
                bytes = value
            }
            guard bytes.first == UInt8(ascii: "p") else { continue }
            known.hasPickles = true
            if known.classes.count < Self.classCountMax {
                PickleNames.forEach(UnsafeRawBufferPointer(rebasing: bytes.dropFirst())) { known.classes.insert($0) }
            }
        }
        parts[part] = known
        withExtendedLifetime(column) {}
    }

    /// Of all parts of an operator.
    static func prefix(of uid: String) -> String { "objects/\(uid)/" }

    /// The properties of the manifest for one operator: `objects/<uid>/<part>`, whose value is `plain`, or `pickle` and a line for each class; behind either a line
    /// `= <type>` for each declared type of values.
    public static func properties(of uid: String, _ files: [WrittenObjects]) -> [Manifest.Property] {
        var all: [String: Part] = [:]
        for file in files {
            for (name, part) in file.parts {
                var known = all[name] ?? Part()
                known.hasPickles = known.hasPickles || part.hasPickles
                known.classes.formUnion(part.classes)
                known.types.formUnion(part.types)
                all[name] = known
            }
        }
        return all.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { name in
            let part = all[name] ?? Part()
            let classes = part.classes.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let types = part.types.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { "= \($0)" }
            return Manifest.Property(prefix(of: uid) + name, ([part.hasPickles ? "pickle" : "plain"] + classes + types).joined(separator: "\n"))
        }
    }

    /// The type and the rest of a value that has its type beside it; nil for others.
    private static func typed(_ bytes: UnsafeRawBufferPointer) -> (type: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        let head = 5
        guard bytes.first == UInt8(ascii: "r"), bytes.count >= head else { return nil }
        let count = (0..<4).reduce(0) { $0 | Int(bytes[1 + $1]) << (8 * $1) }
        guard count <= bytes.count - head else { return nil }
        let type = UnsafeRawBufferPointer(rebasing: bytes[head..<head + count])
        return (type, UnsafeRawBufferPointer(rebasing: bytes[(head + count)...]))
    }
}

/// The names that a pickle looks up: it is passed over, opcode by opcode, and nothing of it is done. What is no pickle ends the search.
enum PickleNames {
    /// Calls `body` with `module.name` for each class or function.
    static func forEach(_ bytes: UnsafeRawBufferPointer, _ body: (String) -> Void) {
        var place = 0
        var memo: [Int: String] = [:]
        var memoCount = 0
        /// The last two texts, which STACK_GLOBAL takes.
        var texts: (String?, String?) = (nil, nil)
        /// What MEMOIZE and PUT keep: the last text, where it was pushed just before.
        var top: String?

        func number(_ count: Int) -> Int? {
            guard place + count <= bytes.count else { return nil }
            var value = 0
            for index in 0..<min(count, 7) { value |= Int(bytes[place + index]) << (8 * index) }
            place += count
            return value
        }
        func push(_ text: String?) {
            top = text
            if let text { texts = (texts.1, text) }
        }
        func line() -> String? {
            guard let end = bytes[place...].firstIndex(of: 0x0A) else { return nil }
            defer { place = end + 1 }
            return String(decoding: bytes[place..<end], as: UTF8.self)
        }
        /// A text of so many bytes of length, or bytes that are no text.
        func counted(_ width: Int, isText: Bool) -> Bool {
            guard let count = number(width), count >= 0, count <= bytes.count - place else { return false }
            push(isText ? String(decoding: bytes[place..<place + count], as: UTF8.self) : nil)
            place += count
            return true
        }

        while place < bytes.count {
            let opcode = bytes[place]
            place += 1
            switch opcode {
            case 0x2E: return  // STOP
            case 0x80, 0x4B: guard number(1) != nil else { return }; if opcode == 0x4B { top = nil }  // PROTO, BININT1
            case 0x95: guard number(8) != nil else { return }  // FRAME
            case 0x4A: guard number(4) != nil else { return }; top = nil  // BININT
            case 0x4D: guard number(2) != nil else { return }; top = nil  // BININT2
            case 0x47: guard number(8) != nil else { return }; top = nil  // BINFLOAT
            case 0x8C: guard counted(1, isText: true) else { return }  // SHORT_BINUNICODE
            case 0x58: guard counted(4, isText: true) else { return }  // BINUNICODE
            case 0x8D: guard counted(8, isText: true) else { return }  // BINUNICODE8
            case 0x43, 0x55: guard counted(1, isText: false) else { return }  // SHORT_BINBYTES, SHORT_BINSTRING
            case 0x42, 0x54: guard counted(4, isText: false) else { return }  // BINBYTES, BINSTRING
            case 0x8E, 0x96: guard counted(8, isText: false) else { return }  // BINBYTES8, BYTEARRAY8
            case 0x8A: guard counted(1, isText: false) else { return }  // LONG1
            case 0x8B: guard counted(4, isText: false) else { return }  // LONG4
            case 0x94:  // MEMOIZE
                memo[memoCount] = top
                memoCount += 1
            case 0x71: guard let index = number(1) else { return }; memo[index] = top  // BINPUT
            case 0x72: guard let index = number(4) else { return }; memo[index] = top  // LONG_BINPUT
            case 0x68: guard let index = number(1) else { return }; push(memo[index])  // BINGET
            case 0x6A: guard let index = number(4) else { return }; push(memo[index])  // LONG_BINGET
            case 0x93:  // STACK_GLOBAL
                if let module = texts.0, let name = texts.1 { body("\(module).\(name)") }
                top = nil
            case 0x63, 0x69:  // GLOBAL, INST
                guard let module = line(), let name = line() else { return }
                body("\(module).\(name)")
                top = nil
            case 0x46, 0x49, 0x4C, 0x50, 0x53, 0x56, 0x67, 0x70: guard line() != nil else { return }; top = nil  // with a line as their argument
            case 0x82: guard number(1) != nil else { return }; top = nil  // EXT1
            case 0x83: guard number(2) != nil else { return }; top = nil
            case 0x84: guard number(4) != nil else { return }; top = nil
            default: top = nil
            }
        }
    }
}
