import Columnar

/// The content of a file of the tz database (RFC 9636: TZif, versions 1 to 4).
enum ZoneFile {
    /// Later years come from the rule at the file's end, worked out up to here plus 400 years.
    private static let explicitYear: Int64 = 2040
    /// No clock was ever ahead or behind by more.
    private static let offsetMax: Int64 = 26 * 3600

    /// The zone in a file's bytes; nil where they are no such file, whatever they are.
    static func zone(name: String, _ bytes: UnsafeRawBufferPointer) -> Zone? {
        var reader = ZoneReader(bytes)
        guard let first = reader.header() else { return nil }
        var header = first
        var isWide = false
        if first.version >= 0x32 {
            guard reader.skip(first.byteCount(isWide: false)), let second = reader.header() else { return nil }
            header = second
            isWide = true
        }
        guard let block = reader.block(header, isWide: isWide) else { return nil }
        var instants: [Int64] = []
        var offsets = [block.first]
        for (instant, offset) in zip(block.instants, block.offsets) {
            if let last = instants.last, instant <= last { return nil }
            // A change of name or of the summer time mark alone changes nothing here.
            if offset == offsets[offsets.count - 1] { continue }
            instants.append(instant)
            offsets.append(offset)
        }
        var standard = block.standard
        var repeats = false
        if isWide, let footer = reader.footer() {
            guard let rule = ZoneRule(footer) else { return nil }
            standard = min(rule.standard, rule.summer?.offset ?? rule.standard)
            repeats = rule.extend(&instants, &offsets, from: block.instants.last, explicitYear: explicitYear)
        }
        guard offsets.allSatisfy({ abs($0) <= offsetMax }) else { return nil }
        return Zone(name: name, instants: instants, offsets: offsets, repeats: repeats, standardOffset: standard)
    }
}

private struct ZoneHeader {
    let version: UInt8
    let utcMarks: Int
    let standardMarks: Int
    let leapSeconds: Int
    let instants: Int
    let types: Int
    let characters: Int

    func byteCount(isWide: Bool) -> Int {
        let width = isWide ? 8 : 4
        return instants * (width + 1) + types * 6 + characters + leapSeconds * (width + 4) + standardMarks + utcMarks
    }
}

/// Reads big-endian numbers; every step is checked against the end.
private struct ZoneReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= bytes.count - place else { return false }
        place += count
        return true
    }

    private func word(_ at: Int) -> UInt32 { UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }

    mutating func header() -> ZoneHeader? {
        let start = place
        guard skip(44), word(start) == 0x545A_6966 else { return nil }
        // Six counts of at most a few thousand each: larger ones are no tz database, and cannot overflow below.
        let counts = (0..<6).map { Int(word(start + 20 + 4 * $0)) }
        guard counts.allSatisfy({ $0 <= 1 << 20 }) else { return nil }
        return ZoneHeader(
            version: bytes[start + 4], utcMarks: counts[0], standardMarks: counts[1], leapSeconds: counts[2], instants: counts[3], types: counts[4],
            characters: counts[5])
    }

    mutating func block(_ header: ZoneHeader, isWide: Bool) -> (first: Int64, instants: [Int64], offsets: [Int64], standard: Int64)? {
        let start = place
        let width = isWide ? 8 : 4
        guard header.types > 0, header.types <= 256, skip(header.byteCount(isWide: isWide)) else { return nil }
        let typeIndices = start + header.instants * width
        let types = typeIndices + header.instants
        func offset(_ type: Int) -> Int64 { Int64(Int32(bitPattern: word(types + 6 * type))) }
        var instants: [Int64] = []
        var offsets: [Int64] = []
        var standard = offset(0)
        for index in 0..<header.instants {
            let type = Int(bytes[typeIndices + index])
            guard type < header.types else { return nil }
            let instant =
                isWide
                ? Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: start + 8 * index, as: Int64.self))
                : Int64(Int32(bitPattern: word(start + 4 * index)))
            // Beyond these no sum with an offset or a shift could overflow.
            guard abs(instant.addingSaturating(1)) < 1 << 60 else { return nil }
            instants.append(instant)
            offsets.append(offset(type))
            if bytes[types + 6 * type + 4] == 0 { standard = offset(type) }
        }
        return (offset(0), instants, offsets, standard)
    }

    /// The rule between two line ends behind the data.
    mutating func footer() -> [UInt8]? {
        guard place < bytes.count, bytes[place] == 0x0A else { return nil }
        let rest = bytes[(place + 1)...]
        guard let end = rest.firstIndex(of: 0x0A), end > place + 1 else { return nil }
        return Array(bytes[(place + 1)..<end])
    }
}
