import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// Code points of UTF-8. Nothing here trusts its input: a stray byte counts as what it looks like, and no place is ever beyond the end.
enum TextPoints {
    /// How many code points there are.
    static func count(_ bytes: UnsafeRawBufferPointer) -> Int {
        var continuations = 0
        for byte in bytes { continuations &+= Int(truncatingIfNeeded: (byte & 0xC0 == 0x80) ? 1 : 0) }
        return bytes.count &- continuations
    }

    /// Where the code point `points` after the one at `start` begins; the end where there are fewer.
    static func offset(_ bytes: UnsafeRawBufferPointer, _ points: Int, from start: Int = 0) -> Int {
        var place = start
        var left = points
        while left > 0, place < bytes.count {
            place &+= 1
            while place < bytes.count, bytes[place] & 0xC0 == 0x80 { place &+= 1 }
            left &-= 1
        }
        return place
    }

    /// Where the last `points` code points begin; nil where there are fewer.
    static func offset(_ bytes: UnsafeRawBufferPointer, fromEnd points: Int) -> Int? {
        var place = bytes.count
        var left = points
        while left > 0, place > 0 {
            place &-= 1
            while place > 0, bytes[place] & 0xC0 == 0x80 { place &-= 1 }
            left &-= 1
        }
        return left > 0 ? nil : place
    }

    /// How many bytes the code point at `place` has.
    @inline(__always)
    static func length(_ bytes: UnsafeRawBufferPointer, at place: Int) -> Int {
        var end = place &+ 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80, end &- place < 4 { end &+= 1 }
        return end &- place
    }

    /// The code point at `place` and its length; U+FFFD for what is none.
    static func decode(_ bytes: UnsafeRawBufferPointer, at place: Int) -> (point: UInt32, length: Int) {
        let first = UInt32(bytes[place])
        if first < 0x80 { return (first, 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard first >= 0xC2, first <= 0xF4, place &+ length <= bytes.count else { return (0xFFFD, 1) }
        var point = first & (0x7F >> UInt32(length))
        for next in 1..<length {
            let byte = UInt32(bytes[place &+ next])
            if byte & 0xC0 != 0x80 { return (0xFFFD, 1) }
            point = point << 6 | byte & 0x3F
        }
        let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000
        return point < least || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000) ? (0xFFFD, 1) : (point, length)
    }

    /// The code points of a text.
    static func all(_ bytes: UnsafeRawBufferPointer) -> [UInt32] {
        var points: [UInt32] = []
        points.reserveCapacity(bytes.count)
        var place = 0
        while place < bytes.count {
            let (point, length) = decode(bytes, at: place)
            points.append(point)
            place &+= length
        }
        return points
    }

    /// Where `needle` first occurs from `start` on; nil if nowhere. An empty one occurs at once.
    @inline(__always)
    static func find(_ needle: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        guard needle.count > 0 else { return start <= bytes.count ? start : nil }
        guard start <= bytes.count, needle.count <= bytes.count &- start, let base = bytes.baseAddress, let sought = needle.baseAddress else { return nil }
        let first = Int32(needle[0])
        var place = start
        let last = bytes.count &- needle.count
        while place <= last, let found = memchr(base + place, first, last &- place &+ 1) {
            place = UnsafeRawPointer(found) - base
            if memcmp(base + place, sought, needle.count) == 0 { return place }
            place &+= 1
        }
        return nil
    }

    @inline(__always)
    static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        guard left.count > 0, let first = left.baseAddress, let second = right.baseAddress else { return true }
        return memcmp(first, second, left.count) == 0
    }

    /// A part of some bytes.
    @inline(__always)
    static func part(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }
}
