import Columnar

/// A function of the host language, called with whole batches.
///
/// The engine knows no language: the C ABI makes these from a function pointer and a context. One request is one crossing. The host may raise its
/// own exception, which comes back in `MillstreamError.hostException`.
public protocol HostFunction: AnyObject, Sendable {
    /// What the function is called in messages: the user's name for it, or file and line.
    var name: String { get }
    /// The columns of one accumulator of REDUCE, ACCUMULATE and MERGE; empty: a reduce function's are those of its input, an aggregate function's is
    /// one OBJECT. Known before the first call, which gets them with nulls.
    var accumulatorTypes: [DataType] { get }
    /// What the function emits, where the host declared it.
    var resultSchema: Schema? { get }
    /// Which of the requests around checkpoints the function knows.
    var capabilities: HostCapabilities { get }
    /// One crossing. The engine calls an instance from one subtask only, and never twice at once.
    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse
    /// An instance for one subtask; stateless functions return themselves.
    func instance() throws(MillstreamError) -> any HostFunction
    /// One function that does what this and then `next` do, in one crossing; nil if the two cannot be joined.
    func fused(with next: any HostFunction) -> (any HostFunction)?
}

extension HostFunction {
    /// Tells the function that nothing follows. A failure says that it came from there, and is the caller's to report.
    public func close() throws(MillstreamError) {
        do { _ = try call(HostRequest(.close)) } catch {
            var failure = error
            failure.message = "closing '\(name)' failed: \(error.message)"
            throw failure
        }
    }

    public var capabilities: HostCapabilities { [] }
    public var accumulatorTypes: [DataType] { [] }
    public var resultSchema: Schema? { nil }
}

/// What a host's source or sink can do beyond reading and writing.
public struct HostCapabilities: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `snapshot` and `restore`: it goes on where it was.
    public static let snapshot = HostCapabilities(rawValue: 1)
    /// A sink's `flush` gives committables, and `commit` makes them visible.
    public static let commit = HostCapabilities(rawValue: 2)
}

/// What the engine asks of a host function.
public enum HostOperation: Int32, Sendable {
    /// Before the first batch. `integers`: subtask index, parallelism, max parallelism, and in a restored job the checkpoint's number. Input and output
    /// empty. States have what was restored in them.
    case open = 0
    /// After the last one, also after a failure.
    case close = 1
    /// Rows in, rows out: map, flat map, filter, key selector, any of them fused. Output: columns, and for each row the input row it came from.
    case transform = 2
    /// Rows and their timestamps in (`timestamps`), one BIGINT column of milliseconds out.
    case extractTimestamps = 3
    /// Keys in, one INT column of channel numbers in 0 ..< integers[0] out; `columns` are the records, for messages.
    case partition = 4
    /// Keyed reduce. `columns`: values; `slots`: a dense index in 0 ..< accumulators.count per row; `accumulators`: the current value per slot, null
    /// where there is none. Back: `accumulators`, one per slot, and if integers[0] is 1 also `outputs[0]`: the running result per row.
    case reduce = 5
    /// Like `reduce` with an aggregate function's accumulators.
    case accumulate = 6
    /// `accumulators` in, one result per slot out.
    case result = 7
    /// `accumulators` in pairs (2 i, 2 i + 1): one merged accumulator per pair back, in `accumulators`.
    case merge = 8
    /// Rows with `keys`, `timestamps` and `state` of a process function; output 0 is the main one, side outputs by name.
    case process = 9
    /// Timers that fire: `keys`, `timestamps` (the timers'), integers[0] 0 event time and 1 processing time.
    case timers = 10
    /// Windows that fire: `keys`, one row per window; integer columns `starts` and `ends` in `windows`; `columns` holds all the elements, and
    /// `elementOffsets` (count + 1) says which belong to which window. Parents in the output are window numbers.
    case window = 11
    /// At most integers[0] rows of a host source out; the response says whether more come. integers[1]: row position to start at.
    case read = 12
    /// Rows for a host sink.
    case write = 13
    /// A host sink makes everything durable; integers[0] is 1 at the end of input.
    case flush = 14
    /// A periodic call of a host's watermark generator: timestamps in, integers out: [watermark].
    case watermark = 15
    /// Rows to begin with, in `slots` that are free; integers[0] is their epoch. Nothing out: `notifier` says when to ask for results.
    case asyncStart = 16
    /// Results of rows of epoch integers[0] that are done, or of none. `parents` are slots; `integers` of the response the slots that are free again.
    case asyncPoll = 17
    /// At a barrier: at most one payload out, what `restore` needs. A source's is its position behind the last rows read; a sink's comes behind `flush`.
    /// A process function gets integers[0], the checkpoint's number, integers[1], when it was begun, and its operator states in `state`: it puts into them what
    /// a restored job shall find there, and gives nothing.
    case snapshot = 18
    /// Before the first row: `payloads` has what a `snapshot` gave, if it gave something. integers[0]: of a source the row to go on with, counted by the
    /// engine; of a sink 0.
    case restore = 19
    /// `payloads` are committables of `flush`, perhaps of another run; an outcome for each out. Of an instance of its own, which is not opened.
    case commit = 20
}

