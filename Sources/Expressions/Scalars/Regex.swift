import CPCRE2
import Columnar

/// A compiled regular expression of Java's dialect (`RegexDialect`), by PCRE2 with its JIT compiler.
///
/// Places are bytes of UTF-8. A match that takes more than `matchLimit` steps ends with an error, so that no pattern can hold a job up for long.
/// One thread at a time uses it; `starts`, `ends` are of the last `find`.
final class Regex {
    /// About a tenth of a second.
    private static let matchLimit: UInt32 = 2_000_000
    /// Nested backtracking of the interpreter, in KiB of heap.
    private static let heapLimitKibibytes: UInt32 = 64 << 10
    /// Longer patterns are a mistake, and slow to compile.
    static let patternByteCountMax = 1 << 20

    /// How many groups the pattern has, without the whole match.
    let groupCount: Int
    private let code: OpaquePointer
    private let data: OpaquePointer
    private let context: OpaquePointer
    private let places: UnsafeMutablePointer<Int>
    private let pattern: String
    private var scratch: Buffer?

    /// What is wrong with a pattern.
    struct Failure: Error {
        /// Whether Java would take the pattern, and only this engine cannot.
        var isUnsupported = false
        var message: String
        /// In code points of the pattern, from 0.
        var place: Int

        func error(_ pattern: UnsafeRawBufferPointer) -> MillstreamError {
            let shown = String(decoding: pattern.prefix(200), as: UTF8.self)
            return MillstreamError(
                isUnsupported ? .unsupported : .invalidArgument, "the regular expression '\(shown)' is wrong at place \(place + 1): \(message)",
                hint: isUnsupported ? "docs/regular-expressions.md lists what differs from Java's." : nil)
        }
    }

    /// `isWhole`: the pattern has to match all of a text, as SIMILAR TO does.
    init(_ bytes: UnsafeRawBufferPointer, isWhole: Bool = false) throws(Failure) {
        guard bytes.count <= Self.patternByteCountMax else { throw Failure(message: "it is longer than \(Self.patternByteCountMax) bytes", place: 0) }
        pattern = String(decoding: bytes.prefix(200), as: UTF8.self)
        var dialect = RegexDialect(bytes)
        let translated = try dialect.translate()
        let text = isWhole ? Array("\\A(?:".utf8) + translated + Array(")\\z".utf8) : translated
        let compileContext = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(compileContext) }
        pcre2_set_newline_8(compileContext, UInt32(PCRE2_NEWLINE_ANYCRLF))
        pcre2_set_parens_nest_limit_8(compileContext, 250)
        var errorCode: Int32 = 0
        var errorOffset = 0
        guard let code = pcre2_compile_8(text, text.count, UInt32(PCRE2_UTF), &errorCode, &errorOffset, compileContext) else {
            // Lookbehind of no fixed length, and what goes beyond the engine's own bounds.
            let isUnsupported = [125, 136, 187, 120, 134, 105].contains(errorCode)
            throw Failure(isUnsupported: isUnsupported, message: Self.message(errorCode), place: dialect.place(ofTranslated: errorOffset - (isWhole ? 5 : 0)))
        }
        guard let data = pcre2_match_data_create_from_pattern_8(code, nil), let context = pcre2_match_context_create_8(nil) else {
            preconditionFailure("out of memory for a regular expression")
        }
        // Without the JIT compiler (no memory that may be executed) matching is slower and the same.
        _ = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        pcre2_set_match_limit_8(context, Self.matchLimit)
        pcre2_set_heap_limit_8(context, Self.heapLimitKibibytes)
        var groups: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups)
        groupCount = Int(groups)
        self.code = code
        self.data = data
        self.context = context
        // Size_t and Int have one layout; what is unset is -1.
        places = UnsafeMutableRawPointer(pcre2_get_ovector_pointer_8(data)).assumingMemoryBound(to: Int.self)
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(data)
        pcre2_code_free_8(code)
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "error \(code)"
    }

    /// The text as the engine takes it: itself, or a copy with U+FFFD for what is no UTF-8, which is valid until the next call.
    func subject(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        if UTF8Validation.isValid(bytes) { return bytes }
        let repaired = Buffer.copying(Array(String(decoding: bytes, as: UTF8.self).utf8))
        scratch = repaired
        return UnsafeRawBufferPointer(start: repaired.base, count: repaired.byteCount)
    }

    /// Looks for the pattern from `start` on. Throws `limitExceeded` where the match takes too long.
    func find(_ subject: UnsafeRawBufferPointer, from start: Int = 0) throws(MillstreamError) -> Bool {
        var empty: UInt8 = 0
        let result = withUnsafePointer(to: &empty) { empty in
            let base = subject.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty
            let result = pcre2_match_8(code, base, subject.count, start, UInt32(PCRE2_NO_UTF_CHECK), data, context)
            // The JIT compiler's stack is small; the interpreter has the heap.
            guard result == PCRE2_ERROR_JIT_STACKLIMIT else { return result }
            return pcre2_match_8(code, base, subject.count, start, UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NO_JIT), data, context)
        }
        if result >= 0 { return true }
        if result == PCRE2_ERROR_NOMATCH { return false }
        throw MillstreamError(
            .limitExceeded, "the regular expression '\(pattern)' takes too many steps over a text of \(subject.count) bytes (\(Self.message(result)))",
            hint: "Avoid nested repetitions such as (a+)+; possessive ones (a++) do not go back.")
    }

    /// Where a group of the last match begins and ends; nil for one that took no part, or is not there.
    func group(_ index: Int) -> (start: Int, end: Int)? {
        guard index >= 0, index <= groupCount, places[2 &* index] >= 0 else { return nil }
        return (places[2 &* index], max(places[2 &* index], places[2 &* index &+ 1]))
    }

    /// Where the search after the last match goes on: behind it, and one character further if it was empty. nil at the end of the text.
    func next(_ subject: UnsafeRawBufferPointer) -> Int? {
        let (start, end) = (places[0], max(places[0], places[1]))
        if end > start { return end }
        return end < subject.count ? end &+ TextPoints.length(subject, at: end) : nil
    }

    /// The pieces between the matches, as Java's String.split gives them; `limit` 0 for all but empty ones at the end.
    func split(_ subject: UnsafeRawBufferPointer, limit: Int) throws(MillstreamError) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var index = 0
        var from: Int? = 0
        while let start = from, limit == 0 || pieces.count < limit - 1, try find(subject, from: start) {
            let (first, end) = (places[0], max(places[0], places[1]))
            from = next(subject)
            // An empty match at the start makes no empty piece.
            if index == 0, first == 0, end == 0 { continue }
            pieces.append(index..<max(index, first))
            index = end
        }
        if index == 0, pieces.isEmpty { return [0..<subject.count] }
        pieces.append(index..<subject.count)
        if limit == 0 { while let last = pieces.last, last.isEmpty { pieces.removeLast() } }
        return pieces
    }
}
