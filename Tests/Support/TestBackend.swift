import Columnar
import Dataflow
import State

/// Where operators under test keep state.
public struct TestBackend: Sendable, CustomStringConvertible {
    private let stores: (any StateStores)?
    private let paging: StatePaging?
    public let description: String

    public static var memory: TestBackend { TestBackend(stores: nil, paging: nil, description: "hash") }

    /// In a sorted store, with so many bytes for the keys of all subtasks: with 0 no key stays in memory from one batch to the next.
    public static func paged(_ byteCount: Int, isIncremental: Bool = false, stores: any StateStores = MemoryStores()) -> TestBackend {
        TestBackend(
            stores: stores,
            paging: StatePaging(memory: StateMemory(byteCountMax: byteCount), objects: DigitCoding(), isIncremental: isIncremental),
            description: "paged \(byteCount)\(isIncremental ? " incremental" : "")")
    }

    public func prepare(_ context: OperatorContext) {
        context.stores = stores
        context.paging = paging
    }
}
