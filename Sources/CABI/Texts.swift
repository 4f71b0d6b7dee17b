import CMillstream
import Columnar
import Glibc

/// The longest text that is read from a program: names, options, schemas, paths.
let textByteCountMax = 16 << 20

/// A copy of a program's text. Throws `invalidArgument` for NULL, for what is not UTF-8 and for what is too long; `what` names it.
func readText(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(MillstreamError) -> String {
    guard let text = try readOptionalText(pointer, what) else { throw MillstreamError(.invalidArgument, "\(what) is NULL") }
    return text
}

/// Like `readText`; nil for NULL.
func readOptionalText(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(MillstreamError) -> String? {
    guard let pointer else { return nil }
    let count = strnlen(pointer, textByteCountMax)
    guard count < textByteCountMax else {
        throw MillstreamError(.limitExceeded, "\(what) is longer than \(textByteCountMax) bytes")
    }
    let bytes = UnsafeRawBufferPointer(start: pointer, count: count)
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw MillstreamError(.invalidArgument, "\(what) is not UTF-8")
    }
    return text
}

/// Like `readText`, and not empty.
func readName(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(MillstreamError) -> String {
    let text = try readText(pointer, what)
    guard !text.isEmpty else { throw MillstreamError(.invalidArgument, "\(what) is empty") }
    return text
}

/// A text that the caller frees with `millstream_string_free`.
func giveText(_ text: String) throws(MillstreamError) -> UnsafeMutablePointer<CChar> {
    guard let copy = strdup(text) else { throw MillstreamError(.limitExceeded, "out of memory", domain: .external) }
    return copy
}

@c @implementation
public func millstream_string_free(_ string: UnsafeMutablePointer<CChar>?) { free(string) }

/// Where a function writes a result. Throws `invalidArgument` for NULL.
func place<Value>(_ pointer: UnsafeMutablePointer<Value>?, _ what: String) throws(MillstreamError) -> UnsafeMutablePointer<Value> {
    guard let pointer else { throw MillstreamError(.invalidArgument, "\(what) is NULL: there is no place for the result") }
    return pointer
}
