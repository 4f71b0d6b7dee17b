import Columnar
#if canImport(Glibc)
import Glibc
#endif

/// One row of any types per slot: the accumulators of host functions.
///
/// Flat values lie in records, one per slot, so that a row costs one cache miss however many columns it has; text and bytes are copied, and handles are
/// taken over from the incoming columns where these own them. Nested values stay in the columns with which they came (`ChunkedRows`). One thread at a time.
public final class RowStore {
    let types: [DataType]
    let layout: RecordLayout
    /// The records; those without a row are all zeros.
    private var words = SlotArray<UInt64>(fill: 0)
    /// Records there is memory for.
    private var capacity = 0
    /// One more than the highest slot that had a row since the last `removeAll`.
    private var slotEnd = 0
    let nested: ChunkedRows?
    private(set) var hostObjects: HostObjects?
    private(set) var loans: HandleLoans?
    var snapshots = Snapshots()
    /// While rows are restored.
    private var pagesAhead: PagesAhead?
    /// How many slots have a row.
    public internal(set) var count = 0

    /// `hostObjects` where a type is OBJECT.
    public init(types: [DataType], hostObjects: HostObjects?) {
        self.types = types
        self.hostObjects = hostObjects
        layout = RecordLayout(types)
        nested = layout.others.isEmpty ? nil : ChunkedRows(types: layout.others.map { types[$0] }, hostObjects: hostObjects)
    }

    deinit { letGoOfAll() }

    /// Whether a slot has a row.
    public func contains(_ slot: Int) -> Bool {
        slot >= 0 && slot < capacity && flags(slot).pointee & RecordLayout.isPresent != 0
    }

    /// Row i of `columns` becomes the row of `slots[i]`. Slots do not repeat. Throws `typeMismatch` for columns of other layouts than the store's types.
    public func set(_ columns: [Column], slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) {
        guard rowCount > 0 else { return }
        try check(columns, rowCount)
        reserve(slots, rowCount)
        snapshots.touch(slots, count: rowCount)
        // Field after field, of so many rows that their records stay in the cache. Where handles may be taken over, the columns are as long as the rows.
        let step = layout.fields.contains(where: { $0.storage == .handles }) ? rowCount : max(64, Self.cachedByteCount / layout.stride)
        for start in stride(from: 0, to: rowCount, by: step) {
            let part = min(step, rowCount - start)
            write(part < rowCount ? columns.map { $0.slice(start, part) } : columns, slots + start, part)
        }
        pagesAhead?.advance(to: slotEnd * layout.stride)
        settleLoans()
        try nested?.set(layout.others.map { columns[$0] }, slots: slots, count: rowCount)
    }

    /// Makes room for the rows of so many slots, which `body` sets in about their order.
    public func filling<Failure: Error>(_ slotCount: Int, _ body: () throws(Failure) -> Void) throws(Failure) {
        let slotCount = min(slotCount, Self.filledByteCountMax / layout.stride)
        words.reserve(slotCount * layout.stride / 8)
        capacity = words.capacity * 8 / layout.stride
        pagesAhead = PagesAhead(words.memory, from: slotEnd * layout.stride, byteCount: slotCount * layout.stride)
        defer { pagesAhead = nil }
        try body()
    }

    private static let cachedByteCount = 256 << 10
    /// More than a machine has: what a file says of itself must not ask for more addresses than there are.
    private static let filledByteCountMax = 1 << 40

    private func write(_ columns: [Column], _ slots: UnsafePointer<Int32>, _ rowCount: Int) {
        setFlags(slots, rowCount)
        for field in layout.fields {
            let column = columns[field.column]
            let base = records + field.byteOffset
            switch field.storage {
            case .bits:
                for row in 0..<rowCount { (base + Int(slots[row]) &* layout.stride).storeBytes(of: column.bit(row) ? 1 : 0, as: UInt8.self) }
            case .fixed(let byteWidth): writeFixed(byteWidth, column, slots, rowCount, to: base, stride: layout.stride)
            case .bytes: setBytes(column, slots, rowCount, base)
            case .handles: setHandles(column, slots, rowCount, base)
            }
            if column.mayHaveNulls { clearFlags(field, column, slots, rowCount) }
            withExtendedLifetime(column) {}
        }
    }

