import Columnar

/// What a handle stands for. The raw value is part of the handle's number.
enum HandleKind: UInt8 {
    case error = 1
    case environment = 2
    case function = 3
    case expression = 4
    case job = 5
    case notifier = 6
    case clock = 7
    case savepointWriter = 8
    case sql = 9

    var name: String {
        switch self {
        case .error: "error"
        case .environment: "environment"
        case .function: "function"
        case .expression: "expression"
        case .job: "job"
        case .notifier: "notifier"
        case .clock: "clock"
        case .savepointWriter: "savepoint writer"
        case .sql: "SQL session"
        }
    }
}

/// The objects that a program holds handles of.
///
/// A handle is the number `0x4D53 | kind` (16 bits), generation (24 bits), slot (24 bits). Such a number is no address on any machine that we run
/// on, and a slot's generation changes when its object goes, so that a stale, doubly freed, foreign or made-up handle is found by comparing
/// numbers. A slot whose generations are used up is never used again. One lock suffices: no call per row comes here.
final class HandleTable: @unchecked Sendable {
    static let shared = HandleTable()

    private static let mark: UInt = 0x4D53
    private static let slotCountMax = 1 << 24
    private static let generationMax: UInt32 = (1 << 24) - 1

    private struct Slot {
        var generation: UInt32 = 1
        var kind: HandleKind = .error
        var object: AnyObject?
    }

    let lock = Lock()
    private var slots: [Slot] = []
    private var free: [Int] = []

    /// A handle for `object`. Throws `limitExceeded` where there are too many.
    func insert(_ object: AnyObject, _ kind: HandleKind) throws(MillstreamError) -> OpaquePointer {
        lock.lock()
        defer { lock.unlock() }
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            guard slots.count < HandleTable.slotCountMax else {
                throw MillstreamError(.limitExceeded, "there are \(slots.count) handles", hint: "Free those that you no longer need.")
            }
            index = slots.count
            slots.append(Slot())
        }
        slots[index].kind = kind
        slots[index].object = object
        return try pointer(index, slots[index].generation, kind)
    }

    /// The object behind a handle. Throws `invalidHandle`.
    func find<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, as type: Object.Type) throws(MillstreamError) -> Object {
        lock.lock()
        defer { lock.unlock() }
        let index = try locate(handle, kind)
        guard let object = slots[index].object as? Object else { throw .internal("the \(kind.name) handle holds another object") }
        return object
    }

    /// The object behind a handle, which is worth nothing afterwards; nil for NULL and for a handle that is worth nothing already.
    func remove(_ handle: OpaquePointer?, _ kind: HandleKind) -> AnyObject? {
        lock.lock()
        defer { lock.unlock() }
        guard let index = try? locate(handle, kind) else { return nil }
        let object = slots[index].object
        slots[index].object = nil
        if slots[index].generation < HandleTable.generationMax {
            slots[index].generation += 1
            free.append(index)
        }
        // The caller drops the object after the lock is open again: its end may free other handles.
        return object
    }

    private func pointer(_ index: Int, _ generation: UInt32, _ kind: HandleKind) throws(MillstreamError) -> OpaquePointer {
        let high = HandleTable.mark ^ (UInt(kind.rawValue) << 8)
        let number = high << 48 | UInt(generation) << 24 | UInt(index)
        guard let pointer = OpaquePointer(bitPattern: number) else { throw .internal("a handle of zero") }
        return pointer
    }

    private func locate(_ handle: OpaquePointer?, _ kind: HandleKind) throws(MillstreamError) -> Int {
        guard let handle else { throw MillstreamError(.invalidHandle, "the \(kind.name) handle is NULL") }
        let number = UInt(bitPattern: handle)
        let kindNumber = (number >> 48 ^ HandleTable.mark) >> 8
        guard number >> 48 & 0xFF == HandleTable.mark & 0xFF, let actual = HandleKind(rawValue: UInt8(truncatingIfNeeded: kindNumber)) else {
            throw MillstreamError(.invalidHandle, "the \(kind.name) handle is not one of Millstream's")
        }
        guard actual == kind else {
            throw MillstreamError(.invalidHandle, "the handle is of \(article(actual)), where one of \(article(kind)) is needed")
        }
        let index = Int(number & 0xFF_FFFF)
        guard index < slots.count, slots[index].generation == UInt32(number >> 24 & 0xFF_FFFF), slots[index].kind == kind,
            slots[index].object != nil
        else { throw MillstreamError(.invalidHandle, "the \(kind.name) handle was freed already") }
        return index
    }

    private func article(_ kind: HandleKind) -> String {
        switch kind {
        case .error, .environment, .expression, .sql: "an \(kind.name)"
        case .function, .job, .notifier, .clock, .savepointWriter: "a \(kind.name)"
        }
    }
}
