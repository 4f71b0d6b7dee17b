import CMillstream

/// Key-value metadata as ArrowSchema carries it: a count, then each key and value behind its length, all Int32 in native order.
enum ArrowMetadata {
    static let extensionName = "ARROW:extension:name"
    /// The exact type as `DataType.description` prints it.
    static let type = "millstream.type"
    /// The `Schema.Shape` of a top-level schema.
    static let shape = "millstream.shape"

    static let pairCountMax = 4096
    static let byteCountMax = 1 << 24

    static func encode(_ pairs: [(key: String, value: String)]) -> [CChar] {
        var bytes: [UInt8] = []
        append(pairs.count, to: &bytes)
        for (key, value) in pairs {
            append(key.utf8.count, to: &bytes)
            bytes += key.utf8
            append(value.utf8.count, to: &bytes)
            bytes += value.utf8
        }
        return bytes.map { CChar(bitPattern: $0) }
    }

    /// The value of the last pair with `key` among `keys`, in the order of `keys`. Nil if a length is negative or beyond the bounds.
    static func decode(_ metadata: UnsafePointer<CChar>?, _ keys: [String]) -> [String?]? {
        var values = [String?](repeating: nil, count: keys.count)
        guard let metadata else { return values }
        let base = UnsafeRawPointer(metadata)
        var place = 0
        let count = Int(base.loadUnaligned(as: Int32.self))
        place += 4
        guard count >= 0, count <= pairCountMax else { return nil }
        for _ in 0..<count {
            guard let key = read(base, &place), let value = read(base, &place) else { return nil }
            if let index = keys.firstIndex(of: key) { values[index] = value }
        }
        return values
    }

    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: Int32(truncatingIfNeeded: number)) { bytes += $0 }
    }

    private static func read(_ base: UnsafeRawPointer, _ place: inout Int) -> String? {
        let length = Int(base.loadUnaligned(fromByteOffset: place, as: Int32.self))
        place += 4
        guard length >= 0, place + length <= byteCountMax else { return nil }
        defer { place += length }
        return String(decoding: UnsafeRawBufferPointer(start: base + place, count: length), as: UTF8.self)
    }
}
