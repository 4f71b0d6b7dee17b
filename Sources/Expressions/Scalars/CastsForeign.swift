import Columnar
import Plan

/// The text of values whose encodings other files know.
enum CastsForeign {
    static func writeVariant(_ bytes: UnsafeRawBufferPointer, to writer: inout TextWriter) throws(MillstreamError) {
        throw MillstreamError(.unsupported, "a VARIANT cannot be cast to text")
    }

    static func writeBitmap(_ bytes: UnsafeRawBufferPointer, to writer: inout TextWriter) throws(MillstreamError) {
        throw MillstreamError(.unsupported, "a BITMAP cannot be cast to text")
    }
}
