import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// What MD5 and the SHAs share: whole blocks of the message, then one or two with its end, a set bit and its length in bits.
private func forEachBlock(
    _ message: UnsafeRawBufferPointer, blockByteCount: Int, lengthByteCount: Int, isLittleEndian: Bool, _ body: (UnsafeRawPointer) -> Void
) {
    var place = 0
    if let base = message.baseAddress {
        while place &+ blockByteCount <= message.count {
            body(base + place)
            place &+= blockByteCount
        }
    }
    let rest = message.count &- place
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { tail in
        guard let base = tail.baseAddress else { return }
        memset(base, 0, 256)
        if rest > 0, let source = message.baseAddress { memcpy(base, source + place, rest) }
        tail[rest] = 0x80
        let end = rest &+ 1 &+ lengthByteCount <= blockByteCount ? blockByteCount : 2 &* blockByteCount
        let bits = UInt64(truncatingIfNeeded: message.count) &* 8
        base.storeBytes(of: isLittleEndian ? bits.littleEndian : bits.bigEndian, toByteOffset: end &- 8, as: UInt64.self)
        var start = 0
        while start < end {
            body(base + start)
            start &+= blockByteCount
        }
    }
}

/// RFC 1321.
enum DigestMD5 {
    private static let shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
    /// The 64 whole parts of 2³² times the absolute value of a sine.
    private static let sines: [UInt32] = (1...64).map { UInt32(abs(sin(Double($0))) * 4_294_967_296) }

    static func digest(_ message: UnsafeRawBufferPointer, _ sum: inout [UInt8]) {
        var (a, b, c, d): (UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476)
        sines.withUnsafeBufferPointer { sines in
            shifts.withUnsafeBufferPointer { shifts in
                forEachBlock(message, blockByteCount: 64, lengthByteCount: 8, isLittleEndian: true) { block in
                    var (p, q, r, s) = (a, b, c, d)
                    for step in 0..<64 {
                        let mixed: UInt32
                        let word: Int
                        switch step &>> 4 {
                        case 0: (mixed, word) = ((q & r) | (~q & s), step)
                        case 1: (mixed, word) = ((q & s) | (r & ~s), (5 &* step &+ 1) & 15)
                        case 2: (mixed, word) = (q ^ r ^ s, (3 &* step &+ 5) & 15)
                        default: (mixed, word) = (r ^ (q | ~s), (7 &* step) & 15)
                        }
                        let input = UInt32(littleEndian: block.loadUnaligned(fromByteOffset: 4 &* word, as: UInt32.self))
                        let value = p &+ mixed &+ sines[step] &+ input
                        let shift = shifts[(step &>> 4) &* 4 &+ (step & 3)]
                        (p, s, r, q) = (s, r, q, q &+ (value &<< shift | value &>> (32 &- shift)))
                    }
                    (a, b, c, d) = (a &+ p, b &+ q, c &+ r, d &+ s)
                }
            }
        }
        for word in [a, b, c, d] { withUnsafeBytes(of: word.littleEndian) { sum.append(contentsOf: $0) } }
    }
}

