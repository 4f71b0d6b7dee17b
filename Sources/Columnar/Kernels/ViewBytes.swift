/// Calls `body` with the bases of the column's data buffers, so that a loop over views touches no reference count.
@inline(__always)
func withDataPointers<Result>(of column: Column, _ body: (UnsafePointer<UnsafeRawPointer>) -> Result) -> Result {
    let buffers = column.dataBuffers
    return withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: max(1, buffers.count)) { blocks in
        for (index, buffer) in buffers.enumerated() { blocks[index] = UnsafeRawPointer(buffer.base) }
        let result = body(UnsafePointer(blocks.baseAddress.unsafelyUnwrapped))
        withExtendedLifetime(buffers) {}
        return result
    }
}

/// A view's bytes.
@inlinable
@inline(__always)
func viewBytes(_ view: UnsafePointer<StringView>, _ blocks: UnsafePointer<UnsafeRawPointer>) -> UnsafeRawBufferPointer {
    let length = Int(view.pointee.length)
    if length <= StringView.inlineByteCount { return UnsafeRawBufferPointer(start: UnsafeRawPointer(view) + 4, count: length) }
    return UnsafeRawBufferPointer(start: blocks[Int(view.pointee.bufferIndex)] + Int(view.pointee.offset), count: length)
}
