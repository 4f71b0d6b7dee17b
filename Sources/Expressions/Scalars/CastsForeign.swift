import Columnar
import Plan

/// The text of values whose encodings other files know.
enum CastsForeign {
    static func writeVariant(_ bytes: UnsafeRawBufferPointer, to writer: inout TextWriter) throws(MillstreamError) {
        throw MillstreamError(.unsupported, "a VARIANT cannot be cast to text")
    }

    static func writeBitmap(_ bytes: UnsafeRawBufferPointer, to writer: inout TextWriter) throws(MillstreamError) {
        guard let bitmap = RoaringBitmap(serialized: bytes) else { throw MillstreamError(.decode, "the bytes of a BITMAP are no bitmap") }
        bitmap.text.withUnsafeBytes { writer.append($0) }
    }
}
