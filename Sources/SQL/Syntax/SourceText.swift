import Columnar

/// A stretch of a statement's text: byte offsets.
public struct SourceRange: Hashable, Sendable {
    public var start: Int
    public var end: Int

    public init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
    }

    /// From the start of this to the end of the other.
    public func through(_ other: SourceRange) -> SourceRange { SourceRange(start, max(end, other.end)) }
}

/// The text of one or several statements, and where things are in it.
public struct SourceText: Sendable {
    public let bytes: [UInt8]

    public init(_ text: String) { bytes = Array(text.utf8) }

    public func string(_ range: SourceRange) -> String {
        let start = min(max(0, range.start), bytes.count)
        return String(decoding: bytes[start..<min(max(start, range.end), bytes.count)], as: UTF8.self)
    }

    /// Line and column of a byte, both from 1; columns count code points.
    public func position(of offset: Int) -> (line: Int, column: Int) {
        var line = 1
        var start = 0
        let end = min(max(0, offset), bytes.count)
        for index in 0..<end where bytes[index] == 10 {
            line += 1
            start = index + 1
        }
        return (line, 1 + Self.codePointCount(bytes[start..<end]))
    }

    /// An error that says where, shows the line, and points at the place.
    ///
    /// `code`: `.plan` unless the statement asks for what is not built.
    public func error(_ message: String, at range: SourceRange, hint: String? = nil, code: MillstreamError.Code = .plan) -> MillstreamError {
        let (line, column) = position(of: range.start)
        return MillstreamError(code, "SQL: line \(line), column \(column): \(message)\n\(excerpt(range))", hint: hint)
    }

    /// At most this much of a long line is shown, around the place.
    private static let excerptWidth = 120

    private func excerpt(_ range: SourceRange) -> String {
        let place = min(max(0, range.start), bytes.count)
        var start = place
        while start > 0, bytes[start - 1] != 10 { start -= 1 }
        var end = place
        while end < bytes.count, bytes[end] != 10 { end += 1 }
        var lead = ""
        var trail = ""
        if place - start > Self.excerptWidth / 2 {
            start = place - Self.excerptWidth / 2
            while start < place, bytes[start] & 0xC0 == 0x80 { start += 1 }
            lead = "…"
        }
        if end - start > Self.excerptWidth {
            end = max(place, start + Self.excerptWidth)
            while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
            trail = "…"
        }
        // What a terminal would act on is shown by its number; so the caret is under its place.
        let before = Self.printable(bytes[start..<place])
        let after = Self.printable(bytes[place..<end])
        let width = max(1, Self.codePointCount(bytes[place..<min(max(place, range.end), end)]))
        let padding = String(repeating: " ", count: lead.unicodeScalars.count + before.unicodeScalars.count)
        return "  \(lead)\(before)\(after)\(trail)\n  \(padding)\(String(repeating: "^", count: min(width, Self.excerptWidth)))"
    }

    private static func codePointCount(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) } }

    /// Text with its control characters, and those that turn its direction, written as numbers.
    static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 9: text.append(" ")
            case 0..<32, 127..<160, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069:
                text.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}
