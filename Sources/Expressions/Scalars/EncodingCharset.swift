import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// A character set by Java's name. The common ones are built in; others are the C library's.
final class EncodingCharset {
    private enum Kind {
        case utf8
        case ascii
        case latin1
        /// UTF-16 in an order of bytes; nil for the one that a mark at the start tells.
        case utf16(isBig: Bool?)
        case other(iconv_t)
    }

    private let kind: Kind

    /// Throws `invalidArgument` for an unknown name. A charset made to decode cannot encode.
    init(_ name: String, decodes: Bool) throws(MillstreamError) {
        switch name.uppercased() {
        case "UTF-8", "UTF8": kind = .utf8
        case "US-ASCII", "ASCII", "ISO646-US", "646": kind = .ascii
        case "ISO-8859-1", "ISO8859_1", "ISO8859-1", "ISO_8859-1", "LATIN1", "L1": kind = .latin1
        case "UTF-16", "UTF16", "UNICODE", "UTF_16": kind = .utf16(isBig: nil)
        case "UTF-16BE", "UTF_16BE", "UNICODEBIGUNMARKED": kind = .utf16(isBig: true)
        case "UTF-16LE", "UTF_16LE", "UNICODELITTLEUNMARKED": kind = .utf16(isBig: false)
        default:
            func unknown() -> MillstreamError {
                MillstreamError(
                    .invalidArgument, "there is no character set '\(name)'", hint: "UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE and UTF-16LE are there, and what the system has.")
            }
            // Suffixes such as //TRANSLIT would change what the C library does.
            guard !name.isEmpty, name.utf8.count < 64, name.utf8.allSatisfy({ ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E || $0 == 0x3A })
            else { throw unknown() }
            var system = name.uppercased()
            if system == "UTF-32" { system = "UTF-32BE" }
            if system.hasPrefix("WINDOWS-") { system = "CP" + system.dropFirst(8) }
            let handle = decodes ? iconv_open("UTF-8", system) : iconv_open(system, "UTF-8")
            guard let handle, Int(bitPattern: handle) != -1 else { throw unknown() }
            kind = .other(handle)
        }
    }

    deinit { if case .other(let handle) = kind { iconv_close(handle) } }

    /// Text to bytes; `?` for what the set does not have.
    func encode(_ text: UnsafeRawBufferPointer, to result: TextColumn) throws(MillstreamError) {
        switch kind {
        case .utf8: result.append(repairing: text)
        case .ascii, .latin1:
            var limit: UInt32 = 0x80
            if case .latin1 = kind { limit = 0x100 }
            var place = 0
            while place < text.count {
                let (point, length) = TextPoints.decode(text, at: place)
                result.append(point < limit ? UInt8(truncatingIfNeeded: point) : 0x3F)
                place &+= length
            }
        case .utf16(let order):
            let isBig = order ?? true
            func unit(_ value: UInt32) {
                let (high, low) = (UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value))
                result.append(isBig ? high : low)
                result.append(isBig ? low : high)
            }
            if order == nil, text.count > 0 { unit(0xFEFF) }
            var place = 0
            while place < text.count {
                let (point, length) = TextPoints.decode(text, at: place)
                if point >= 0x10000 {
                    unit(0xD800 + (point - 0x10000) >> 10)
                    unit(0xDC00 + (point - 0x10000) & 0x3FF)
                } else {
                    unit(point)
                }
                place &+= length
            }
        case .other(let handle):
            let valid = UTF8Validation.isValid(text) ? Array(text) : Array(String(decoding: text, as: UTF8.self).utf8)
            valid.withUnsafeBytes { bytes in convert(bytes, handle, replacement: [0x3F], skip: { TextPoints.length(bytes, at: $0) }, to: result) }
        }
    }

    /// Bytes to text; U+FFFD for what is none.
    func decode(_ bytes: UnsafeRawBufferPointer, to result: TextColumn) throws(MillstreamError) {
        switch kind {
        case .utf8: result.append(repairing: bytes)
        case .ascii: for byte in bytes { result.append(point: byte < 0x80 ? UInt32(byte) : 0xFFFD) }
        case .latin1: for byte in bytes { result.append(point: UInt32(byte)) }
        case .utf16(let order):
            var isBig = order ?? true
            var place = 0
            if order == nil, bytes.count >= 2 {
                if bytes[0] == 0xFE, bytes[1] == 0xFF { place = 2 }
                if bytes[0] == 0xFF, bytes[1] == 0xFE { (isBig, place) = (false, 2) }
            }
            func unit(_ place: Int) -> UInt32 { isBig ? UInt32(bytes[place]) << 8 | UInt32(bytes[place + 1]) : UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place]) }
            while place + 1 < bytes.count {
                let first = unit(place)
                place += 2
                if first >= 0xD800, first < 0xDC00, place + 1 < bytes.count {
                    let second = unit(place)
                    if second >= 0xDC00, second < 0xE000 {
                        result.append(point: 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
                        place += 2
                        continue
                    }
                }
                result.append(point: first >= 0xD800 && first < 0xE000 ? 0xFFFD : first)
            }
            if place < bytes.count { result.append(point: 0xFFFD) }
        case .other(let handle):
            let start = result.valueByteCount
            convert(bytes, handle, replacement: [0xEF, 0xBF, 0xBD], skip: { _ in 1 }, to: result)
            // The C library's tables give UTF-8; should they not, the text is repaired.
            let made = TextPoints.part(result.valueBytes, start, result.valueByteCount)
            if !UTF8Validation.isValid(made) {
                let repaired = Array(String(decoding: made, as: UTF8.self).utf8)
                result.truncateValue(to: start)
                result.append(repaired)
            }
        }
    }

    private func convert(_ bytes: UnsafeRawBufferPointer, _ handle: iconv_t, replacement: [UInt8], skip: (Int) -> Int, to result: TextColumn) {
        iconv(handle, nil, nil, nil, nil)
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        var input: UnsafeMutablePointer<CChar>? = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: CChar.self))
        var left = bytes.count
        while true {
            var status = 0
            var code: Int32 = 0
            let isEnd = left == 0
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { room in
                var output: UnsafeMutablePointer<CChar>? = room.baseAddress
                var free = room.count
                // At the end the state of the set is closed.
                status = isEnd ? Int(iconv(handle, nil, nil, &output, &free)) : Int(iconv(handle, &input, &left, &output, &free))
                code = errno
                result.append(UnsafeRawBufferPointer(start: room.baseAddress, count: room.count - free))
            }
            if status != -1 {
                if isEnd { return }
                continue
            }
            if code == E2BIG { continue }
            if isEnd { return }
            // A character that the set lacks, or bytes that are none.
            result.append(replacement)
            let place = bytes.count - left
            let count = code == EINVAL ? left : min(left, max(1, skip(place)))
            input = input.map { $0 + count }
            left -= count
        }
    }
}
