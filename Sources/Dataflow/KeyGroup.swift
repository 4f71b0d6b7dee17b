/// The unit in which keyed state moves between subtasks: `0 ..< maxParallelism`.
///
/// The mapping from a key's hash to its group, and from a group to its subtask, is part of the savepoint format and never changes.
public struct KeyGroup: Hashable, Comparable, Sendable {
    /// The largest max parallelism (Flink's bound).
    public static let maxParallelismLimit = 32_768
    /// The max parallelism of an operator that says none.
    public static let defaultMaxParallelism = 128

    public let value: Int
    public init(_ value: Int) { self.value = value }
    public static func < (left: KeyGroup, right: KeyGroup) -> Bool { left.value < right.value }

    /// The group of a key. The hash's upper half decides; tables use the lower half, so the two are independent.
    @inlinable
    public static func index(hash: UInt64, maxParallelism: Int) -> Int {
        Int(truncatingIfNeeded: ((hash &>> 32) &* UInt64(truncatingIfNeeded: maxParallelism)) &>> 32)
    }

    /// The subtask that owns a group (Flink's `group · parallelism / maxParallelism`).
    @inlinable
    public static func subtask(group: Int, parallelism: Int, maxParallelism: Int) -> Int {
        group &* parallelism / max(1, maxParallelism)
    }

    /// The groups that a subtask owns: those that `subtask` maps to it.
    public static func range(subtask: Int, parallelism: Int, maxParallelism: Int) -> Range<Int> {
        let start = (subtask * maxParallelism + parallelism - 1) / parallelism
        let end = ((subtask + 1) * maxParallelism + parallelism - 1) / parallelism
        return start..<end
    }

    /// Flink's default for an operator of the given parallelism: the next power of two of one and a half times it, within 128 and 32768.
    public static func defaultMaxParallelism(parallelism: Int) -> Int {
        var power = 1
        while power < parallelism + parallelism / 2 { power *= 2 }
        return min(max(power, defaultMaxParallelism), maxParallelismLimit)
    }
}