/// How a host says, from any thread and at any time, that it has done something that was begun by an earlier request.
public final class HostNotifier: Sendable {
    private let body: @Sendable () -> Void
    public init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    public func notify() { body() }
}

/// One crossing into the host: columns are dense (no selection).
public struct HostRequest {
    public var operation: HostOperation
    /// Which of the node's logical inputs the rows are of.
    public var input: Int
    public var count: Int
    public var columns: [Column]
    public var schema: Schema
    public var keys: [Column]
    public var timestamps: Column?
    public var rowKinds: Column?
    public var slots: Column?
    public var accumulators: [Column]
    /// Window starts and ends, BIGINT.
    public var windows: [Column]
    public var elementOffsets: Column?
    public var integers: [Int64]
    public var state: (any HostStateAccess)?
    /// `open`: what says, from then on, that nobody needs an answer any more.
    public var stop: StopFlag?
    /// `open`, `asyncStart` and `asyncPoll` of an asynchronous function.
    public var notifier: HostNotifier?
    /// Where to go on after a response with `more`: the host finds its own place by it; 0 in a first call.
    public var resumption: Int64
    /// Byte strings of the host's own: a position, a state, committables.
    public var payloads: [[UInt8]] = []

    public init(_ operation: HostOperation, count: Int = 0, columns: [Column] = [], schema: Schema = Schema([])) {
        self.operation = operation
        input = 0
        self.count = count
        self.columns = columns
        self.schema = schema
        keys = []
        timestamps = nil
        rowKinds = nil
        slots = nil
        accumulators = []
        windows = []
        elementOffsets = nil
        integers = []
        state = nil
        resumption = 0
    }
}

/// What came back.
public struct HostResponse {
    public struct Rows {
        /// nil for the main output; the tag's name otherwise.
        public var sideOutput: SideOutputID?
        public var columns: [Column]
        public var count: Int
        /// INT: the input row (or window, or timer) each row came from; nil if they are the same rows.
        public var parents: Column?
        /// BIGINT: timestamps of the host's own; nil to take the parent's.
        public var timestamps: Column?
        /// BIGINT: the key's hashes, where the host computed them in the same crossing; nil: the engine does.
        public var keyHashes: Column?

        public init(
            sideOutput: SideOutputID? = nil, columns: [Column], count: Int, parents: Column? = nil, timestamps: Column? = nil,
            keyHashes: Column? = nil
        ) {
            self.keyHashes = keyHashes
            self.sideOutput = sideOutput
            self.columns = columns
            self.count = count
            self.parents = parents
            self.timestamps = timestamps
        }
    }

    /// `reduce` and `accumulate`: the running results. Otherwise the rows that the function emits.
    public var outputs: [Rows]
    /// `reduce`, `accumulate` and `merge`: the new accumulators, one per slot (or pair).
    public var accumulators: [Column]
    /// Not 0: the host has more for this request; call again with this value in `resumption`.
    public var resumption: Int64
    /// `read`: the host's source has ended.
    public var isEnd: Bool
    /// `read`: nothing at hand; ask again after so long.
    public var waitMilliseconds: Int64?
    public var integers: [Int64]
    /// What went wrong behind the rows in `outputs`, which are of the records before: they are emitted, and then this is thrown.
    public var failure: MillstreamError?
    /// `snapshot` and `flush`: byte strings of the host's own.
    public var payloads: [[UInt8]] = []
    /// `commit`: one for each committable.
    public var outcomes: [CommitOutcome] = []