/// FIPS 180-4.
enum DigestSHA1 {
    static func digest(_ message: UnsafeRawBufferPointer, _ sum: inout [UInt8]) {
        var (a, b, c, d, e): (UInt32, UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0)
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { words in
            forEachBlock(message, blockByteCount: 64, lengthByteCount: 8, isLittleEndian: false) { block in
                for place in 0..<16 { words[place] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 &* place, as: UInt32.self)) }
                for place in 16..<80 {
                    let mixed = words[place &- 3] ^ words[place &- 8] ^ words[place &- 14] ^ words[place &- 16]
                    words[place] = mixed &<< 1 | mixed &>> 31
                }
                var (p, q, r, s, t) = (a, b, c, d, e)
                for step in 0..<80 {
                    let (mixed, constant): (UInt32, UInt32)
                    switch step / 20 {
                    case 0: (mixed, constant) = ((q & r) | (~q & s), 0x5A82_7999)
                    case 1: (mixed, constant) = (q ^ r ^ s, 0x6ED9_EBA1)
                    case 2: (mixed, constant) = ((q & r) | (q & s) | (r & s), 0x8F1B_BCDC)
                    default: (mixed, constant) = (q ^ r ^ s, 0xCA62_C1D6)
                    }
                    let value = (p &<< 5 | p &>> 27) &+ mixed &+ t &+ constant &+ words[step]
                    (t, s, r, q, p) = (s, r, q &<< 30 | q &>> 2, p, value)
                }
                (a, b, c, d, e) = (a &+ p, b &+ q, c &+ r, d &+ s, e &+ t)
            }
        }
        for word in [a, b, c, d, e] { withUnsafeBytes(of: word.bigEndian) { sum.append(contentsOf: $0) } }
    }
}

/// SHA-224 and SHA-256 (FIPS 180-4).
enum DigestSHA256 {
    /// The first 32 bits of the fractions of the cube roots of the first 64 primes: the upper halves of SHA-512's first ones.
    private static let constants: [UInt32] = DigestSHA512.constants.prefix(64).map { UInt32(truncatingIfNeeded: $0 >> 32) }
    private static let start256: [UInt32] = DigestSHA512.start512.map { UInt32(truncatingIfNeeded: $0 >> 32) }
    /// The second 32 bits of those of the 9th to 16th primes' square roots: the lower halves of SHA-384's.
    private static let start224: [UInt32] = DigestSHA512.start384.map { UInt32(truncatingIfNeeded: $0) }

    static func digest(_ message: UnsafeRawBufferPointer, _ bitCount: Int, _ sum: inout [UInt8]) {
        var state = bitCount == 224 ? start224 : start256
        constants.withUnsafeBufferPointer { constants in
            state.withUnsafeMutableBufferPointer { state in
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { words in
                    forEachBlock(message, blockByteCount: 64, lengthByteCount: 8, isLittleEndian: false) { block in
                        for place in 0..<16 { words[place] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 &* place, as: UInt32.self)) }
                        for place in 16..<64 {
                            let (x, y) = (words[place &- 15], words[place &- 2])
                            let first = turned(x, 7) ^ turned(x, 18) ^ x &>> 3
                            let second = turned(y, 17) ^ turned(y, 19) ^ y &>> 10
                            words[place] = words[place &- 16] &+ first &+ words[place &- 7] &+ second
                        }
                        var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7])
                        for step in 0..<64 {
                            let one = h &+ (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) &+ ((e & f) ^ (~e & g)) &+ constants[step] &+ words[step]
                            let two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) &+ ((a & b) ^ (a & c) ^ (b & c))
                            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ one, c, b, a, one &+ two)
                        }
                        state[0] &+= a; state[1] &+= b; state[2] &+= c; state[3] &+= d
                        state[4] &+= e; state[5] &+= f; state[6] &+= g; state[7] &+= h
                    }
                }
            }
        }
        for word in state.prefix(bitCount / 32) { withUnsafeBytes(of: word.bigEndian) { sum.append(contentsOf: $0) } }
    }

    @inline(__always)
    private static func turned(_ word: UInt32, _ count: UInt32) -> UInt32 { word &>> count | word &<< (32 &- count) }
}

/// SHA-384 and SHA-512 (FIPS 180-4).
enum DigestSHA512 {
    /// The first 64 bits of the fractions of the cube roots of the first 80 primes, of the square roots of the first 8, and of the next 8: computed, which the
    /// published digests of the tests check.
    static let constants: [UInt64] = primes.map { fraction($0, power: 3) }
    static let start512: [UInt64] = primes.prefix(8).map { fraction($0, power: 2) }
    static let start384: [UInt64] = primes[8..<16].map { fraction($0, power: 2) }

