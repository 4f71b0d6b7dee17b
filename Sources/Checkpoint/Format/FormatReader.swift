import Columnar

/// Reads what `FormatWriter` wrote, and trusts nothing: each count is checked against what is left, and what is wrong is an error with its place.
///
/// A checkpoint is input like any other. Checksums find damage before this does; this finds what a checksum cannot, such as a file of another program.
package struct FormatReader {
    /// What the bytes are, for messages: a file's path, or a part of it.
    let subject: String
    private let bytes: UnsafeRawBufferPointer
    /// Where `bytes` begins in its file.
    private let origin: Int
    private(set) var position = 0

    /// The bytes belong to the caller, who keeps them as long as the reader.
    package init(_ bytes: UnsafeRawBufferPointer, subject: String, origin: Int = 0) {
        self.bytes = bytes
        self.subject = subject
        self.origin = origin
    }

    var remaining: Int { bytes.count - position }

    /// Bytes that follow; they belong to the reader's caller.
    package mutating func take(_ count: Int) throws(MillstreamError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw damaged("\(count) bytes were expected, \(remaining) are left") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    package mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(MillstreamError) -> Number {
        let source = try take(MemoryLayout<Number>.size)
        return Number(littleEndian: source.loadUnaligned(as: Number.self))
    }

    /// A number that counts things of at least `byteCount` bytes each, of which so many must be left.
    package mutating func count(of byteCount: Int) throws(MillstreamError) -> Int {
        let value = Int(try number(UInt32.self))
        guard value <= remaining / max(1, byteCount) else { throw damaged("a count of \(value) reaches beyond the end") }
        return value
    }

    package mutating func counted() throws(MillstreamError) -> [UInt8] { Array(try take(try count(of: 1))) }

    package mutating func text() throws(MillstreamError) -> String {
        let source = try take(try count(of: 1))
        guard UTF8Validation.isValid(source) else { throw damaged("a name is no UTF-8") }
        return String(decoding: source, as: UTF8.self)
    }

    /// Throws unless everything was read.
    package func finish() throws(MillstreamError) {
        guard remaining == 0 else { throw damaged("\(remaining) bytes are left over") }
    }

    package func damaged(_ what: String) -> MillstreamError { .damaged(subject, at: origin + position, what) }
}

extension MillstreamError {
    /// Bytes have another checksum than was written down when they were.
    package static func damaged(_ path: String, at place: Int, _ what: String, checksum found: UInt64, expected: UInt64) -> MillstreamError {
        .damaged(path, at: place, "the checksum of \(what) is \(hexadecimal(found)), and \(hexadecimal(expected)) was expected")
    }

    /// The same error as one about a damaged file, where it is about one that cannot be read at all.
    package func of(checkpointFile path: String) -> MillstreamError {
        guard damagedFile == nil, code == .io || code == .decode else { return self }
        var error = self
        error.damagedFile = path
        return error
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// A file of a checkpoint does not hold what it should.
    package static func damaged(_ path: String, at place: Int, _ what: String) -> MillstreamError {
        var error = MillstreamError(.decode, "'\(path)' is damaged at byte \(place): \(what)", domain: .external)
        error.damagedFile = path
        return error
    }
}
