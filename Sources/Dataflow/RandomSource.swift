/// The only source of randomness in the engine: seeded, so that a run can be had again.
public protocol RandomSource: AnyObject {
    func next() -> UInt64
}

extension RandomSource {
    /// A number in `0 ..< bound`; 0 if the bound is 0. (Lemire's multiply-shift; its bias is below 2^-32 for the bounds used here.)
    public func next(below bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

    /// A number in [0, 1).
    public func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): one word of state, passes BigCrush, and any seed is good.
public final class SeededRandom: RandomSource {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
