import Columnar

/// Writes the small states of sources and sinks: little-endian words and counted byte strings behind a version byte.
struct StateEncoder {
    private(set) var bytes: [UInt8]

    init(version: UInt8 = 1) { bytes = [version] }

    mutating func put(_ value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ value: [UInt8]) {
        put(Int64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func put(_ value: String) { put(Array(value.utf8)) }
}

/// Reads what `StateEncoder` wrote, and refuses anything else: a checkpoint is input like any other.
struct StateDecoder {
    private let bytes: [UInt8]
    private var position = 1
    private let subject: String

    /// `subject` is what the bytes are, for the message.
    init(_ bytes: [UInt8], subject: String, version: UInt8 = 1) throws(MillstreamError) {
        self.bytes = bytes
        self.subject = subject
        guard bytes.first == version else {
            throw MillstreamError(
                .decode, "\(subject) in the checkpoint has version \(bytes.first.map { String($0) } ?? "none"), expected \(version)",
                domain: .external)
        }
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func int64() throws(MillstreamError) -> Int64 {
        guard bytes.count - position >= 8 else { throw damaged }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: Int64.self) }
        position += 8
        return Int64(littleEndian: value)
    }

    mutating func byteString() throws(MillstreamError) -> [UInt8] {
        let count = try int64()
        guard count >= 0, count <= Int64(bytes.count - position) else { throw damaged }
        defer { position += Int(count) }
        return Array(bytes[position..<position + Int(count)])
    }

    mutating func string() throws(MillstreamError) -> String { String(decoding: try byteString(), as: UTF8.self) }

    private var damaged: MillstreamError {
        MillstreamError(.decode, "\(subject) in the checkpoint is damaged at byte \(position) of \(bytes.count)", domain: .external)
    }
}