    /// The rows of some slots; null where a slot has none. Handles are lent: they live as long as the column, whatever becomes of the store.
    public func gather(_ slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) -> [Column] {
        reserve(slots, rowCount)
        let reader = RecordReader(base: UnsafeRawPointer(words.base), layout: layout, types: types)
        let common = reader.commonFlags(slots, rowCount)
        var result = [Column?](repeating: nil, count: types.count)
        for field in layout.fields {
            result[field.column] = try reader.gather(field, common, slots, rowCount, loans: loans, hostObjects: hostObjects)
        }
        if let nested {
            for (position, column) in zip(layout.others, try nested.gather(slots, count: rowCount)) { result[position] = column }
        }
        return result.compactMap { $0 }
    }

    /// The rows of slots below `end` as they are now, to be copied while the store changes; nil for rows of nested or host values.
    func freeze(below end: Int) -> FrozenRows? {
        guard nested == nil, !layout.fields.contains(where: { $0.storage == .handles }) else { return nil }
        let texts = layout.fields.filter { $0.storage == .bytes }.map(\.byteOffset)
        return FrozenRows(snapshots.take(words.memory, count: min(slotEnd, end), stride: layout.stride, texts: texts), layout, types)
    }

    /// Forgets the rows of some slots.
    public func remove(_ slots: UnsafePointer<Int32>, count rowCount: Int) {
        snapshots.touch(slots, count: rowCount)
        for index in 0..<rowCount where contains(Int(slots[index])) {
            let record = records + Int(slots[index]) &* layout.stride
            letGo(record)
            memset(record, 0, layout.stride)
            count -= 1
        }
        settleLoans()
        nested?.remove(slots, count: rowCount)
    }

    /// Roughly how many bytes the rows of some slots take, with texts and values of a host.
    func byteCount(of slots: [Int32]) -> Int {
        var total = slots.count * layout.stride
        for slot in slots where contains(Int(slot)) {
            let record = records + Int(slot) &* layout.stride
            for field in layout.fields {
                switch field.storage {
                case .bytes:
                    let bytes = (record + field.byteOffset).loadUnaligned(as: OwnedBytes.self)
                    if !bytes.isInline { total += bytes.length + 32 }
                case .handles: total += Self.handleByteCount
                case .bits, .fixed: break
                }
            }
        }
        return total
    }

    /// What a value of a host is taken to need.
    private static let handleByteCount = 100

    /// Forgets everything, and keeps the memory.
    public func removeAll() {
        snapshots.touchAll()
        letGoOfAll()
        settleLoans()
        memset(records, 0, slotEnd * layout.stride)
        slotEnd = 0
        count = 0
        nested?.removeAll()
    }

    // MARK: - Records

    var records: UnsafeMutableRawPointer { UnsafeMutableRawPointer(words.base) }

    @inline(__always)
    func flags(_ slot: Int) -> UnsafeMutablePointer<UInt64> {
        (records + slot &* layout.stride).assumingMemoryBound(to: UInt64.self)
    }

    func check(_ columns: [Column], _ rowCount: Int) throws(MillstreamError) {
        guard columns.count == types.count else { throw .internal("a row of \(columns.count) columns for a store of \(types.count)") }
        for (column, type) in zip(columns, types) {
            guard column.type.layout == type.layout else {
                throw MillstreamError(.typeMismatch, "a value of type \(column.type) cannot be kept where \(type) is expected")
            }
            guard column.count >= rowCount else { throw .internal("a column of \(column.count) rows instead of \(rowCount)") }
        }
    }

    func reserve(_ slots: UnsafePointer<Int32>, _ rowCount: Int) {
        var highest: Int32 = -1
        for row in 0..<rowCount { highest = max(highest, slots[row]) }
        guard Int(highest) >= capacity else { return }
        words.reserve((Int(highest) + 1) * layout.stride / 8)
        capacity = words.capacity * 8 / layout.stride
    }

