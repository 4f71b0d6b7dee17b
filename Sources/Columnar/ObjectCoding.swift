/// Turns values of the host language into bytes and back: what checkpoints and state stores do with OBJECT columns.
public protocol ObjectCoding: AnyObject, Sendable {
    /// A BYTES column of as many values as `column`, null where it is. Throws where a value cannot be kept.
    func encode(_ column: Column) throws(MillstreamError) -> Column
    /// The other way; the result owns its references.
    func decode(_ column: Column) throws(MillstreamError) -> Column
}