    public init(
        outputs: [Rows] = [], accumulators: [Column] = [], resumption: Int64 = 0, isEnd: Bool = false, waitMilliseconds: Int64? = nil,
        integers: [Int64] = []
    ) {
        self.outputs = outputs
        self.accumulators = accumulators
        self.waitMilliseconds = waitMilliseconds
        self.resumption = resumption
        self.isEnd = isEnd
        self.integers = integers
    }
}

/// The states and the timers of a process function while a request runs. `row` is a row (or timer, or window) of the request: its key is the
/// current key. Operator states belong to the subtask: for them any row will do. Values are handles of the host, numbers or bytes, as the state was
/// declared. Setters take over a reference to a handle; getters lend.
public protocol HostStateAccess: AnyObject {
    /// A value state's value.
    func value(_ state: Int, row: Int) throws(MillstreamError) -> StateValue?
    func setValue(_ state: Int, row: Int, _ value: StateValue?) throws(MillstreamError)

    func listCount(_ state: Int, row: Int) throws(MillstreamError) -> Int
    func listElement(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> StateValue?
    func listAppend(_ state: Int, row: Int, _ value: StateValue) throws(MillstreamError)
    func listClear(_ state: Int, row: Int) throws(MillstreamError)

    func mapValue(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) -> StateValue?
    func mapPut(_ state: Int, row: Int, key: StateValue, value: StateValue) throws(MillstreamError)
    func mapRemove(_ state: Int, row: Int, key: StateValue) throws(MillstreamError)
    func mapClear(_ state: Int, row: Int) throws(MillstreamError)
    func mapCount(_ state: Int, row: Int) throws(MillstreamError) -> Int
    /// Entries in the order of their insertion.
    func mapEntry(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> (key: StateValue, value: StateValue)?

    func registerTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError)
    func deleteTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError)
    var currentWatermark: EventTime { get }
    var currentProcessingTime: ProcessingTime { get }

    /// Makes all keys that have something in a state rows of the request, behind its own: the first of these rows, and the keys, which may be none.
    func selectKeys(_ state: Int) throws(MillstreamError) -> (firstRow: Int, count: Int, keys: [Column])

    /// Adds an operator state while the function is opened, and gives its number. One of this name and kind that is there already is given again, with
    /// what is in it. Throws `invalidState` for one of another kind.
    func declareOperatorState(_ name: String, _ kind: OperatorStateKind, _ types: StateTypes) throws(MillstreamError) -> Int

    /// A request is over: what was lent in it is no longer used.
    func endRequest()
}

/// What becomes of an operator state when the parallelism changes.
public enum OperatorStateKind: Sendable {
    /// The elements of all subtasks are dealt out anew.
    case list
    /// Each subtask gets the elements of all.
    case unionList
    /// A map that is the same in all subtasks; each takes one of them.
    case broadcast
}

/// The declared types of a state.
public struct StateTypes: Hashable, Sendable {
    /// Of the value, an element, or an entry's value.
    public var value: DataType
    /// Of an entry's key.
    public var key: DataType?

    public init(value: DataType, key: DataType? = nil) {
        self.value = value
        self.key = key
    }
}

extension HostStateAccess {
    public func declareOperatorState(_ name: String, _ kind: OperatorStateKind, _ types: StateTypes) throws(MillstreamError) -> Int {
        throw MillstreamError(.unsupported, "this function has no operator state")
    }

    public func endRequest() {}

    public func selectKeys(_ state: Int) throws(MillstreamError) -> (firstRow: Int, count: Int, keys: [Column]) {
        throw MillstreamError(.unsupported, "the keys of this state cannot be listed")
    }
}

public enum TimeDomain: Int32, Sendable { case eventTime = 0, processingTime = 1 }

/// One value in a state: never on a native hot path, only at the border to a host function.
public enum StateValue: Sendable {
    case bool(Bool)
    case int64(Int64)
    case double(Double)
    case bytes([UInt8])
    /// A handle; whoever receives it by a setter owns a reference.
    case object(HostHandle)
}

/// A handle that crosses threads with its owner.
public struct HostHandle: @unchecked Sendable {
    public let pointer: HostObjects.Handle
    public init(_ pointer: HostObjects.Handle) { self.pointer = pointer }
}
