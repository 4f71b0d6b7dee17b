import Columnar
import Synchronization

/// SplitMix64: the tests' only source of chance, so that a seed replays a failure.
public struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    public init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    public mutating func int(_ range: Range<Int>) -> Int { Int.random(in: range, using: &self) }
    public mutating func chance(_ percent: Int) -> Bool { int(0..<100) < percent }
}

/// References that the tests' host values hold; a test that drops its columns expects zero. A handle is a small integer.
public let liveHandles = Atomic<Int>(0)

public let testObjects = HostObjects(
    retain: { handles, count in
        for index in 0..<count where handles[index] != nil { liveHandles.add(1, ordering: .relaxed) }
    },
    release: { handles, count in
        for index in 0..<count where handles[index] != nil { liveHandles.subtract(1, ordering: .relaxed) }
    },
    hash: { handles, count, hashes in
        for index in 0..<count {
            let value = Int(bitPattern: handles[index])
            if value == 666 { return index }
            hashes[index] = StableHash.hash(Int64(value))
        }
        return -1
    },
    equal: { $0 == $1 ? 1 : 0 },
    compare: { left, right in
        let (a, b) = (Int(bitPattern: left), Int(bitPattern: right))
        return a < b ? -1 : a > b ? 1 : 0
    },
    describe: { handle, target, capacity in
        let text = Array("\(Int(bitPattern: handle))".utf8.prefix(capacity))
        target.update(from: text, count: text.count)
        return text.count
    })

/// Columns of every type, from a seed: nulls, empty columns, slices with odd offsets, three levels of nesting.
public struct RandomColumns {
    public var random: SeededRandom
    public var withObjects = true

    public init(_ seed: Int) { random = SeededRandom(seed) }

    public static let flatTypes: [DataType] = [
        .null, .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, DataType(.decimal(precision: 10, scale: 2)),
        DataType(.decimal(precision: 38, scale: 0)), DataType(.char(5)), .string, DataType(.varChar(30)), DataType(.binary(4)), .bytes, .date,
        DataType(.time(0)), DataType(.time(3)), DataType(.time(6)), DataType(.time(9)), DataType(.timestamp(0)), DataType(.timestamp(3)),
        DataType(.timestamp(6)), DataType(.timestamp(9)), DataType(.timestampLTZ(3)), DataType(.timestampLTZ(9)),
        DataType(.intervalYearMonth), DataType(.intervalDayTime(0)), DataType(.intervalDayTime(3)), DataType(.raw("a.B")), .object,
    ]

    public mutating func type(depth: Int = 3) -> DataType {
        let type = nullableType(depth: depth)
        return depth < 3 && type != .null && random.chance(20) ? type.notNull : type
    }

    private mutating func nullableType(depth: Int) -> DataType {
        if depth > 1 && random.chance(40) {
            switch random.int(0..<4) {
            case 0: return DataType(.array(type(depth: depth - 1)))
            case 1: return DataType(.map(key: flatType(nullable: false), value: type(depth: depth - 1)))
            case 2: return DataType(.multiset(flatType(nullable: false)))
            default:
                let fields = (0..<random.int(1..<4)).map { Field("f\($0)", type(depth: depth - 1)) }
                return DataType(.row(fields))
            }
        }
        return flatType(nullable: true)
    }

    public mutating func flatType(nullable: Bool) -> DataType {
        while true {
            let type = Self.flatTypes[random.int(0..<Self.flatTypes.count)]
            if type.kind == .object && !withObjects || type.kind == .null && !nullable { continue }
            return nullable ? type : type.notNull
        }
    }

    /// A column of `count` values; a slice of a larger one half of the time.
    public mutating func column(_ type: DataType, _ count: Int) throws -> Column {
        let before = random.chance(50) ? random.int(0..<20) : 0
        let after = before > 0 ? random.int(0..<20) : 0
        let builder = try ColumnBuilder.make(for: type, hostObjects: testObjects)
        let nullPercent = [0, 10, 100][random.int(0..<10) / 4]
        for _ in 0..<before + count + after { try builder.append(scalar(type, nullPercent: nullPercent)) }
        return builder.finish().slice(before, count)
    }

    public mutating func scalar(_ type: DataType, nullPercent: Int = 10) -> Scalar {
        if type.isNullable && random.chance(nullPercent) { return .null }
        switch type.kind {
        case .null: return .null
        case .boolean: return .boolean(random.chance(50))
        case .float: return .double(Double(Float(double())))
        case .double: return .double(double())
        case .decimal(let precision, _):
            let limit = (0..<precision).reduce(Int128(1)) { power, _ in power * 10 }
            return .decimal(Int128.random(in: 1 - limit...limit - 1, using: &random))
        case .char(let length), .varChar(let length): return .bytes(text(min(length, random.chance(50) ? 10 : 40)))
        case .binary(let length): return .bytes((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .varBinary, .raw: return .bytes((0..<random.int(0..<40)).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .object:
            let handle = HostObjects.Handle(bitPattern: random.int(1000..<1100))
            return .object(ObjectScalar(handle: handle, objects: testObjects, keeper: testObjects))
        case .array(let element): return .list((0..<random.int(0..<4)).map { _ in scalar(element) })
        case .map(let key, let value):
            let count = random.int(0..<4)
            return .map(keys: (0..<count).map { _ in scalar(key) }, values: (0..<count).map { _ in scalar(value) })
        case .multiset(let element):
            let count = random.int(0..<4)
            return .map(keys: (0..<count).map { _ in scalar(element) }, values: (0..<count).map { _ in .int64(Int64(random.int(1..<9))) })
        case .row(let fields): return .row(fields.map { scalar($0.type) })
        default: return .int64(integer(type))
        }
    }

    private mutating func integer(_ type: DataType) -> Int64 {
        if random.chance(30) { return Int64(random.int(-3..<4)) }
        switch type.layout {
        case .fixed(byteWidth: 1): return Int64(random.int(-128..<128))
        case .fixed(byteWidth: 2): return Int64(random.int(-32768..<32768))
        case .fixed(byteWidth: 4): return Int64(random.int(Int(Int32.min)..<Int(Int32.max)))
        default: return Int64.random(in: .min ... .max, using: &random)
        }
    }

    private mutating func double() -> Double {
        switch random.int(0..<12) {
        case 0: return 0
        case 1: return -0.0
        case 2: return .nan
        case 3: return .infinity
        case 4: return -.infinity
        default: return Double.random(in: -10...10, using: &random)
        }
    }

    private mutating func text(_ limit: Int) -> [UInt8] {
        let letters = ["a", "b", "z", "ä", "é", "世", "😀", " ", "\0"]
        return Array((0..<random.int(0..<limit + 1)).map { _ in letters[random.int(0..<letters.count)] }.joined().utf8)
    }
}

/// The values as text: comparable also where NaN is among them, and readable where a test fails. The sign of zero and NaN's bits are left out.
public func rows(_ column: Column) -> [String] { (0..<column.count).map { "\(column.scalar(at: $0))" } }
public func rows(_ column: Column, _ indices: [Int]) -> [String] { indices.map { "\(column.scalar(at: $0))" } }
