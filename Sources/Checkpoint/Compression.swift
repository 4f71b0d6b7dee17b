import CLz4
import CZstd
import Columnar

/// How the blocks of a checkpoint are packed. Raw values are part of the format.
public enum Compression: UInt8, Sendable, CaseIterable {
    case none = 0
    case lz4 = 1
    case zstd = 2

    /// zstd's fastest level that still packs well; a checkpoint should not wait for its compression.
    private static let zstdLevel: Int32 = 1
    /// A block's bytes may not be more, packed or not.
    static let byteCountMax = Int(Int32.max)

    /// The packed bytes, or nil where packing does not make them fewer.
    func pack(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) -> [UInt8]? {
        guard bytes.count > 0, bytes.count <= Self.byteCountMax else { return nil }
        let bound: Int
        switch self {
        case .none: return nil
        case .lz4: bound = Int(LZ4_compressBound(Int32(bytes.count)))
        case .zstd: bound = ZSTD_compressBound(bytes.count)
        }
        guard bound > 0 else { return nil }
        var failure: String?
        let packed = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
            switch self {
            case .none: break
            case .lz4:
                let written = LZ4_compress_default(
                    bytes.bindMemory(to: CChar.self).baseAddress, UnsafeMutableRawPointer(target.baseAddress)?.assumingMemoryBound(to: CChar.self),
                    Int32(bytes.count), Int32(bound))
                count = Int(max(0, written))
            case .zstd:
                let written = ZSTD_compress(target.baseAddress, bound, bytes.baseAddress, bytes.count, Self.zstdLevel)
                if ZSTD_isError(written) != 0 { failure = String(cString: ZSTD_getErrorName(written)) } else { count = written }
            }
        }
        if let failure { throw .internal("zstd cannot pack \(bytes.count) bytes: \(failure)") }
        return packed.isEmpty || packed.count >= bytes.count ? nil : packed
    }

    /// `byteCount` bytes from `bytes`; nil if they are not those of so many.
    func unpack(_ bytes: UnsafeRawBufferPointer, byteCount: Int) throws(MillstreamError) -> Buffer? {
        guard byteCount >= 0, byteCount <= Self.byteCountMax, bytes.count <= Self.byteCountMax else { return nil }
        // No compression makes less than a byte of 1,000 000: a damaged length must not ask for all memory.
        guard self == .none || byteCount / 1_000_000 <= bytes.count else { return nil }
        let target = try Buffer(checking: byteCount)
        switch self {
        case .none:
            guard bytes.count == byteCount else { return nil }
            if let base = bytes.baseAddress, byteCount > 0 { target.base.copyMemory(from: base, byteCount: byteCount) }
            return target
        case .lz4:
            let written = LZ4_decompress_safe(
                bytes.bindMemory(to: CChar.self).baseAddress, target.pointer(as: CChar.self), Int32(bytes.count), Int32(byteCount))
            return Int(written) == byteCount ? target : nil
        case .zstd:
            let written = ZSTD_decompress(target.base, byteCount, bytes.baseAddress, bytes.count)
            return ZSTD_isError(written) == 0 && written == byteCount ? target : nil
        }
    }
}
