import Columnar

/// Writes OBJECT columns by the functions that the host registered with its values.
public final class HostObjectCoding: ObjectCoding {
    private let objects: HostObjects
    private let encoder: HostObjects.Encode
    private let decoder: HostObjects.Decode
    /// The most bytes of a host's reason.
    private static let problemByteCount = 2_000

    /// Nil for a host that did not say how its values are written.
    public init?(_ objects: HostObjects?) {
        guard let objects, let encode = objects.encode, let decode = objects.decode else { return nil }
        self.objects = objects
        encoder = encode
        decoder = decode
    }

    private final class Target {
        var builder = ViewBuilder()
        var failure: MillstreamError?
    }

    public func encode(_ column: Column) throws(MillstreamError) -> Column {
        let present = presentRows(column)
        let source = column.pointer(as: HostObjects.Handle?.self)
        let handles = present.map { source[Int($0)] }
        let target = Target()
        var problem = [UInt8](repeating: 0, count: Self.problemByteCount)
        let refused = handles.withUnsafeBufferPointer { handles in
            guard let base = handles.baseAddress, handles.count > 0 else { return -1 }
            return encoder(
                base, handles.count,
                { pointer, bytes, length in
                    guard let pointer else { return }
                    let target = Unmanaged<Target>.fromOpaque(pointer).takeUnretainedValue()
                    let bytes = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : Int(clamping: max(0, length)))
                    do throws(MillstreamError) { try target.builder.append(bytes) } catch { target.failure = target.failure ?? error }
                }, Unmanaged.passUnretained(target).toOpaque(), &problem, Self.problemByteCount)
        }
        withExtendedLifetime(column) {}
        if let failure = target.failure { throw failure }
        if refused >= 0 {
            var error = reason(problem, .unsupported, "a value of the host language cannot be written to a checkpoint")
            if refused < present.count { error.recordIndex = Int64(present[refused]) }
            throw error
        }
        guard target.builder.count == handles.count else {
            throw .internal("the host wrote \(target.builder.count) values of \(handles.count)")
        }
        let dense = target.builder.finish(type: DataType.bytes)
        return try spread(dense, present, column.count)
    }

    public func decode(_ column: Column) throws(MillstreamError) -> Column {
        let present = presentRows(column)
        var starts: [UnsafePointer<UInt8>?] = []
        var lengths: [Int64] = []
        for row in present {
            let bytes = column.bytes(Int(row))
            starts.append(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            lengths.append(Int64(bytes.count))
        }
        let buffer = Buffer.zeroed(byteCount: 8 * present.count)
        // Whatever was made is given back with the owner, also after a failure.
        let owner = HandleOwner(objects: objects, buffer: buffer, count: present.count)
        var problem = [UInt8](repeating: 0, count: Self.problemByteCount)
        let refused = starts.withUnsafeBufferPointer { starts in
            lengths.withUnsafeBufferPointer { lengths in
                guard let first = starts.baseAddress, let length = lengths.baseAddress, starts.count > 0 else { return -1 }
                return decoder(first, length, starts.count, owner.handles, &problem, Self.problemByteCount)
            }
        }
        withExtendedLifetime(column) {}
        if refused >= 0 { throw reason(problem, .decode, "a value of the host language cannot be read from a checkpoint") }
        let dense = Column(
            type: .object, count: present.count, values: Buffer(unowned: buffer.base, byteCount: 8 * present.count, owner: owner), hostObjects: objects)
        return try spread(dense, present, column.count)
    }

    private func presentRows(_ column: Column) -> [Int32] {
        (0..<column.count).compactMap { column.isNull($0) ? nil : Int32(truncatingIfNeeded: $0) }
    }

    /// The values in their places, nulls in the others.
    private func spread(_ dense: Column, _ rows: [Int32], _ count: Int) throws(MillstreamError) -> Column {
        guard rows.count < count else { return dense }
        let builder = try ColumnBuilder.make(for: dense.type.nullable, hostObjects: objects)
        var next = 0
        for row in 0..<count {
            if next < rows.count, Int(rows[next]) == row {
                try builder.append(from: dense, at: next)
                next += 1
            } else {
                try builder.appendNull()
            }
        }
        return builder.finish()
    }

    private func reason(_ problem: [UInt8], _ code: MillstreamError.Code, _ fallback: String) -> MillstreamError {
        let text = String(decoding: problem.prefix { $0 != 0 }, as: UTF8.self)
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: true)
        return MillstreamError(
            code, parts.first.map(String.init) ?? fallback, hint: parts.count > 1 ? String(parts[1]) : nil, domain: code == .decode ? .external : .user)
    }
}

extension Batch {
    /// The batch with its OBJECT columns written already, for `BatchCoding` alone: a host may change its values in place, so that they are written while the
    /// data path stands still, whereas all else can wait. The batch itself where it has no such column.
    public func encodingObjects(_ objects: (any ObjectCoding)?) throws(MillstreamError) -> Batch {
        guard columns.contains(where: { $0.type.holdsObjects }) else { return self }
        guard let objects else { throw ObjectsUnwritable.error }
        var result = try compacted()
        var encoded: [Column] = []
        for column in result.columns { encoded.append(try column.encodingObjects(objects)) }
        result.columns = encoded
        return result
    }
}

enum ObjectsUnwritable {
    static var error: MillstreamError {
        MillstreamError(.unsupported, "a column of type OBJECT cannot be written without the host that knows its values")
    }
}

extension Column {
    /// A column of type OBJECT that is written already has the bytes as its child, and no handles.
    var encodedObjects: Column? { type.layout == .handles ? children.first?.slice(offset, count) : nil }

    fileprivate func encodingObjects(_ objects: any ObjectCoding) throws(MillstreamError) -> Column {
        guard type.holdsObjects else { return self }
        switch type.layout {
        case .handles:
            if encodedObjects != nil { return self }
            return Column(type: type, count: count, values: nil, children: [try objects.encode(self)])
        case .row, .list:
            // Dense, so that nothing is written that is not the column's.
            let dense = try taking(Selection((0..<count).map { Int32(truncatingIfNeeded: $0) }))
            var encoded: [Column] = []
            for child in dense.children {
                do throws(MillstreamError) { encoded.append(try child.encodingObjects(objects)) } catch {
                    // The row of a field or an element is none of the batch's.
                    var error = error
                    error.recordIndex = nil
                    throw error
                }
            }
            return Column(
                type: type, count: count, offset: dense.offset, validity: dense.validity, values: dense.values, dataBuffers: dense.dataBuffers,
                children: encoded)
        default: return self
        }
    }
}

extension DataType {
    /// Whether values of the host are in it, at any depth.
    fileprivate var holdsObjects: Bool { layout == .handles || childTypes.contains(where: \.holdsObjects) || (elementType?.holdsObjects ?? false) }
}
