/// Builds an OBJECT column.
///
/// The column owns one reference to each handle. Handles that are borrowed from other columns are kept alive through these columns until `finish`,
/// which retains all of them in one call, so that the host takes its lock once.
public struct HandleBuilder: ~Copyable {
    private let objects: HostObjects
    private var handles = FixedWidthBuilder<HostObjects.Handle?>()
    /// The places of the borrowed handles, and what keeps them alive until they are retained.
    private var borrowed: [Int32] = []
    private var keepers: [AnyObject] = []

    public init(objects: HostObjects) { self.objects = objects }

    deinit {
        // Owned handles of a builder that was given up go back; borrowed ones were never retained.
        guard handles.count > 0, let base = handles.pointer else { return }
        for place in borrowed { base[Int(place)] = nil }
        objects.release(UnsafePointer(base), handles.count)
    }

    public var count: Int { handles.count }

    /// Appends a handle, and takes over one reference to it, also if this throws.
    public mutating func append(owned handle: HostObjects.Handle?) throws(MillstreamError) {
        do throws(MillstreamError) { try handles.append(handle) } catch {
            withUnsafePointer(to: handle) { objects.release($0, 1) }
            throw error
        }
    }

    /// Appends the handles `start ..< start + length` of an OBJECT column of the same host.
    public mutating func append(from column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        let first = handles.count
        try handles.append(from: column, start, length)
        guard length > 0, let keeper = column.values?.keeper else { return }
        if keepers.last !== keeper { keepers.append(keeper) }
        for place in first..<handles.count { borrowed.append(Int32(truncatingIfNeeded: place)) }
    }

    /// Appends a null (which is not the host's null object).
    public mutating func appendNull() throws(MillstreamError) { try handles.appendNull() }

    /// Makes room for `additional` more handles.
    public mutating func reserve(_ additional: Int) throws(MillstreamError) { try handles.reserve(additional) }

    /// The column; the builder is empty again.
    public mutating func finish(type: DataType = .object) -> Column {
        retainBorrowed()
        let (values, validity, count) = handles.finishBuffers()
        let owner = HandleOwner(objects: objects, buffer: values, count: count)
        return Column(
            type: type, count: count, validity: validity,
            values: Buffer(unowned: values.base, byteCount: count * MemoryLayout<HostObjects.Handle?>.stride, owner: owner), hostObjects: objects)
    }

    private mutating func retainBorrowed() {
        guard !borrowed.isEmpty, let base = handles.pointer else { return }
        if borrowed.count == handles.count {
            objects.retain(UnsafePointer(base), handles.count)
        } else {
            let gathered = borrowed.map { base[Int($0)] }
            gathered.withUnsafeBufferPointer { if let start = $0.baseAddress { objects.retain(start, $0.count) } }
        }
        borrowed = []
        keepers = []
    }
}
