import Synchronization

/// What the engine may do with opaque values of a host language (the columns of type OBJECT).
///
/// A host registers one table of C functions per process. Every function takes a whole run of handles, so that the host takes its lock once
/// per batch. All may be called from any thread. `release` must not wait for a lock that another thread holds while it runs user code: a host
/// queues the handles and lets them go when it next holds its lock.
public final class HostObjects: @unchecked Sendable {
    public typealias Handle = UnsafeMutableRawPointer

    /// Takes one more reference to each of `count` handles.
    public let retain: @convention(c) (UnsafePointer<Handle?>, Int) -> Void
    /// Gives back one reference to each of `count` handles.
    public let release: @convention(c) (UnsafePointer<Handle?>, Int) -> Void
    /// Writes the stable 64-bit hash of each value (docs/hash.md). Returns -1, or the index of the first value that can be no key.
    public let hash: @convention(c) (UnsafePointer<Handle?>, Int, UnsafeMutablePointer<UInt64>) -> Int
    /// Whether two values are equal: 1, 0, or -1 if the host's comparison failed.
    public let equal: @convention(c) (Handle?, Handle?) -> Int32
    /// Orders two values: -1, 0, 1, or 2 if they cannot be compared.
    public let compare: @convention(c) (Handle?, Handle?) -> Int32
    /// Writes at most `capacity` bytes of UTF-8 that describe the value; returns how many.
    public let describe: @convention(c) (Handle?, UnsafeMutablePointer<UInt8>, Int) -> Int

    public typealias Append = @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<UInt8>?, Int64) -> Void
    public typealias Encode = @convention(c) (
        UnsafePointer<Handle?>, Int, Append, UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt8>, Int
    ) -> Int
    public typealias Decode = @convention(c) (
        UnsafePointer<UnsafePointer<UInt8>?>, UnsafePointer<Int64>, Int, UnsafeMutablePointer<Handle?>, UnsafeMutablePointer<UInt8>, Int
    ) -> Int
    /// Gives each value's bytes to a function, and the function's target, in order. Returns -1, or the index of the first value that cannot be written with
    /// the reason as UTF-8 that ends with 0. Nil: the host's values cannot be in a checkpoint.
    public let encode: Encode?
    /// Writes a reference to each value. Returns like `encode`; those before a refused one are the caller's.
    public let decode: Decode?

    public init(
        retain: @escaping @convention(c) (UnsafePointer<Handle?>, Int) -> Void,
        release: @escaping @convention(c) (UnsafePointer<Handle?>, Int) -> Void,
        hash: @escaping @convention(c) (UnsafePointer<Handle?>, Int, UnsafeMutablePointer<UInt64>) -> Int,
        equal: @escaping @convention(c) (Handle?, Handle?) -> Int32,
        compare: @escaping @convention(c) (Handle?, Handle?) -> Int32,
        describe: @escaping @convention(c) (Handle?, UnsafeMutablePointer<UInt8>, Int) -> Int,
        encode: Encode? = nil, decode: Decode? = nil
    ) {
        self.encode = encode
        self.decode = decode
        self.retain = retain
        self.release = release
        self.hash = hash
        self.equal = equal
        self.compare = compare
        self.describe = describe
    }

    /// The value's description for an error message, at most 200 bytes.
    public func description(of handle: Handle?) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 200) { bytes in
            let count = describe(handle, bytes.baseAddress!, bytes.count)
            return String(decoding: UnsafeBufferPointer(rebasing: bytes[0..<max(0, min(count, bytes.count))]), as: UTF8.self)
        }
    }
}

/// Owned references to host values: gives them back when the last column that borrows them is gone.
public final class HandleOwner: @unchecked Sendable {
    public let objects: HostObjects
    public let handles: UnsafeMutablePointer<HostObjects.Handle?>
    public let count: Int

    /// Takes over `count` references in `buffer`, which the owner keeps alive.
    public init(objects: HostObjects, buffer: Buffer, count: Int) {
        self.objects = objects
        self.buffer = buffer
        self.count = count
        handles = buffer.pointer(as: HostObjects.Handle?.self)
    }

    private let buffer: Buffer
    private let isHandedOver = Atomic<Bool>(false)
    /// Who has the references now; kept for the columns that still borrow them.
    private var successor: AnyObject?

    deinit { if !isHandedOver.load(ordering: .acquiring) { objects.release(handles, count) } }

    /// Hands all references over to the caller, once; false if somebody was faster, who may be on another thread.
    ///
    /// Columns may go on borrowing the handles: `successor` lives as long as they do, and lets go of no reference that it took over before it dies itself.
    public func handOver(to successor: AnyObject) -> Bool {
        guard !isHandedOver.exchange(true, ordering: .acquiringAndReleasing) else { return false }
        self.successor = successor
        return true
    }
}

extension Column {
    /// Hands the references of an OBJECT column over to the caller, as `HandleOwner.handOver` does. False if the column shares them with other values or
    /// only borrows them: the caller then retains. Entries in the places of nulls are handed over too, and may be nil or not.
    public func handOverHandles(to successor: AnyObject) -> Bool {
        guard let values, let owner = values.keeper as? HandleOwner, owner.count == count else { return false }
        guard pointer(as: HostObjects.Handle?.self) == owner.handles else { return false }
        return owner.handOver(to: successor)
    }
}
