import Columnar

extension Batch {
    /// The key of a row of keyed state (`key0`, `key1`, …), for messages: `'a'`, `('a', 7)`. Nil for rows without keys.
    func keyText(_ row: Int) -> String? {
        let count = schema.fields.enumerated().prefix { $0.element.name == "key\($0.offset)" }.count
        guard count > 0, row >= 0, row < self.count else { return nil }
        let texts = columns[..<count].map { $0.shortText(row) }
        return count == 1 ? texts[0] : "(\(texts.joined(separator: ", ")))"
    }
}

extension Column {
    /// So many bytes of a text are shown.
    private static let textByteCount = 100

    fileprivate func shortText(_ row: Int) -> String {
        if isNull(row) { return "null" }
        switch (type.layout, type.kind) {
        case (.bits, _): return "\(bit(row))"
        case (.fixed, .float): return "\(pointer(as: Float.self)[row])"
        case (.fixed, .double): return "\(pointer(as: Double.self)[row])"
        case (.fixed(byteWidth: 1), _): return "\(pointer(as: Int8.self)[row])"
        case (.fixed(byteWidth: 2), _): return "\(pointer(as: Int16.self)[row])"
        case (.fixed(byteWidth: 4), _): return "\(pointer(as: Int32.self)[row])"
        case (.fixed(byteWidth: 8), _): return "\(pointer(as: Int64.self)[row])"
        case (.views, _):
            let all = bytes(row)
            guard type.isText else { return "\(all.count) bytes" }
            return "'\(String(decoding: all.prefix(Self.textByteCount), as: UTF8.self))\(all.count > Self.textByteCount ? "…" : "")'"
        case (.handles, _):
            guard encodedObjects == nil, let hostObjects else { return "of type \(type)" }
            return hostObjects.description(of: pointer(as: HostObjects.Handle?.self)[row])
        default: return "of type \(type)"
        }
    }
}

extension MillstreamError {
    /// A value of the host that cannot be written: with the part of the state that has it, and its key.
    public func ofValue(in part: String, _ batch: Batch) -> MillstreamError {
        guard let row = recordIndex else { return self }
        var copy = self
        copy.recordIndex = nil
        let prefix = "keyed/"
        let key = batch.keyText(Int(clamping: row)).map { " [key: \($0)]" } ?? ""
        copy.message += " [state: \(part.hasPrefix(prefix) ? String(part.dropFirst(prefix.count)) : part)]\(key)"
        return copy
    }
}
