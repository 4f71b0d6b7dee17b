import Columnar

/// The running parts that a plan names by number (`BindingID.value` in Plan): what data alone cannot hold.
public struct Bindings: Sendable {
    private var functions: [Int: any HostFunction] = [:]
    private var streams: [Int: any BatchStream] = [:]
    private var sources: [Int: any Source] = [:]
    private var sinks: [Int: any Sink] = [:]
    private var lookups: [Int: @Sendable () throws(MillstreamError) -> any LookupTable] = [:]
    private var operators: [Int: @Sendable () throws(MillstreamError) -> any Operator] = [:]

    /// The host language whose values are in OBJECT columns and OBJECT state; nil where there is none.
    public var hostObjects: HostObjects?

    /// Where the streams of an alignment group meet.
    public let alignments = WatermarkAlignments()

    public init() {}

    public mutating func bind(_ number: Int, function: any HostFunction) { functions[number] = function }
    public mutating func bind(_ number: Int, stream: any BatchStream) { streams[number] = stream }
    public mutating func bind(_ number: Int, source: any Source) { sources[number] = source }
    public mutating func bind(_ number: Int, sink: any Sink) { sinks[number] = sink }
    /// A table that is asked for rows by key; a new one per subtask.
    public mutating func bind(_ number: Int, lookup make: @escaping @Sendable () throws(MillstreamError) -> any LookupTable) { lookups[number] = make }
    /// An operator written in Swift; a new one per subtask.
    public mutating func bind(_ number: Int, operator make: @escaping @Sendable () throws(MillstreamError) -> any Operator) {
        operators[number] = make
    }

    public func function(_ number: Int) throws(MillstreamError) -> any HostFunction { try found(functions[number], number, "function") }
    public func stream(_ number: Int) throws(MillstreamError) -> any BatchStream { try found(streams[number], number, "batch stream") }
    public func source(_ number: Int) throws(MillstreamError) -> any Source { try found(sources[number], number, "source") }
    public func sink(_ number: Int) throws(MillstreamError) -> any Sink { try found(sinks[number], number, "sink") }
    public func makeLookup(_ number: Int) throws(MillstreamError) -> any LookupTable { try found(lookups[number], number, "lookup table")() }
    public func makeOperator(_ number: Int) throws(MillstreamError) -> any Operator {
        try found(operators[number], number, "operator")()
    }

    private func found<Part>(_ part: Part?, _ number: Int, _ what: String) throws(MillstreamError) -> Part {
        guard let part else { throw MillstreamError(.plan, "the plan names \(what) \(number), which the program did not bind") }
        return part
    }
}

/// Batches from outside the engine, e.g. an Arrow stream: read once, by one reader at a time.
public protocol BatchStream: AnyObject, Sendable {
    var schema: Schema { get }
    /// The next batch, or nil at the end.
    func next() throws(MillstreamError) -> Batch?
    /// How many rows `next` has given since the beginning.
    var givenRowCount: Int64 { get }
    /// Goes back to the first batch; false for a stream that gives its batches once.
    func rewind() throws(MillstreamError) -> Bool
}

extension BatchStream {
    public func rewind() throws(MillstreamError) -> Bool { false }
}

/// Takes the rows of a collecting sink; the job's owner takes them out at the other end.
public protocol CollectTarget: AnyObject, Sendable {
    /// False: no room now; `notify` is called once, from any thread, when there is.
    func offer(_ batch: Batch, notify: @escaping @Sendable () -> Void) -> Bool
}

/// Where printing sinks write; one call per batch, whole lines.
public protocol TextOutput: AnyObject, Sendable {
    func write(_ text: UnsafeRawBufferPointer) throws(MillstreamError)
}

/// Computes the columns of generated rows `first ..< first + count`, e.g. from expressions over the row's number.
public protocol RowGenerator: AnyObject, Sendable {
    func rows(first: Int64, count: Int) throws(MillstreamError) -> Batch
}
