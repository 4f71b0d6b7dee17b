import Columnar

/// A set of 32-bit numbers as a Roaring bitmap: numbers with equal upper halves share a container, which is a sorted array up to 4,096 of them and 65,536 bits beyond.
///
/// Numbers are unsigned: the INT -1 is 4,294,967,295, the greatest. Equal sets have equal bytes: what runs of numbers a serialized form has are taken apart when it is read.
public struct RoaringBitmap: Equatable, Sendable {
    enum Container: Equatable, Sendable {
        /// Ascending, at most `arrayCountMax`.
        case array([UInt16])
        /// 1,024 words, and how many bits of them are set: more than `arrayCountMax`.
        case bits([UInt64], Int)
    }

    static let arrayCountMax = 4096
    static let wordCount = 1024

    /// Ascending, without empty containers.
    private(set) var keys: [UInt16] = []
    private(set) var containers: [Container] = []

    public init() {}

    public var isEmpty: Bool { keys.isEmpty }

    /// How many numbers there are.
    public var cardinality: Int64 { containers.reduce(0) { $0 + Int64($1.count) } }

    // MARK: Changing

    public mutating func insert(_ number: UInt32) {
        let key = UInt16(truncatingIfNeeded: number >> 16)
        let low = UInt16(truncatingIfNeeded: number)
        let place: Int
        if let last = keys.last, last == key {
            place = keys.count - 1
        } else {
            place = lowerBound(keys, key)
            if place == keys.count || keys[place] != key {
                keys.insert(key, at: place)
                containers.insert(.array([low]), at: place)
                return
            }
        }
        // The container is taken out while it changes, so that its storage is not copied.
        var container = containers[place]
        containers[place] = .array([])
        container.insert(low)
        containers[place] = container
    }

    public func contains(_ number: UInt32) -> Bool {
        let key = UInt16(truncatingIfNeeded: number >> 16)
        let place = lowerBound(keys, key)
        guard place < keys.count, keys[place] == key else { return false }
        return containers[place].contains(UInt16(truncatingIfNeeded: number))
    }

    /// Appends a container; keys must come in ascending order.
    mutating func append(_ key: UInt16, _ container: Container) {
        guard container.count > 0 else { return }
        keys.append(key)
        containers.append(container)
    }

    // MARK: Set operations

    public enum Operation: Sendable { case and, or, xor, andNot }

    /// What is in both, in one of the two, in just one, or in the first alone.
    public func combined(_ operation: Operation, _ other: RoaringBitmap) -> RoaringBitmap {
        var result = RoaringBitmap()
        var left = 0
        var right = 0
        while left < keys.count || right < other.keys.count {
            if right == other.keys.count || (left < keys.count && keys[left] < other.keys[right]) {
                if operation != .and { result.append(keys[left], containers[left]) }
                left += 1
            } else if left == keys.count || other.keys[right] < keys[left] {
                if operation == .or || operation == .xor { result.append(other.keys[right], other.containers[right]) }
                right += 1
            } else {
                result.append(keys[left], Container.combined(operation, containers[left], other.containers[right]))
                left += 1
                right += 1
            }
        }
        return result
    }

    // MARK: Reading

    /// Calls `body` with the numbers in ascending order.
    public func forEach(_ body: (UInt32) -> Void) {
        for (key, container) in zip(keys, containers) {
            let high = UInt32(key) << 16
            switch container {
            case .array(let values): for value in values { body(high | UInt32(value)) }
            case .bits(let words, _):
                for (index, word) in words.enumerated() {
                    var rest = word
                    while rest != 0 {
                        body(high | UInt32(truncatingIfNeeded: index &<< 6 &+ rest.trailingZeroBitCount))
                        rest &= rest &- 1
                    }
                }
            }
        }
    }

    /// `{0,1,4294967295}`
    public var text: [UInt8] {
        var result: [UInt8] = [0x7B]
        forEach { number in
            if result.count > 1 { result.append(0x2C) }
            result += String(number).utf8
        }
        result.append(0x7D)
        return result
    }
}

