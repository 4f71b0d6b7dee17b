import Columnar

/// A job as the front ends describe it: nodes and edges, no running parts.
///
/// A plan is data. What a plan cannot hold (host functions, Arrow readers, sources and sinks written in a host language) is named by a number that
/// the program binds; `Runtime` lowers plan and bindings to a job graph. Node ids ascend in the order of creation, and inputs come before their readers.
public struct StreamPlan: Sendable {
    public var jobName: String
    public var nodes: [Node]
    public var configuration: JobConfiguration

    public init(jobName: String = "Millstream job", nodes: [Node] = [], configuration: JobConfiguration = JobConfiguration()) {
        self.jobName = jobName
        self.nodes = nodes
        self.configuration = configuration
    }

    public func node(_ id: NodeID) -> Node? { id.value >= 0 && id.value < nodes.count ? nodes[id.value] : nil }
}

/// A node's position in its plan.
public struct NodeID: Hashable, Comparable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
    public static func < (left: NodeID, right: NodeID) -> Bool { left.value < right.value }
}

/// A number for something that the program binds at execution: a host function, a host source, an Arrow stream, a sink.
public struct BindingID: Hashable, Sendable {
    public let value: Int
    public init(_ value: Int) { self.value = value }
}

/// One operator of the plan.
public struct Node: Sendable {
    public var id: NodeID
    public var name: String
    /// The user's uid; state is matched by it.
    public var uid: String?
    /// nil: the job's default.
    public var parallelism: Int?
    public var maxParallelism: Int?
    public var inputs: [Edge]
    public var operation: Operation
    public var output: Schema
    /// The schemas of the side outputs that the node may emit to, by name.
    public var sideOutputs: [SideOutput]
    public var chaining: Chaining
    /// nil: the job's default.
    public var bufferTimeoutMilliseconds: Int64?
    public var slotSharingGroup: String?
    /// The side output for records that the function fails with, or that a file source cannot decode: its rows are counted as such.
    public var deadLetterOutput: String?
    /// Where in the user's program the operator was made, "file:line", for messages.
    public var definedAt: String?

    public init(id: NodeID, name: String, inputs: [Edge], operation: Operation, output: Schema) {
        self.id = id
        self.name = name
        self.inputs = inputs
        self.operation = operation
        self.output = output
        sideOutputs = []
        chaining = .always
    }
}

public struct SideOutput: Hashable, Sendable {
    public var name: String
    public var schema: Schema
    public init(name: String, schema: Schema) {
        self.name = name
        self.schema = schema
    }
}

public enum Chaining: Int32, Sendable {
    case always = 0
    /// Starts a chain: never chained to what comes before it.
    case head = 1
    case never = 2
}

/// Where a node's rows come from, and how they are spread over its subtasks.
public struct Edge: Sendable {
    public var source: NodeID
    /// nil: the main output.
    public var sideOutput: String?
    public var partitioning: Partitioning

    public init(source: NodeID, sideOutput: String? = nil, partitioning: Partitioning = .forward) {
        self.source = source
        self.sideOutput = sideOutput
        self.partitioning = partitioning
    }
}

public enum Partitioning: Sendable {
    /// Subtask i to subtask i; the runtime makes it `rebalance` where the parallelisms differ and the user did not ask for it.
    case forward
    /// Round robin over all channels.
    case rebalance
    /// Round robin within the group of subtasks that correspond.
    case rescale
    /// At random.
    case shuffle
    /// Every row to every subtask.
    case broadcast
    /// All to subtask 0.
    case global
    /// By key group of the key columns (positions in the batch, hidden key columns included).
    case hash(keys: [Int])
    /// By a host's partitioner over key columns.
    case custom(BindingID, keys: [Int])
}

/// What a node does.
public enum Operation: Sendable {
    case source(SourceDescription)
    /// One or more host functions from row to rows: map, flat map, filter. Joined with its neighbours at lowering.
    case transform(BindingID)
    /// A host's key selector: appends the key's columns (of `keyTypes`) behind the schema's.
    case keySelector(BindingID, keyTypes: [DataType])
    /// Native: computes columns.
    case project([Expression])
    /// Native: keeps the rows for which the expression is true.
    case filter(Expression)
    case assignTimestamps(WatermarkDescription)
    /// Rows of several inputs, unchanged. Their types may differ in nullability; the union's own takes them all.
    case union
    /// Keyed rolling reduce by a host function; emits the running value for each row.
    case reduce(BindingID, keys: [Int])
    /// Keyed rolling sum, min, max, min by, max by of a column.
    case rolling(RollingAggregate, column: Int, keys: [Int])
    /// A process function, keyed or not.
    case process(ProcessDescription)
    /// A function that is done with a row some time after it was given it.
    case asynchronous(AsyncDescription)
    case window(WindowDescription)
    /// An operator of tables.
    case table(TableOperation)
    /// An aggregation of a table.
    case aggregate(AggregateOperation)
    case sink(SinkDescription)
    /// An operator that the program binds (written in Swift).
    case custom(BindingID)
}

public enum RollingAggregate: Int32, Sendable {
    case sum = 0
    case min = 1
    case max = 2
    /// The first row with the smallest value.
    case minBy = 3
    case maxBy = 4
}

public struct WatermarkDescription: Sendable {
    public enum Timestamps: Sendable {
        case keep
        case column(Int)
        case host(BindingID)
    }
    public enum Generator: Sendable {
        case none
        case boundedOutOfOrderness(milliseconds: Int64)
        /// SQL's: the largest value so far of an expression over the row, a TIMESTAMP or TIMESTAMP_LTZ; rows for which it is NULL do not count.
        case expression(ScalarExpression)
        case host(BindingID)
    }
    /// A bound on how far a row's time may be ahead of the clock.
    public struct MaxFutureDrift: Sendable {
        /// At least 1.
        public var milliseconds: Int64
        /// The tag of the side output for rows beyond it; nil: they are counted and dropped.
        public var sideOutput: String?