    private static let primes: [UInt64] = {
        var primes: [UInt64] = []
        var number: UInt64 = 2
        while primes.count < 80 {
            if !primes.contains(where: { number % $0 == 0 }) { primes.append(number) }
            number += 1
        }
        return primes
    }()

    /// The root times 2⁶⁴, whole, without its part before the point, by halving the interval.
    private static func fraction(_ prime: UInt64, power: Int) -> UInt64 {
        var low = Wide(0)
        for bit in stride(from: 69, through: 0, by: -1) {
            var candidate = low
            candidate.set(bit)
            var product = candidate
            for _ in 1..<power { product = product.times(candidate) }
            if product.isAtMost(prime, shiftedBy: 64 * power) { low = candidate }
        }
        return UInt64(low.words[0]) | UInt64(low.words[1]) << 32
    }

    /// A natural number of up to 256 bits, for the constants alone.
    private struct Wide {
        var words: [UInt32]
        init(_ value: UInt32) { words = [value] + [UInt32](repeating: 0, count: 7) }
        mutating func set(_ bit: Int) { words[bit / 32] |= 1 << UInt32(bit % 32) }

        func times(_ other: Wide) -> Wide {
            var result = Wide(0)
            for i in 0..<8 {
                var carry: UInt64 = 0
                for j in 0..<8 - i {
                    let sum = UInt64(words[i]) * UInt64(other.words[j]) + UInt64(result.words[i + j]) + carry
                    result.words[i + j] = UInt32(truncatingIfNeeded: sum)
                    carry = sum >> 32
                }
            }
            return result
        }

        func isAtMost(_ value: UInt64, shiftedBy shift: Int) -> Bool {
            var bound = Wide(0)
            bound.words[shift / 32] = UInt32(truncatingIfNeeded: value)
            bound.words[shift / 32 + 1] = UInt32(truncatingIfNeeded: value >> 32)
            for place in stride(from: 7, through: 0, by: -1) where words[place] != bound.words[place] { return words[place] < bound.words[place] }
            return true
        }
    }

    static func digest(_ message: UnsafeRawBufferPointer, _ bitCount: Int, _ sum: inout [UInt8]) {
        var state = bitCount == 384 ? start384 : start512
        constants.withUnsafeBufferPointer { constants in
            state.withUnsafeMutableBufferPointer { state in
                withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 80) { words in
                    forEachBlock(message, blockByteCount: 128, lengthByteCount: 16, isLittleEndian: false) { block in
                        for place in 0..<16 { words[place] = UInt64(bigEndian: block.loadUnaligned(fromByteOffset: 8 &* place, as: UInt64.self)) }
                        for place in 16..<80 {
                            let (x, y) = (words[place &- 15], words[place &- 2])
                            let first = turned(x, 1) ^ turned(x, 8) ^ x &>> 7
                            let second = turned(y, 19) ^ turned(y, 61) ^ y &>> 6
                            words[place] = words[place &- 16] &+ first &+ words[place &- 7] &+ second
                        }
                        var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7])
                        for step in 0..<80 {
                            let one = h &+ (turned(e, 14) ^ turned(e, 18) ^ turned(e, 41)) &+ ((e & f) ^ (~e & g)) &+ constants[step] &+ words[step]
                            let two = (turned(a, 28) ^ turned(a, 34) ^ turned(a, 39)) &+ ((a & b) ^ (a & c) ^ (b & c))
                            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ one, c, b, a, one &+ two)
                        }
                        state[0] &+= a; state[1] &+= b; state[2] &+= c; state[3] &+= d
                        state[4] &+= e; state[5] &+= f; state[6] &+= g; state[7] &+= h
                    }
                }
            }
        }
        for word in state.prefix(bitCount / 64) { withUnsafeBytes(of: word.bigEndian) { sum.append(contentsOf: $0) } }
    }

    @inline(__always)
    private static func turned(_ word: UInt64, _ count: UInt64) -> UInt64 { word &>> count | word &<< (64 &- count) }
}
