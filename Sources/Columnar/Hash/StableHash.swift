/// The stable 64-bit hash of single values: XXH64, as docs/hash.md lays down. It decides key groups and never changes.
public enum StableHash {
    @usableFromInline static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    @usableFromInline static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    @usableFromInline static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    @usableFromInline static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    @usableFromInline static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The hash of null: XXH64 of no bytes with seed 1, which no value of any type has by construction.
    public static let null: UInt64 = 0xD5AF_BA13_36A3_BE4B

    /// The hash of an integer, date, time, timestamp, interval or (as 0 or 1) boolean.
    @inlinable
    public static func hash(_ value: Int64) -> UInt64 { word(UInt64(bitPattern: value), seed: 0) }

    /// The hash of a FLOAT (widened) or DOUBLE; all NaNs are one value, and so are the two zeros.
    @inlinable
    public static func hash(_ value: Double) -> UInt64 { word(canonicalBits(value), seed: 0) }

    /// The hash of a decimal's unscaled value.
    @inlinable
    public static func hash(_ value: Int128) -> UInt64 {
        var hash = prime5 &+ 16
        hash = mix(hash, UInt64(truncatingIfNeeded: value))
        hash = mix(hash, UInt64(truncatingIfNeeded: value >> 64))
        return avalanche(hash)
    }

    /// The hash of text or bytes.
    public static func hash(bytes: UnsafeRawBufferPointer) -> UInt64 { xxh64(bytes, seed: 0) }

    /// Adds the hash of the next column of a key, field of a row or element of a list to the hash of those before it.
    /// The first `accumulator` is the number of columns, fields or elements.
    @inlinable
    public static func fold(_ accumulator: UInt64, _ hash: UInt64) -> UInt64 { word(hash, seed: accumulator) }

    /// XXH64 of the eight little-endian bytes of `value`.
    @inlinable
    public static func word(_ value: UInt64, seed: UInt64) -> UInt64 { avalanche(mix(seed &+ prime5 &+ 8, value)) }

    /// A double's bits with one NaN and one zero.
    @inlinable
    public static func canonicalBits(_ value: Double) -> UInt64 {
        value == 0 ? 0 : value != value ? 0x7ff8_0000_0000_0000 : value.bitPattern
    }

    /// XXH64 of any bytes.
    public static func xxh64(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        guard let base = bytes.baseAddress else { return avalanche(seed &+ prime5) }
        var place = 0
        var hash: UInt64
        if bytes.count >= 32 {
            hash = stripes(base, bytes.count & ~31, seed: seed)
            place = bytes.count & ~31
        } else {
            hash = seed &+ prime5
        }
        hash &+= UInt64(truncatingIfNeeded: bytes.count)
        while place &+ 8 <= bytes.count {
            hash = mix(hash, base.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian)
            place &+= 8
        }
        if place &+ 4 <= bytes.count {
            let half = UInt64(base.loadUnaligned(fromByteOffset: place, as: UInt32.self).littleEndian)
            hash = rotate(hash ^ (half &* prime1), 23) &* prime2 &+ prime3
            place &+= 4
        }
        while place < bytes.count {
            hash = rotate(hash ^ (UInt64(base.load(fromByteOffset: place, as: UInt8.self)) &* prime5), 11) &* prime1
            place &+= 1
        }
        return avalanche(hash)
    }

    /// The four lanes over all whole 32-byte stripes, merged.
    private static func stripes(_ base: UnsafeRawPointer, _ byteCount: Int, seed: UInt64) -> UInt64 {
        var a = seed &+ prime1 &+ prime2
        var b = seed &+ prime2
        var c = seed
        var d = seed &- prime1
        var place = 0
        while place < byteCount {
            a = round(a, base.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian)
            b = round(b, base.loadUnaligned(fromByteOffset: place &+ 8, as: UInt64.self).littleEndian)
            c = round(c, base.loadUnaligned(fromByteOffset: place &+ 16, as: UInt64.self).littleEndian)
            d = round(d, base.loadUnaligned(fromByteOffset: place &+ 24, as: UInt64.self).littleEndian)
            place &+= 32
        }
        var hash = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
        hash = merge(hash, a)
        hash = merge(hash, b)
        hash = merge(hash, c)
        return merge(hash, d)
    }

    @inlinable @inline(__always)
    static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 { rotate(lane &+ input &* prime2, 31) &* prime1 }

    @inlinable @inline(__always)
    static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 { (hash ^ round(0, lane)) &* prime1 &+ prime4 }

    @inlinable @inline(__always)
    static func mix(_ hash: UInt64, _ input: UInt64) -> UInt64 { rotate(hash ^ round(0, input), 27) &* prime1 &+ prime4 }

    @inlinable @inline(__always)
    static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value &<< count | value &>> (64 &- count) }

    @inlinable @inline(__always)
    static func avalanche(_ input: UInt64) -> UInt64 {
        var hash = input
        hash = (hash ^ (hash &>> 33)) &* prime2
        hash = (hash ^ (hash &>> 29)) &* prime3
        return hash ^ (hash &>> 32)
    }
}
