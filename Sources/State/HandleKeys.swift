import Columnar

/// Keys of one OBJECT column: handles with a reference each. Handles are compared by address first; the host decides only where addresses differ.
final class HandleKeys: KeyStorage {
    private let type: DataType
    private let objects: HostObjects
    /// The bits of a handle; 0 is null, whether the column says it or the host.
    private var words = SlotArray<UInt64>(fill: 0)
    private var hashes = SlotArray<UInt64>(fill: 0)
    private var converted = SlotArray<UInt64>(fill: 0)
    private var bound: UnsafePointer<UInt64>
    /// Keys stored since `bind`, which still belong to the batch.
    private var unretained: [HostObjects.Handle?] = []
    private var column: Column?

    init(_ type: DataType, _ objects: HostObjects) {
        self.type = type
        self.objects = objects
        bound = UnsafePointer(converted.base)
    }

    func bind(_ columns: [Column], start: Int, count: Int) throws(MillstreamError) {
        let column = columns[0]
        guard column.type.layout == .handles else { throw MillstreamError.keyType(column.type, type) }
        self.column = column
        let words = column.pointer(as: UInt64.self) + start
        bound = UnsafePointer(words)
        guard column.mayHaveNulls else { return }
        converted.reserve(count)
        for row in 0..<count { converted[row] = column.isNull(start + row) ? 0 : words[row] }
        bound = UnsafePointer(converted.base)
    }

    func match(_ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>) {
        matchWords(candidates, hashes, count, bound, words.base, -1, slots)
    }

    func isEqual(row: Int, slot: Int) throws(MillstreamError) -> Bool {
        let left = words[slot]
        let right = bound[row]
        if left == right { return true }
        if left == 0 || right == 0 { return false }
        let stored = HostObjects.Handle(bitPattern: UInt(left))
        let given = HostObjects.Handle(bitPattern: UInt(right))
        let answer = objects.equal(stored, given)
        guard answer >= 0 else {
            throw MillstreamError(
                .userFunction, "comparing the keys \(objects.description(of: stored)) and \(objects.description(of: given)) failed")
        }
        return answer != 0
    }

    func hash(_ slot: Int) -> UInt64 { hashes[slot] }

    func store(row: Int, slot: Int, hash: UInt64) {
        words.reserve(slot + 1)
        hashes.reserve(slot + 1)
        hashes[slot] = hash
        words[slot] = bound[row]
        unretained.append(HostObjects.Handle(bitPattern: UInt(bound[row])))
    }

    func reserve(_ slotCount: Int) {
        words.reserve(slotCount)
        hashes.reserve(slotCount)
    }

    func unbind() {
        unretained.withUnsafeBufferPointer { if let base = $0.baseAddress, $0.count > 0 { objects.retain(base, $0.count) } }
        unretained.removeAll(keepingCapacity: true)
        column = nil
    }

    func erase(_ slots: UnsafePointer<Int32>, count: Int) {
        guard count > 0 else { return }
        let handles = Buffer(byteCount: 8 * count)
        let target = handles.pointer(as: UInt64.self)
        for place in 0..<count {
            target[place] = words[Int(slots[place])]
            words[Int(slots[place])] = 0
        }
        objects.release(handles.pointer(as: HostObjects.Handle?.self), count)
    }

    /// A host's values are written down at the barrier.
    func freeze(_ count: Int) -> (any FrozenKeys)? { nil }

    func gather(_ slots: UnsafePointer<Int32>, count: Int) -> [Column] {
        let handles = Buffer(byteCount: 8 * count)
        let target = handles.pointer(as: UInt64.self)
        var hasNulls = false
        for place in 0..<count {
            target[place] = words[Int(slots[place])]
            hasNulls = hasNulls || target[place] == 0
        }
        var validity: Buffer?
        if hasNulls {
            let bitmap = Buffer(byteCount: Bits.byteCount(count))
            for place in 0..<count { Bits.assign(bitmap.base, place, target[place] != 0) }
            validity = bitmap
        }
        objects.retain(handles.pointer(as: HostObjects.Handle?.self), count)
        let owner = HandleOwner(objects: objects, buffer: handles, count: count)
        let values = Buffer(unowned: handles.base, byteCount: 8 * count, owner: owner)
        return [Column(type: type, count: count, validity: validity, values: values, hostObjects: objects)]
    }
}
