import CMillstream
import Columnar
import Glibc

/// A struct of the program that begins with `struct_size`.
///
/// A program that was built for an older header gives a smaller struct: its known sizes are accepted, and what it lacks is zero. One that was built
/// for a newer header gives a larger one, which is accepted while the part that we do not know is zero. Nothing beyond `struct_size` is read.
protocol SizedStruct {
    static var structName: String { get }
    /// Sizes of older headers, oldest first.
    static var olderSizes: [Int] { get }
    init()
}

extension SizedStruct {
    static var olderSizes: [Int] { [] }
}

extension millstream_host_objects: SizedStruct {
    static var structName: String { "millstream_host_objects" }
    /// Without encode and decode.
    static var olderSizes: [Int] { [64] }
}
extension millstream_input: SizedStruct { static var structName: String { "millstream_input" } }
extension millstream_function_options: SizedStruct { static var structName: String { "millstream_function_options" } }
extension millstream_watermarks: SizedStruct {
    static var structName: String { "millstream_watermarks" }
    /// Without max_future_drift and future_output; without the alignment.
    static var olderSizes: [Int] { [40, 56] }
}
extension millstream_window: SizedStruct { static var structName: String { "millstream_window" } }

/// No struct of ours will ever be so large; bounds what is read of a struct with a wild size.
private let structSizeMax = 4096

/// A copy of a program's struct. Throws `invalidArgument` for NULL and for a size that cannot be ours.
func readStruct<Value: SizedStruct>(_ pointer: UnsafePointer<Value>?, as type: Value.Type = Value.self) throws(MillstreamError) -> Value {
    guard let pointer else { throw MillstreamError(.invalidArgument, "the \(Value.structName) is NULL") }
    let source = UnsafeRawPointer(pointer)
    let own = MemoryLayout<Value>.size
    let size = Int(source.loadUnaligned(as: UInt32.self))
    guard size == own || Value.olderSizes.contains(size) || (size > own && size <= structSizeMax) else {
        throw MillstreamError(
            .invalidArgument, "struct_size of the \(Value.structName) is \(size); this library knows \(own)",
            hint: "Set it to sizeof(\(Value.structName)) and build against the header of this library.")
    }
    for offset in stride(from: own, to: size, by: 1) where source.load(fromByteOffset: offset, as: UInt8.self) != 0 {
        throw MillstreamError(
            .unsupported, "the \(Value.structName) sets a field that this library does not know",
            hint: "The program was built for a newer Millstream than the one that it runs with.")
    }
    var value = Value()
    withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: min(size, own))) }
    return value
}

/// The elements of a program's array. Throws `invalidArgument` for NULL with a count, a negative count and one beyond `limit`.
func readArray<Element: BitwiseCopyable>(
    _ pointer: UnsafePointer<Element>?, _ count: Int32, _ what: String, limit: Int = 65_536
) throws(MillstreamError) -> [Element] {
    guard count >= 0 else { throw MillstreamError(.invalidArgument, "the count of \(what) is \(count)") }
    guard count <= limit else { throw MillstreamError(.limitExceeded, "there are \(count) \(what); at most \(limit) are taken") }
    guard count > 0 else { return [] }
    guard let pointer else { throw MillstreamError(.invalidArgument, "\(what): the array is NULL, but its count is \(count)") }
    let source = UnsafeRawPointer(pointer)
    return (0..<Int(count)).map { source.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.stride, as: Element.self) }
}
