import Columnar
import Dataflow

/// A row that a drawn job reads.
struct InputRow {
    var key: Int64
    var id: Int64
    var value: Int64?
    /// Event time, milliseconds.
    var time: Int64
    var split: Int
    /// Where the interpreter counts the rows as they come: its number.
    var arrival = 0

    static let schema = Schema([Field("key", .bigInt), Field("id", .bigInt), Field("value", .bigInt), Field("time", .bigInt)])
    /// The same where no key, id or time is null.
    static let strictSchema = Schema(schema.fields.map { Field($0.name, $0.name == "value" ? $0.type : $0.type.notNull) })
}

/// A BIGINT column; nil is null.
func bigInts(_ values: [Int64?], _ type: DataType = .bigInt) -> Column {
    let isWhole = values.allSatisfy { $0 != nil }
    var validity: Buffer?
    if !isWhole {
        let bits = Buffer.zeroed(byteCount: Bits.byteCount(values.count))
        for (index, value) in values.enumerated() { Bits.assign(bits.base, index, value != nil) }
        validity = bits
    }
    return Column(type: type, count: values.count, validity: validity, values: Buffer.copying(values.map { $0 ?? 0 }))
}

/// An INT column without nulls.
func ints(_ values: [Int]) -> Column {
    Column(type: DataType.int.notNull, count: values.count, values: Buffer.copying(values.map { Int32(truncatingIfNeeded: $0) }))
}

/// The values of a column of 64-bit integers; nil where null.
func numbers(_ column: Column) -> [Int64?] {
    let values = column.pointer(as: Int64.self)
    let result = (0..<column.count).map { column.isNull($0) ? nil : values[$0] }
    withExtendedLifetime(column) {}
    return result
}

/// Emits given rows: split i belongs to subtask i, in random cuts, with pauses.
final class RowsSource: Source, @unchecked Sendable {
    let splits: [[InputRow]]
    let seed: UInt64
    let ledger: Ledger
    let pauses: Bool
    /// The row, counted within its split, whose key is null instead.
    var nullKey: Int?
    /// Before this monotonic time the source gives no row.
    var stallsUntil: Int64 = 0
    /// Rests once behind so many rows.
    var restsBehind: Int?
    /// Rests behind the last row of each split.
    var restsAtEnd = false
    /// Set: readers get their splits some time after they have asked.
    var clock: SimulatedClock?
    /// A planted fault: splits that come back are forgotten.
    var forgetsReturned = false
    /// A planted fault: a reader's position is that before its last batch.
    var remembersOldPosition = false
    var schema = InputRow.schema
    /// The key column has the keys xor this.
    var keyMask: Int64 = 0

    init(splits: [[InputRow]], seed: UInt64, ledger: Ledger, pauses: Bool) {
        self.splits = splits
        self.seed = seed
        self.ledger = ledger
        self.pauses = pauses
    }

    var boundedness: Boundedness { .bounded }

    func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        ledger.opened("enumerator")
        return Enumerator(self)
    }

    func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        ledger.opened("reader")
        return Reader(self, context)
    }

    private final class Enumerator: SplitEnumerator {
        let source: RowsSource
        var given = 0
        var asked = 0
        /// By number.
        var returned: [Int: SourceSplit] = [:]
        let random: SeededRandom

        init(_ source: RowsSource) {
            self.source = source
            random = SeededRandom(seed: source.seed ^ 0xE5)
        }

        func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
            if let split = returned.removeValue(forKey: subtask.value) { return .split(split) }
            guard subtask.value < source.splits.count, given & (1 << subtask.value) == 0 else { return .noMore }
            if let clock = source.clock, asked & (1 << subtask.value) == 0 {
                asked |= 1 << subtask.value
                return .later(clock.now() + Int64(random.next(below: 40)))
            }
            given |= 1 << subtask.value
            return .split(SourceSplit(id: "\(subtask.value)", payload: NumberedSource.encode([0])))
        }

        func addBack(_ splits: [SourceSplit]) {
            if source.forgetsReturned { return }
            for split in splits { returned[Int(split.id) ?? 0] = split }
        }
        func snapshot() throws(MillstreamError) -> [UInt8] {
            NumberedSource.encode([given] + returned.keys.sorted().flatMap { [$0, NumberedSource.decode(returned[$0]?.payload ?? [])[0]] })
        }
        func restore(_ bytes: [UInt8]) throws(MillstreamError) {
            let numbers = NumberedSource.decode(bytes)
            given = numbers[0]
            for place in stride(from: 1, to: numbers.count, by: 2) {
                returned[numbers[place]] = SourceSplit(id: "\(numbers[place])", payload: NumberedSource.encode([numbers[place + 1]]))
            }
        }
        func close() { source.ledger.closed("enumerator") }
    }

    private final class Reader: SourceReader {
        let source: RowsSource
        let context: SourceReaderContext
        let random: SeededRandom
        var next = 0
        var split: Int?
        var isLast = false
        var hasRested = false
        var before = 0

        init(_ source: RowsSource, _ context: SourceReaderContext) {
            self.source = source
            self.context = context
            random = SeededRandom(seed: source.seed &+ UInt64(context.subtask.value))
        }

        func addSplit(_ split: SourceSplit) throws(MillstreamError) {
            self.split = Int(split.id)
            next = NumberedSource.decode(split.payload)[0]
            before = next
        }
        func noMoreSplits() { isLast = true }

        func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
            guard let split else { return isLast ? .end : .needsSplit }
            let rows = source.splits[split]
            let stall = source.stallsUntil - context.clock.monotonicNanoseconds()
            if stall > 0 { return .wait(until: context.clock.now() + (stall / 1_000_000 + 1)) }
            if next == rows.count {
                if source.restsAtEnd, !hasRested {
                    hasRested = true
                    return .wait(until: context.clock.now() + DrawnJob.restMilliseconds)
                }
                self.split = nil
                next = 0
                return .splitFinished("\(split)")
            }
            if source.pauses, random.next(below: 16) == 0 { return .wait(until: context.clock.now() + Int64(random.next(below: 40))) }
            if next == source.restsBehind, !hasRested {
                hasRested = true
                return .wait(until: context.clock.now() + DrawnJob.restMilliseconds)
            }
            var count = min(1 + Int(random.next(below: UInt64(rowLimit))), rows.count - next)
            if let rest = source.restsBehind, next < rest { count = min(count, rest - next) }
            let part = rows[next..<next + count]
            let keys = part.enumerated().map { next + $0.offset == source.nullKey ? nil : $0.element.key ^ source.keyMask }
            before = next
            next += count
            let values = [keys, part.map(\.id), part.map(\.value), part.map(\.time)]
            let columns = zip(values, source.schema.types).map { bigInts($0, $1) }
            return .batch(Batch(schema: source.schema, columns: columns, count: count), split: "\(split)")
        }

        func snapshot() throws(MillstreamError) -> [SourceSplit] {
            split.map { [SourceSplit(id: "\($0)", payload: NumberedSource.encode([source.remembersOldPosition ? before : next]))] } ?? []
        }
        func close() { source.ledger.closed("reader") }
    }
}

