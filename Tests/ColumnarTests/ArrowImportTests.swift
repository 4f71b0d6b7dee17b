import CMillstream
import Columnar
import TestColumns
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// What the pytest of the same theme cannot reach: cyclic schemas, ownership, handles.
@Suite(.serialized) struct ArrowImportTests {
    @Test func cyclicSchemasEnd() throws {
        var schema = ArrowSchema()
        Schema([Field("a", .int), Field("b", .int)]).exportArrow(into: &schema)
        defer { schema.release(&schema) }
        withUnsafeMutablePointer(to: &schema) { pointer in
            // Both children are the struct itself: 2^64 fields at 64 levels.
            var children: [UnsafeMutablePointer<ArrowSchema>?] = [pointer, pointer]
            children.withUnsafeMutableBufferPointer { replaced in
                let own = pointer.pointee.children
                pointer.pointee.children = replaced.baseAddress
                defer { pointer.pointee.children = own }
                let error = #expect(throws: MillstreamError.self) { try Schema.importArrow(pointer) }
                #expect(error?.code == .limitExceeded)
            }
            let dictionaryError = #expect(throws: MillstreamError.self) {
                pointer.pointee.dictionary = pointer
                defer { pointer.pointee.dictionary = nil }
                return try Schema.importArrow(pointer)
            }
            #expect(dictionaryError?.message.contains("Arrow import") == true)
        }
    }

    @Test func anArrayIsReleasedOnce() throws {
        let releases = CountedArray.count
        var kept: Column? = try {
            var array = CountedArray.make(length: 3)
            var copy = array
            let importer = ArrowImporter(expecting: .scalar(.bigInt))
            let batch = try importer.batch(moving: &array)
            #expect(array.release == nil)
            #expect(throws: MillstreamError.self) { try importer.batch(moving: &array) }
            copy.release = nil
            return batch.columns[0].slice(1, 1)
        }()
        #expect(kept?.scalar(at: 0) == .int64(2) && CountedArray.count == releases)
        kept = nil
        #expect(CountedArray.count == releases + 1)
        // A refused array is released too.
        var refused = CountedArray.make(length: -3)
        #expect(throws: MillstreamError.self) { try ArrowImporter(expecting: .scalar(.bigInt)).batch(moving: &refused) }
        #expect(refused.release == nil && CountedArray.count == releases + 2)
        var mistyped = CountedArray.make(length: 3)
        #expect(throws: MillstreamError.self) { try ArrowImporter(expecting: .scalar(.string)).batch(moving: &mistyped) }
        #expect(CountedArray.count == releases + 3)
    }

    @Test func handlesComeOnlyFromTheHost() throws {
        var columns = RandomColumns(5)
        let column = try columns.column(.object, 20)
        let batch = Batch(schema: .object, columns: [column], count: 20)
        let exported = try Exported(batch)
        let error = #expect(throws: MillstreamError.self) { try Batch.importArrow(exported.array, schema: exported.schema) }
        #expect(error?.code == .typeMismatch)
        #expect(try Schema.importArrow(exported.schema) == .object)
    }

    @Test func importedHandlesAreGivenBack() throws {
        var handles: [Int] = [11, 12, 0, 14]
        let validity: [UInt8] = [0b1011]
        for owns in [true, false] {
            let before = ImportReleases.count
            try handles.withUnsafeMutableBytes { values in
                try validity.withUnsafeBytes { bits in
                    var array = CountedArray.make(length: 4, values: values.baseAddress, validity: bits.baseAddress)
                    let options = ArrowImportOptions(hostObjects: ImportReleases.objects, ownsHandles: owns)
                    let batch = try ArrowImporter(expecting: .object, options: options).batch(moving: &array)
                    #expect(batch.columns[0].nullCount == 1)
                    #expect(ImportReleases.count == before)
                }
            }
            #expect(ImportReleases.count == before + (owns ? 3 : 0))
        }
    }

    @Test func declaredNotNullMeansIt() throws {
        let column = try Column.nulls(type: .int, count: 3)
        let exported = try Exported(Batch(schema: Schema([Field("x", .int)]), columns: [column], count: 3))
        exported.schema.pointee.children[0]!.pointee.flags = 0
        let error = #expect(throws: MillstreamError.self) { try exported.importBatch() }
        #expect(error?.message.contains("'x'") == true && error?.code == .typeMismatch)
        // In a row or list that is null itself, nothing is demanded of the parts.
        let type = DataType(.row([Field("a", .int.notNull), Field("b", DataType(.array(.int.notNull)))]))
        let masked = try Column.constant(.null, type: type, count: 3)
        #expect(masked.children[0].nullCount == 3)
        let back = try Exported(Batch(schema: .scalar(type), columns: [masked], count: 3)).importBatch()
        #expect(back.columns[0].nullCount == 3 && back.schema == .scalar(type))
    }

    @Test func elementsDeclaredNotNullAreChecked() throws {
        let column = try Column.constant(.list([.int64(1), .null]), type: DataType(.array(.int)), count: 2)
        let exported = try Exported(Batch(schema: Schema([Field("x", column.type)]), columns: [column], count: 2))
        exported.schema.pointee.children[0]!.pointee.children[0]!.pointee.flags = 0
        let error = #expect(throws: MillstreamError.self) { try exported.importBatch() }
        #expect(error?.message.contains("'x.item'") == true)
    }

    /// Views reach 2 GiB; values beyond get data buffers of their own. The memory is only reserved: the test touches a few pages.
    @Test func largeOffsetsBeyondTwoGiB() throws {
        let byteCount = 5 << 30
        let mapped = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        let base = try #require(mapped)
        defer { munmap(base, byteCount) }
        let starts: [Int64] = [0, 20, 20 + Int64(Int32.max), 3 << 30, (3 << 30) + 5, (3 << 30) + 30, 5 << 30]
        for (index, start) in starts.dropLast().enumerated() {
            base.storeBytes(of: UInt8(index + 1), toByteOffset: Int(start), as: UInt8.self)
        }
        let offsets = Buffer.copying(starts)
        let format: (inout ArrowSchema) -> Void = { $0.children[0]!.pointee.format = UnsafePointer(strdup("Z")) }
        var schema = ArrowSchema()
        Schema([Field("x", .bytes)]).exportArrow(into: &schema, options: ArrowExportOptions(usesViews: false))
        defer { schema.release(&schema) }
        free(UnsafeMutableRawPointer(mutating: schema.children[0]!.pointee.format))
        format(&schema)
        // All but the last value, which is 2 GiB less 30 bytes and so fits too.
        var array = CountedArray.make(length: 6, values: offsets.base, data: base)
        let column = try Batch.importArrow(&array, schema: &schema).columns[0]
        #expect(column.dataBuffers.count >= 2)
        for (index, start) in starts.dropLast().enumerated() {
            let bytes = column.bytes(index)
            #expect(bytes.count == Int(starts[index + 1] - start) && bytes[0] == UInt8(index + 1))
        }
        let longOffsets = Buffer.copying([Int64(0), 1 << 31])
        defer { withExtendedLifetime((offsets, longOffsets)) {} }
        var tooLong = CountedArray.make(length: 1, values: longOffsets.base, data: base)
        let error = #expect(throws: MillstreamError.self) { try Batch.importArrow(&tooLong, schema: &schema) }
        #expect(error?.code == .limitExceeded)
    }

    @Test func badMetadataAndStaleTypesDoNoHarm() throws {
        // The metadata says CHAR(3), but someone changed the column to integers.
        let exported = try Exported(
            Batch(schema: Schema([Field("x", .bigInt)]), columns: [.repeating(Int64(7), type: .bigInt, count: 2).retyped(.bigInt)], count: 2))
        var metadata: [UInt8] = []
        func append(_ number: Int32) { withUnsafeBytes(of: number) { metadata += $0 } }
        append(1)
        append(15)
        metadata += "millstream.type".utf8
        append(7)
        metadata += "CHAR(3)".utf8
        try metadata.withUnsafeMutableBytes { bytes in
            exported.schema.pointee.children[0]!.pointee.metadata = UnsafePointer(bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
            defer { exported.schema.pointee.children[0]!.pointee.metadata = nil }
            let fields = try Schema.importArrow(exported.schema).fields
            #expect(fields == [Field("x", .bigInt)])
            bytes.storeBytes(of: Int32(-4), as: Int32.self)
            #expect(throws: MillstreamError.self) { try Schema.importArrow(exported.schema) }
        }
    }

    @Test func misalignedBuffersAreCopied() throws {
        let bytes = Buffer(byteCount: 16 * 5)
        let values = bytes.base + 8
        for index in 0..<4 { values.storeBytes(of: Int128(index + 1), toByteOffset: 16 * index, as: Int128.self) }
        var array = CountedArray.make(length: 4, values: values)
        let type = DataType(.decimal(precision: 20, scale: 0))
        let batch = try ArrowImporter(expecting: .scalar(type)).batch(moving: &array)
        #expect(rows(batch.columns[0]) == (1...4).map { "decimal(\($0))" })
    }

    @Test func validationOfUTF8KnowsUnicode() {
        for value in (0...0x10FFFF).filter({ $0 % 97 == 0 || ($0 > 0x7F0 && $0 < 0x810) || $0 > 0x10FFF0 }) {
            guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
            let bytes = Array("ab\(scalar)".utf8)
            #expect(bytes.withUnsafeBytes { UTF8Validation.isValid($0) })
            #expect(value < 128 || !bytes.dropLast().withUnsafeBytes { UTF8Validation.isValid($0) })
        }
        let bad: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xC3], [0xE4, 0xB8], [0xC3, 0x28],
        ]
        for padding in [0, 7, 8, 31, 32, 33, 100] {
            for bytes in bad {
                let text = Array(repeating: UInt8(ascii: "x"), count: padding) + bytes + Array(repeating: UInt8(ascii: "y"), count: padding)
                #expect(text.withUnsafeBytes { UTF8Validation.firstInvalid($0) } == padding, "\(bytes)")
            }
        }
    }
}

