/// Validation of text that comes from outside.
public enum UTF8Validation {
    /// Whether all bytes are valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). ASCII is checked 32 bytes at a time.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool { firstInvalid(bytes) == nil }

    /// The place of the first byte that starts no valid character.
    public static func firstInvalid(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let count = bytes.count
        var place = 0
        while place < count {
            place = skipASCII(base, place, count)
            if place == count { return nil }
            let length = characterLength(base + place, count &- place)
            if length == 0 { return place }
            place &+= length
        }
        return nil
    }

    /// Whether all bytes are below 128.
    public static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return skipASCII(base, 0, bytes.count) == bytes.count
    }

    @inline(__always)
    private static func skipASCII(_ base: UnsafeRawPointer, _ start: Int, _ count: Int) -> Int {
        var place = start
        while place &+ 32 <= count {
            let words = base.loadUnaligned(fromByteOffset: place, as: SIMD4<UInt64>.self) & 0x8080_8080_8080_8080
            if words != SIMD4<UInt64>(repeating: 0) { break }
            place &+= 32
        }
        while place &+ 8 <= count, base.loadUnaligned(fromByteOffset: place, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 { place &+= 8 }
        while place < count, base.load(fromByteOffset: place, as: UInt8.self) < 0x80 { place &+= 1 }
        return place
    }

    /// The length of the character of two or more bytes that starts here, or 0 if it is none (Unicode's table 3-7).
    @inline(__always)
    private static func characterLength(_ base: UnsafeRawPointer, _ available: Int) -> Int {
        let first = base.load(as: UInt8.self)
        let length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0
        guard length > 0, length <= available else { return 0 }
        let second = base.load(fromByteOffset: 1, as: UInt8.self)
        let low: UInt8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80
        let high: UInt8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf
        guard second >= low, second <= high else { return 0 }
        for place in 2..<max(2, length) where base.load(fromByteOffset: place, as: UInt8.self) & 0xc0 != 0x80 { return 0 }
        return length
    }
}