/// Rows as they came to a sink: all columns, then the timestamp.
final class Arrivals: @unchecked Sendable {
    private let lock = TestLock()
    private var contents: [[Int64?]] = []
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private var latest: Int64 = 0

    func append(_ batch: Batch, at time: Int64) {
        lock.lock()
        defer { lock.unlock() }
        add(Self.rows(of: batch))
        latest = max(latest, time)
    }

    private func add(_ rows: [[Int64?]]) {
        contents += rows
        for row in rows { for value in row { hash = (hash ^ UInt64(bitPattern: value ?? 77)) &* 0x100_0000_01B3 } }
    }

    static func rows(of batch: Batch) -> [[Int64?]] {
        guard let dense = try? batch.compacted() else { return [] }
        let columns = (dense.columns.prefix(dense.schema.fields.count) + [dense.timestamps ?? bigInts(Array(repeating: nil, count: dense.count))]).map(numbers)
        return (0..<dense.count).map { row in
            var values = columns.map { $0[row] }
            if values[values.count - 1] == EventTime.none.milliseconds { values[values.count - 1] = nil }
            return values
        }
    }

    private var committed: Set<Int> = []
    private var lastNumber = 0

    /// A number for a transaction.
    func nextNumber() -> Int {
        lock.lock()
        defer { lock.unlock() }
        lastNumber += 1
        return lastNumber
    }

    /// Shows the rows of a transaction, once; false if they were there.
    func commit(_ number: Int, _ rows: [[Int64?]]) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard committed.insert(number).inserted else { return false }
        add(rows)
        return true
    }

    var rows: [[Int64?]] {
        lock.lock()
        defer { lock.unlock() }
        return contents
    }
    var arrivalHash: UInt64 { hash }
    /// The monotonic time of the last arrival.
    var lastTime: Int64 { latest }
}

/// Notes what comes; refuses some batches at first, until the test makes room.
final class RecordingSink: Sink, @unchecked Sendable {
    let arrivals: Arrivals
    let ledger: Ledger
    let refusals: UInt64

    /// Refuses `refusals` of 8 batches at first.
    init(_ arrivals: Arrivals, ledger: Ledger, refusals: UInt64) {
        self.arrivals = arrivals
        self.ledger = ledger
        self.refusals = refusals
    }

    func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
        ledger.opened("writer")
        return Writer(self, context)
    }

    func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }

    private final class Writer: SinkWriter {
        let sink: RecordingSink
        let context: OperatorContext

        init(_ sink: RecordingSink, _ context: OperatorContext) {
            self.sink = sink
            self.context = context
        }

        func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
            if sink.refusals > 0, context.random.next(below: 8) < sink.refusals {
                sink.ledger.wait(notify)
                return false
            }
            sink.arrivals.append(batch, at: context.clock.monotonicNanoseconds())
            return true
        }

        func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] { [] }
        func close() { sink.ledger.closed("writer") }
    }
}