/// The first place at which a value may stand in ascending ones.
func lowerBound(_ values: [UInt16], _ value: UInt16) -> Int {
    var low = 0
    var high = values.count
    while low < high {
        let middle = (low &+ high) &>> 1
        if values[middle] < value { low = middle &+ 1 } else { high = middle }
    }
    return low
}

extension RoaringBitmap.Container {
    var count: Int {
        switch self {
        case .array(let values): values.count
        case .bits(_, let count): count
        }
    }

    func contains(_ value: UInt16) -> Bool {
        switch self {
        case .array(let values):
            let place = lowerBound(values, value)
            return place < values.count && values[place] == value
        case .bits(let words, _): return words[Int(value >> 6)] & (1 &<< UInt64(value & 63)) != 0
        }
    }

    mutating func insert(_ value: UInt16) {
        switch self {
        case .array(var values):
            self = .array([])
            if let last = values.last, last < value {
                values.append(value)
            } else {
                let place = lowerBound(values, value)
                if place == values.count || values[place] != value { values.insert(value, at: place) }
            }
            self = values.count > RoaringBitmap.arrayCountMax ? .bits(RoaringBitmap.Container.words(values), values.count) : .array(values)
        case .bits(var words, let count):
            self = .array([])
            let bit: UInt64 = 1 &<< UInt64(value & 63)
            let isNew = words[Int(value >> 6)] & bit == 0
            words[Int(value >> 6)] |= bit
            self = .bits(words, count + (isNew ? 1 : 0))
        }
    }

    private static func words(_ values: [UInt16]) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: RoaringBitmap.wordCount)
        for value in values { words[Int(value >> 6)] |= 1 &<< UInt64(value & 63) }
        return words
    }

    private var words: [UInt64] {
        switch self {
        case .array(let values): RoaringBitmap.Container.words(values)
        case .bits(let words, _): words
        }
    }

    /// The container of 1,024 words, in the form that its count asks for.
    static func normal(_ words: [UInt64]) -> RoaringBitmap.Container {
        let count = words.reduce(0) { $0 + $1.nonzeroBitCount }
        if count > RoaringBitmap.arrayCountMax { return .bits(words, count) }
        var values: [UInt16] = []
        values.reserveCapacity(count)
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                values.append(UInt16(truncatingIfNeeded: index &<< 6 &+ rest.trailingZeroBitCount))
                rest &= rest &- 1
            }
        }
        return .array(values)
    }

    static func combined(_ operation: RoaringBitmap.Operation, _ left: RoaringBitmap.Container, _ right: RoaringBitmap.Container) -> RoaringBitmap.Container {
        if case .array(let leftValues) = left, case .array(let rightValues) = right { return merged(operation, leftValues, rightValues) }
        // What is left of an array is no more than it had.
        if case .array(let values) = left, operation == .and || operation == .andNot {
            return .array(values.filter { right.contains($0) == (operation == .and) })
        }
        if case .array(let values) = right, operation == .and { return .array(values.filter { left.contains($0) }) }
        var words = left.words
        let others = right.words
        for index in 0..<RoaringBitmap.wordCount {
            switch operation {
            case .and: words[index] &= others[index]
            case .or: words[index] |= others[index]
            case .xor: words[index] ^= others[index]
            case .andNot: words[index] &= ~others[index]
            }
        }
        return normal(words)
    }

    private static func merged(_ operation: RoaringBitmap.Operation, _ left: [UInt16], _ right: [UInt16]) -> RoaringBitmap.Container {
        var values: [UInt16] = []
        var (i, j) = (0, 0)
        while i < left.count || j < right.count {
            if j == right.count || (i < left.count && left[i] < right[j]) {
                if operation != .and { values.append(left[i]) }
                i += 1
            } else if i == left.count || right[j] < left[i] {
                if operation == .or || operation == .xor { values.append(right[j]) }
                j += 1
            } else {
                if operation == .and || operation == .or { values.append(left[i]) }
                i += 1
                j += 1
            }
        }
        return values.count > RoaringBitmap.arrayCountMax ? .bits(words(values), values.count) : .array(values)
    }
}