    /// Marks rows as present, without nulls.
    private func setFlags(_ slots: UnsafePointer<Int32>, _ rowCount: Int) {
        let base = records
        let stride = layout.stride
        var added = 0
        var highest = Int32(truncatingIfNeeded: slotEnd - 1)
        for row in 0..<rowCount {
            let word = (base + Int(slots[row]) &* stride).assumingMemoryBound(to: UInt64.self)
            added &+= word.pointee & RecordLayout.isPresent == 0 ? 1 : 0
            word.pointee = .max
            highest = max(highest, slots[row])
        }
        for place in 1..<max(1, layout.flagWordCount) { for row in 0..<rowCount { flags(Int(slots[row]))[place] = .max } }
        count += added
        slotEnd = Int(highest) + 1
    }

    private func clearFlags(_ field: RecordLayout.Field, _ column: Column, _ slots: UnsafePointer<Int32>, _ rowCount: Int) {
        for row in 0..<rowCount where column.isNull(row) { flags(Int(slots[row]))[field.flagByteOffset / 8] &= ~field.flag }
    }

    // MARK: - Values

    private func setBytes(_ column: Column, _ slots: UnsafePointer<Int32>, _ rowCount: Int, _ base: UnsafeMutableRawPointer) {
        let views = UnsafePointer(column.pointer(as: StringView.self))
        let blocks = column.dataBuffers.map { UnsafeRawPointer($0.base) }
        let hasNulls = column.mayHaveNulls
        blocks.withUnsafeBufferPointer { blocks in
            // A column without data buffers has no long values, so that no block is looked for.
            let first = blocks.baseAddress ?? UnsafePointer(bitPattern: 16).unsafelyUnwrapped
            for row in 0..<rowCount {
                let place = base + Int(slots[row]) &* layout.stride
                var bytes = place.loadUnaligned(as: OwnedBytes.self)
                if hasNulls && column.isNull(row) {
                    bytes.free()
                    bytes = .empty
                } else {
                    bytes.replace(by: OwnedBytes(borrowing: views + row, first))
                }
                place.storeBytes(of: bytes, as: OwnedBytes.self)
            }
        }
    }

    private func setHandles(_ column: Column, _ slots: UnsafePointer<Int32>, _ rowCount: Int, _ base: UnsafeMutableRawPointer) {
        guard let loans = loans(for: column) else { return }
        let isOurs = column.count == rowCount && column.handOverHandles(to: loans)
        let words = UnsafePointer(column.pointer(as: UInt64.self))
        guard column.mayHaveNulls else {
            return replaceHandles(words, slots, rowCount, base, loans, retains: !isOurs)
        }
        let present = Buffer(byteCount: 8 * rowCount)
        let target = present.pointer(as: UInt64.self)
        let surplus = loans.room(rowCount)
        var surplusCount = 0
        for row in 0..<rowCount {
            let isNull = column.isNull(row)
            target[row] = isNull ? 0 : words[row]
            if isNull, isOurs, words[row] != 0 {
                surplus[surplusCount] = words[row]
                surplusCount += 1
            }
        }
        loans.added(surplusCount)
        replaceHandles(target, slots, rowCount, base, loans, retains: !isOurs)
        withExtendedLifetime(present) {}
    }

    private func replaceHandles(
        _ words: UnsafePointer<UInt64>, _ slots: UnsafePointer<Int32>, _ rowCount: Int, _ base: UnsafeMutableRawPointer, _ loans: HandleLoans,
        retains: Bool
    ) {
        if retains {
            UnsafeRawPointer(words).withMemoryRebound(to: HostObjects.Handle?.self, capacity: rowCount) { loans.objects.retain($0, rowCount) }
        }
        let givenUp = loans.room(rowCount)
        let stride = layout.stride
        var givenUpCount = 0
        for row in 0..<rowCount {
            let place = (base + Int(slots[row]) &* stride).assumingMemoryBound(to: UInt64.self)
            let old = place.pointee
            place.pointee = words[row]
            givenUp[givenUpCount] = old
            givenUpCount &+= old != 0 ? 1 : 0
        }
        loans.added(givenUpCount)
    }

    // MARK: - References

    /// The loans; nil while no column had a host, so that all handles are null.
    private func loans(for column: Column) -> HandleLoans? {
        if let loans { return loans }
        guard let objects = hostObjects ?? column.hostObjects else { return nil }
        hostObjects = objects
        loans = HandleLoans(objects)
        return loans
    }