/// A struct array of one BIGINT column, made by hand, that counts its releases.
private enum CountedArray {
    nonisolated(unsafe) private(set) static var count = 0
    private static let numbers = Buffer.copying([Int64(1), 2, 3])

    static func make(length: Int64, values: UnsafeRawPointer? = nil, validity: UnsafeRawPointer? = nil, data: UnsafeRawPointer? = nil) -> ArrowArray {
        let buffers = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: 4)
        buffers.initialize(to: nil)
        (buffers + 1).initialize(to: validity)
        (buffers + 2).initialize(to: values ?? UnsafeRawPointer(numbers.base))
        (buffers + 3).initialize(to: data)
        let child = UnsafeMutablePointer<ArrowArray>.allocate(capacity: 1)
        child.initialize(
            to: ArrowArray(
                length: length, null_count: -1, offset: 0, n_buffers: data == nil ? 2 : 3, n_children: 0, buffers: buffers + 1, children: nil,
                dictionary: nil,
                release: { $0?.pointee.release = nil }, private_data: nil))
        let children = UnsafeMutablePointer<UnsafeMutablePointer<ArrowArray>?>.allocate(capacity: 1)
        children.initialize(to: child)
        return ArrowArray(
            length: length, null_count: 0, offset: 0, n_buffers: 1, n_children: 1, buffers: buffers, children: children, dictionary: nil,
            release: { array in
                CountedArray.count += 1
                array?.pointee.buffers.deallocate()
                array?.pointee.children[0]?.deallocate()
                array?.pointee.children.deallocate()
                array?.pointee.release = nil
            }, private_data: nil)
    }
}

/// Counts the references that come back.
private enum ImportReleases {
    nonisolated(unsafe) private(set) static var count = 0
    static let objects = HostObjects(
        retain: { _, _ in },
        release: { handles, count in
            for index in 0..<count where handles[index] != nil { ImportReleases.count += 1 }
        },
        hash: { _, _, _ in -1 }, equal: { _, _ in 1 }, compare: { _, _ in 0 }, describe: { _, _, _ in 0 })
}
