/// The places in a chunk of the bytes that give it structure: delimiters, line ends, quotes, escapes.
///
/// Eight bytes are compared at once within a word (no lane can carry into the next), and each 64 bytes give one mask of bits, which is taken
/// apart eight at a time, so that the branch predictor sees few surprises. What the bytes mean is left to the reader of the index.
final class StructuralIndex {
    private(set) var places: UnsafeMutablePointer<UInt32>
    private(set) var count = 0
    private var capacity: Int

    init() {
        capacity = 1 << 14
        places = .allocate(capacity: capacity)
    }

    deinit { places.deallocate() }

    /// Lists the places in `start ..< end` of the bytes in `wanted`. 64 bytes behind `end` may be read.
    func fill(_ bytes: UnsafePointer<UInt8>, start: Int, end: Int, wanted: [UInt8]) {
        count = 0
        let patterns = wanted.map { UInt64($0) &* lowBits }
        guard let first = patterns.first else { return }
        let second = patterns.count > 1 ? patterns[1] : first
        let third = patterns.count > 2 ? patterns[2] : second
        let fourth = patterns.count > 3 ? patterns[3] : third
        let rest = Array(patterns.dropFirst(4))
        var position = start
        while position < end {
            if capacity &- count < 72 { grow() }
            var mask = block(bytes + position, first, second, third, fourth)
            for pattern in rest { mask |= block(bytes + position, pattern, pattern, pattern, pattern) }
            if end &- position < 64 { mask &= (1 &<< UInt64(truncatingIfNeeded: end &- position)) &- 1 }
            flatten(mask, position)
            position &+= 64
        }
    }

    /// The first entry at or behind a place.
    func first(from place: Int) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if Int(places[middle]) < place { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func grow() {
        let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * 2)
        larger.update(from: places, count: count)
        places.deallocate()
        places = larger
        capacity *= 2
    }

    @inline(__always)
    private func flatten(_ mask: UInt64, _ position: Int) {
        guard mask != 0 else { return }
        var mask = mask
        let found = mask.nonzeroBitCount
        let base = UInt32(truncatingIfNeeded: position)
        var target = places + count
        count &+= found
        var left = found
        while true {
            // Places behind the last bit are garbage that the next block overwrites.
            for lane in 0..<8 {
                target[lane] = base &+ UInt32(truncatingIfNeeded: mask.trailingZeroBitCount)
                mask &= mask &- 1
            }
            left &-= 8
            if left <= 0 { return }
            target += 8
        }
    }
}

private let lowBits: UInt64 = 0x0101_0101_0101_0101
private let lowSeven: UInt64 = 0x7F7F_7F7F_7F7F_7F7F

/// One bit for each of 64 bytes that is one of four.
@inline(__always)
private func block(_ bytes: UnsafePointer<UInt8>, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) -> UInt64 {
    var mask: UInt64 = 0
    for word in 0..<8 {
        let bits = UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: 8 &* word, as: UInt64.self)
        let others = differing(bits ^ a) & differing(bits ^ b) & differing(bits ^ c) & differing(bits ^ d)
        let equal = ~others & 0x8080_8080_8080_8080
        // Gathers the eight top bits into one byte, lowest first.
        let byte = ((equal &>> 7) &* 0x0102_0408_1020_4080) &>> 56
        mask |= byte &<< UInt64(truncatingIfNeeded: 8 &* word)
    }
    return mask
}

/// The top bit of each byte that is not zero is set.
@inline(__always)
private func differing(_ word: UInt64) -> UInt64 { ((word & lowSeven) &+ lowSeven) | word }