        public init(milliseconds: Int64, sideOutput: String? = nil) {
            self.milliseconds = milliseconds
            self.sideOutput = sideOutput
        }
    }
    /// A bound on how far the stream's watermark may be ahead of the others of its group.
    public struct Alignment: Sendable {
        public var group: String
        /// Not negative.
        public var milliseconds: Int64

        public init(group: String, milliseconds: Int64) {
            self.group = group
            self.milliseconds = milliseconds
        }
    }
    public var timestamps: Timestamps
    public var generator: Generator
    public var idleTimeoutMilliseconds: Int64?
    /// nil: the stream waits for nobody.
    public var alignment: Alignment?
    /// nil: any time is taken, and moves the watermark.
    public var maxFutureDrift: MaxFutureDrift?

    public init(
        timestamps: Timestamps = .keep, generator: Generator = .none, idleTimeoutMilliseconds: Int64? = nil, maxFutureDrift: MaxFutureDrift? = nil,
        alignment: Alignment? = nil
    ) {
        self.alignment = alignment
        self.maxFutureDrift = maxFutureDrift
        self.timestamps = timestamps
        self.generator = generator
        self.idleTimeoutMilliseconds = idleTimeoutMilliseconds
    }
}

public struct AsyncDescription: Sendable {
    public var function: BindingID
    /// How many rows a subtask has in flight at most; at least 1.
    public var capacity: Int

    public init(function: BindingID, capacity: Int) {
        self.function = function
        self.capacity = capacity
    }
}

/// A process function and the state that it declares.
public struct ProcessDescription: Sendable {
    /// The second of two connected streams.
    public struct SecondInput: Sendable {
        /// nil for a stream without keys, for example a broadcast one.
        public var keys: [Int]?
        public init(keys: [Int]?) { self.keys = keys }
    }

    public var function: BindingID
    /// The key columns of the first input; nil for a stream without keys.
    public var keys: [Int]?
    /// nil: there is one input. Otherwise the node has two edges, each of which is a logical input with a schema of its own.
    public var second: SecondInput?
    public var states: [StateDeclaration]

    public init(function: BindingID, keys: [Int]?, second: SecondInput? = nil, states: [StateDeclaration] = []) {
        self.function = function
        self.keys = keys
        self.second = second
        self.states = states
    }

    /// The key columns of each logical input.
    public var inputKeys: [[Int]?] { second.map { [keys, $0.keys] } ?? [keys] }
    public var isKeyed: Bool { inputKeys.contains { $0 != nil } }
}

/// A state of a process function. Its index in `ProcessDescription.states` is its number at the border.
public struct StateDeclaration: Hashable, Sendable {
    public enum Kind: Int32, Hashable, Sendable {
        case value = 0
        case list = 1
        case map = 2
        /// Held like a value; the host applies its function.
        case reducing = 3
        case aggregating = 4
        /// Operator state: one map per subtask, which all subtasks fill alike from a broadcast stream.
        case broadcast = 5
        /// Operator state: one list per subtask, whose elements are dealt out anew when the parallelism changes.
        case operatorList = 6
        /// Operator state: one list per subtask; after a restore each subtask gets the elements of all.
        case unionList = 7

        /// Whether it belongs to the subtask, and not to a key.
        public var isOperatorState: Bool {
            switch self {
            case .value, .list, .map, .reducing, .aggregating: false
            case .broadcast, .operatorList, .unionList: true
            }
        }
        /// Whether it has entries, with keys of their own.
        public var isMap: Bool { self == .map || self == .broadcast }
    }
    public var name: String
    public var kind: Kind
    /// The type of the value (list: of an element; map: of an entry's value).
    public var valueType: DataType
    /// The type of a map's key.
    public var keyType: DataType?

    public init(name: String, kind: Kind, valueType: DataType, keyType: DataType? = nil) {
        self.name = name
        self.kind = kind
        self.valueType = valueType
        self.keyType = keyType
    }
}

public struct WindowDescription: Sendable {
    public enum Assigner: Sendable {
        /// Milliseconds; `offset` shifts the borders.
        case tumbling(size: Int64, offset: Int64, isEventTime: Bool)
        case sliding(size: Int64, slide: Int64, offset: Int64, isEventTime: Bool)
        case session(gap: Int64, isEventTime: Bool)
        /// Rows per key.
        case count(Int64)
        case slidingCount(size: Int64, slide: Int64)
    }
    public enum Function: Sendable {
        /// Native: result row = key columns, window start, window end (both TIMESTAMP_LTZ(3); left out for count windows), then the aggregates.
        case aggregate([AggregateCall])
        /// A host's reduce function, then optionally its window function on the one result.
        case reduce(BindingID, then: BindingID?)
        case hostAggregate(BindingID, then: BindingID?)
        /// All elements of a window to a host's process window function.
        case process(BindingID)
    }
    public var assigner: Assigner
    public var function: Function
    public var keys: [Int]
    public var allowedLatenessMilliseconds: Int64
    public var lateOutput: String?

    public init(assigner: Assigner, function: Function, keys: [Int], allowedLatenessMilliseconds: Int64 = 0, lateOutput: String? = nil) {
        self.assigner = assigner
        self.function = function
        self.keys = keys
        self.allowedLatenessMilliseconds = allowedLatenessMilliseconds
        self.lateOutput = lateOutput
    }
}
