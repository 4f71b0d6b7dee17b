import Columnar
import Dataflow
import Operators
import Plan

/// A host function whose answers a test writes in Swift; remembers the operations it was called with.
final class ScriptedFunction: HostFunction, @unchecked Sendable {
    let name = "scripted"
    let accumulatorTypes: [DataType]
    private let answer: (HostRequest) throws(MillstreamError) -> HostResponse
    private(set) var operations: [HostOperation] = []

    init(accumulatorTypes: [DataType] = [], _ answer: @escaping (HostRequest) throws(MillstreamError) -> HostResponse) {
        self.accumulatorTypes = accumulatorTypes
        self.answer = answer
    }

    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        operations.append(request.operation)
        if [.open, .close, .snapshot].contains(request.operation) { return HostResponse() }
        return try answer(request)
    }

    func instance() throws(MillstreamError) -> any HostFunction { self }
    func fused(with next: any HostFunction) -> (any HostFunction)? { nil }
}

/// A BIGINT column; nil is null.
func int64Column(_ values: [Int64?]) throws(MillstreamError) -> Column {
    let builder = try ColumnBuilder.make(for: .bigInt)
    for value in values { try builder.append(value.map { Scalar.int64($0) } ?? .null) }
    return builder.finish()
}

/// A column's values; nil where null.
func int64s(_ column: Column) -> [Int64?] {
    (0..<column.count).map { if case .int64(let value) = column.scalar(at: $0) { value } else { nil } }
}

/// The operator of a node with input columns f0, f1, ... of BIGINT.
func makeNodeOperator(
    _ operation: Operation, columns: Int, function: ScriptedFunction?, sideOutputs: [SideOutput] = [], isBatch: Bool = false
) throws -> any Operator {
    let schema = Schema((0..<columns).map { Field("f\($0)", .bigInt) }, shape: .tuple)
    var node = Node(id: NodeID(0), name: "node", inputs: [], operation: operation, output: schema)
    node.sideOutputs = sideOutputs
    var bindings = Bindings()
    if let function { bindings.bind(0, function: function) }
    return try OperatorFactory.make(for: node, inputs: [schema], bindings: bindings, isBatch: isBatch)
}
