/// Writes values of Parquet's Variant encoding. Used again for the next value after `finish`.
///
/// Values come in the order of a document: `begin…` opens a container, `key` goes before each field's value, `end` closes it.
public final class VariantBuilder {
    /// The most that one value may take.
    public static let byteCountMax = 128 << 20

    private struct Frame {
        var start: Int
        var isObject: Bool
        var ids: [Int] = []
        var offsets: [Int] = []
    }

    private let allowsDuplicates: Bool
    private var bytes: [UInt8] = []
    private var frames: [Frame] = []
    private var names: [[UInt8]] = []
    private var ids: [[UInt8]: Int] = [:]

    /// `allowsDuplicates`: the last of several fields of one name counts; otherwise they are an error.
    public init(allowsDuplicates: Bool = false) { self.allowsDuplicates = allowsDuplicates }

    public func reset() {
        bytes.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
    }

    // MARK: Scalars

    private func value() {
        guard let last = frames.indices.last, !frames[last].isObject else { return }
        frames[last].offsets.append(bytes.count - frames[last].start)
    }

    private func primitive(_ type: UInt8) { bytes.append(type << 2) }

    private func number<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    public func appendNull() {
        value()
        primitive(0)
    }

    public func append(_ truth: Bool) {
        value()
        primitive(truth ? 1 : 2)
    }

    /// In as few bytes as it fits.
    public func append(_ integer: Int64) {
        value()
        if let small = Int8(exactly: integer) {
            primitive(3)
            number(small)
        } else if let small = Int16(exactly: integer) {
            primitive(4)
            number(small)
        } else if let small = Int32(exactly: integer) {
            primitive(5)
            number(small)
        } else {
            primitive(6)
            number(integer)
        }
    }

    public func append(_ double: Double) {
        value()
        primitive(7)
        number(double.bitPattern)
    }

    /// A decimal of at most 38 digits, scale 0...38.
    public func append(_ unscaled: Int128, scale: Int) {
        value()
        let magnitude = unscaled.magnitude
        if scale <= 9, magnitude < 1_000_000_000 {
            primitive(8)
            bytes.append(UInt8(truncatingIfNeeded: scale))
            number(Int32(truncatingIfNeeded: unscaled))
        } else if scale <= 18, magnitude < 1_000_000_000_000_000_000 {
            primitive(9)
            bytes.append(UInt8(truncatingIfNeeded: scale))
            number(Int64(truncatingIfNeeded: unscaled))
        } else {
            primitive(10)
            bytes.append(UInt8(truncatingIfNeeded: scale))
            number(unscaled)
        }
    }

    public func append(string: UnsafeRawBufferPointer) {
        value()
        if string.count < 64 {
            bytes.append(UInt8(truncatingIfNeeded: string.count) << 2 | 1)
        } else {
            primitive(16)
            number(UInt32(truncatingIfNeeded: string.count))
        }
        bytes.append(contentsOf: string)
    }

    // MARK: Containers

    public func beginArray() { begin(isObject: false) }
    public func beginObject() { begin(isObject: true) }

    private func begin(isObject: Bool) {
        value()
        frames.append(Frame(start: bytes.count, isObject: isObject))
    }

    /// The name of the field whose value comes next.
    public func key(_ name: [UInt8]) {
        guard let last = frames.indices.last else { return }
        let id: Int
        if let known = ids[name] {
            id = known
        } else {
            id = names.count
            ids[name] = id
            names.append(name)
        }
        frames[last].ids.append(id)
        frames[last].offsets.append(bytes.count - frames[last].start)
    }

    /// Closes the innermost container. Throws `decode` for a name that comes twice, `limitExceeded` for what is too long.
    public func end() throws(MillstreamError) {
        guard let frame = frames.popLast() else { return }
        guard bytes.count <= Self.byteCountMax else { throw MillstreamError(.limitExceeded, "a variant takes at most \(Self.byteCountMax >> 20) MiB") }
        let dataSize = bytes.count - frame.start
        var order = Array(frame.offsets.indices)
        if frame.isObject {
            order.sort { names[frame.ids[$0]].lexicographicallyPrecedes(names[frame.ids[$1]]) || (frame.ids[$0] == frame.ids[$1] && $0 < $1) }
            var kept: [Int] = []
            for place in order {
                if let last = kept.last, frame.ids[last] == frame.ids[place] {
                    guard allowsDuplicates else {
                        throw MillstreamError(
                            .decode, "the field '\(String(decoding: names[frame.ids[place]], as: UTF8.self))' comes twice in a JSON object",
                            hint: "PARSE_JSON(text, TRUE) takes the last one.")
                    }
                    kept[kept.count - 1] = place
                } else {
                    kept.append(place)
                }
            }
            order = kept
        }
        let isLarge = order.count > 255
        let offsetSize = Self.byteCount(dataSize)
        let idSize = Self.byteCount(order.map { frame.ids.isEmpty ? 0 : frame.ids[$0] }.max() ?? 0)
        var head: [UInt8] = []
        if frame.isObject {
            head.append((UInt8(isLarge ? 1 : 0) << 4 | UInt8(idSize - 1) << 2 | UInt8(offsetSize - 1)) << 2 | 2)
        } else {
            head.append((UInt8(isLarge ? 1 : 0) << 2 | UInt8(offsetSize - 1)) << 2 | 3)
        }
        Self.write(order.count, isLarge ? 4 : 1, to: &head)
        if frame.isObject { for place in order { Self.write(frame.ids[place], idSize, to: &head) } }
        for place in order { Self.write(frame.offsets[place], offsetSize, to: &head) }
        Self.write(dataSize, offsetSize, to: &head)
        bytes.insert(contentsOf: head, at: frame.start)
    }

    private static func byteCount(_ value: Int) -> Int { value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : value < 1 << 24 ? 3 : 4 }

    private static func write(_ value: Int, _ byteCount: Int, to bytes: inout [UInt8]) {
        for index in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }

    /// The metadata and the value, as a VARIANT column holds them.
    public func finish() throws(MillstreamError) -> [UInt8] {
        let nameSize = names.reduce(0) { $0 + $1.count }
        guard bytes.count + nameSize <= Self.byteCountMax else { throw MillstreamError(.limitExceeded, "a variant takes at most \(Self.byteCountMax >> 20) MiB") }
        let offsetSize = Self.byteCount(max(nameSize, names.count))
        var result: [UInt8] = []
        result.reserveCapacity(2 + (names.count + 2) * offsetSize + nameSize + bytes.count)
        result.append(1 | UInt8(offsetSize - 1) << 6)
        Self.write(names.count, offsetSize, to: &result)
        var offset = 0
        for name in names {
            Self.write(offset, offsetSize, to: &result)
            offset += name.count
        }
        Self.write(offset, offsetSize, to: &result)
        for name in names { result.append(contentsOf: name) }
        result.append(contentsOf: bytes)
        reset()
        return result
    }

    /// A cell for a part of another's value: a scalar takes no names with it.
    public static func cell(_ part: VariantReader) -> [UInt8]? {
        guard let byteCount = part.byteCount else { return nil }
        let isContainer = part.kind == .array || part.kind == .object
        return (isContainer ? Array(part.metadata) : [1, 0, 0]) + part.value[..<byteCount]
    }
}