    private func settleLoans() {
        guard let count = loans?.count, count > 0 else { return }
        if isKnownUniquelyReferenced(&loans) { loans?.releaseAll() } else { loans = loans?.successor() }
    }

    /// Gives up what a record owns; the record is then written or cleared.
    private func letGo(_ record: UnsafeMutableRawPointer) {
        for field in layout.fields {
            switch field.storage {
            case .bytes: (record + field.byteOffset).loadUnaligned(as: OwnedBytes.self).free()
            case .handles:
                let word = (record + field.byteOffset).load(as: UInt64.self)
                if word != 0, let loans {
                    loans.room(1).pointee = word
                    loans.added(1)
                }
            case .bits, .fixed: break
            }
        }
    }

    private func letGoOfAll() {
        guard layout.ownsValues, count > 0 else { return }
        snapshots.touchAll()
        for slot in 0..<slotEnd where contains(slot) { letGo(records + slot &* layout.stride) }
    }
}

/// Records in memory, as columns.
struct RecordReader {
    let base: UnsafeRawPointer
    let layout: RecordLayout
    let types: [DataType]

    /// The flags that all of the records have.
    func commonFlags(_ slots: UnsafePointer<Int32>, _ rowCount: Int) -> [UInt64] {
        var result: [UInt64] = []
        for place in 0..<layout.flagWordCount {
            let base = base + 8 * place
            let stride = layout.stride
            var common = UInt64.max
            for row in 0..<rowCount { common &= (base + Int(slots[row]) &* stride).load(as: UInt64.self) }
            result.append(common)
        }
        return result
    }

    private func gatherFlags(_ field: RecordLayout.Field, _ slots: UnsafePointer<Int32>, _ rowCount: Int) -> Buffer {
        let result = Buffer.zeroed(byteCount: Bits.byteCount(rowCount))
        let target = result.pointer(as: UInt8.self)
        let base = base + field.flagByteOffset
        let stride = layout.stride
        for row in 0..<rowCount {
            let isSet = (base + Int(slots[row]) &* stride).load(as: UInt64.self) & field.flag != 0
            target[row &>> 3] |= (isSet ? 1 : 0) &<< UInt8(truncatingIfNeeded: row & 7)
        }
        return result
    }

    /// One field of some records; `common` are the flags that all of them have.
    func gather(
        _ field: RecordLayout.Field, _ common: [UInt64], _ slots: UnsafePointer<Int32>, _ rowCount: Int, loans: HandleLoans? = nil,
        hostObjects: HostObjects? = nil
    ) throws(MillstreamError) -> Column {
        let hasNulls = common[field.flagByteOffset / 8] & field.flag == 0
        let validity = hasNulls ? gatherFlags(field, slots, rowCount) : nil
        let type = hasNulls ? types[field.column].nullable : types[field.column]
        let base = base + field.byteOffset
        switch field.storage {
        case .bits:
            let values = Buffer.zeroed(byteCount: Bits.byteCount(rowCount))
            let target = values.pointer(as: UInt8.self)
            for row in 0..<rowCount {
                let bit = (base + Int(slots[row]) &* layout.stride).load(as: UInt8.self)
                target[row &>> 3] |= bit &<< UInt8(truncatingIfNeeded: row & 7)
            }
            return Column(type: type, count: rowCount, validity: validity, values: values)
        case .fixed(let byteWidth):
            let values = readFixed(byteWidth, slots, rowCount, from: base, stride: layout.stride)
            return Column(type: type, count: rowCount, validity: validity, values: values)
        case .bytes:
            let words = Buffer(byteCount: 16 * rowCount)
            readField(slots, rowCount, from: base, stride: layout.stride, into: words.pointer(as: SIMD2<UInt64>.self))
            return try copyBytes(words, rowCount, type: type, validity: validity)
        case .handles:
            let values = Buffer(byteCount: 8 * rowCount, keeping: loans)
            readField(slots, rowCount, from: base, stride: layout.stride, into: values.pointer(as: UInt64.self))
            return Column(type: type, count: rowCount, validity: validity, values: values, hostObjects: hostObjects)
        }
    }
}
