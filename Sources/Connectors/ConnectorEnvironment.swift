import Columnar
import Dataflow
import Plan

/// What the factories need from whoever runs the job: everything that a description, which is only data, cannot hold.
public struct ConnectorEnvironment: Sendable {
    public typealias MakeRowGenerator = @Sendable (GeneratorDescription, Schema) throws(MillstreamError) -> any RowGenerator
    public typealias MakeColumnFunction = @Sendable (Expression, Schema) throws(MillstreamError) -> ColumnFunction
    /// A column computed from a batch; dense, one value per row that counts.
    public typealias ColumnFunction = @Sendable (Batch) throws(MillstreamError) -> Column

    public var bindings: Bindings
    public var clock: any Clock
    public var storage: any Storage
    public var standardOutput: any TextOutput
    public var standardError: any TextOutput
    /// Where collecting sinks put their rows; nil refuses such a sink.
    public var collectTarget: (any CollectTarget)?
    /// Makes the evaluator of a generator's expressions; nil refuses generators.
    public var makeRowGenerator: MakeRowGenerator?
    /// Makes the evaluator of a bucket expression; nil allows only plain columns.
    public var makeColumnFunction: MakeColumnFunction?

    /// Whether the job has checkpoints, so that sinks wait for their commits. Without them a file sink shows a file as soon as it is rolled.
    public var commitsAtCheckpoints = false

    public init(
        bindings: Bindings = Bindings(), clock: any Clock, storage: any Storage, standardOutput: any TextOutput = FileDescriptorOutput(1),
        standardError: any TextOutput = FileDescriptorOutput(2), collectTarget: (any CollectTarget)? = nil,
        makeRowGenerator: MakeRowGenerator? = nil, makeColumnFunction: MakeColumnFunction? = nil
    ) {
        self.bindings = bindings
        self.clock = clock
        self.storage = storage
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.collectTarget = collectTarget
        self.makeRowGenerator = makeRowGenerator
        self.makeColumnFunction = makeColumnFunction
    }
}
