import Columnar
import State
#if canImport(Glibc)
    import Glibc
#endif

/// What a row does to the accumulator of its slot: a set of bits.
enum Step {
    /// The row does not count.
    static let skip: UInt8 = 0
    static let add: UInt8 = 1
    static let retract: UInt8 = 2
    /// The slot holds nothing any more; comes before what the row adds.
    static let reset: UInt8 = 4
}

/// Rows for an accumulator, in order: dense argument columns, and the slot of each row. Slots repeat.
struct AggregateRows {
    var columns: [Column]
    var slots: UnsafePointer<Int32>
    /// `Step`s; nil: each row is added.
    var steps: UnsafePointer<UInt8>?
    var count: Int

    /// Row i alone.
    func row(_ index: Int) -> AggregateRows {
        AggregateRows(columns: columns.map { $0.slice(index, 1) }, slots: slots + index, steps: steps.map { $0 + index }, count: 1)
    }
}

/// One aggregate call over all slots of an operator: of groups, of windows, of partitions.
///
/// Calls are for whole batches, and loops within are over columns. All slots in a call are below the last `reserve`. A slot that was never written, or was cleared, holds
/// nothing: no row has been added.
class Accumulator {
    /// The type of the results; a result that is not there is null whatever it says.
    let resultType: DataType

    init(_ resultType: DataType) { self.resultType = resultType }

    func reserve(_ slotCount: Int) {}
    /// Takes the rows in their order.
    func update(_ rows: AggregateRows) throws(MillstreamError) { throw .internal("an accumulator without updates") }
    /// The same, and the result of each row's slot right behind the row.
    func run(_ rows: AggregateRows) throws(MillstreamError) -> Column {
        var results: [Column] = []
        results.reserveCapacity(rows.count)
        for index in 0..<rows.count {
            try update(rows.row(index))
            results.append(try self.results(rows.slots + index, count: 1))
        }
        return results.isEmpty ? try self.results(rows.slots, count: 0) : try Column.concat(results)
    }
    func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column { throw .internal("an accumulator without results") }
    /// Adds what `from[i]` holds to `into[i]`, in order; the former stay as they are.
    func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        throw .internal("an accumulator without merges")
    }
    func clear(_ slots: UnsafePointer<Int32>, count: Int) {}

    /// The columns that a checkpoint keeps of each slot.
    var stateFields: [Field] { [] }
    func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] { [] }
    /// Row i becomes what `slots[i]` holds, which held nothing; slots do not repeat.
    func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {}

    /// The columns that a checkpoint keeps of each of a slot's values; empty: it has no values.
    var valueFields: [Field] { [] }
    /// The values of some slots, slot by slot in their own order; `parents` are places in `slots`.
    func values(of slots: [Int32]) throws(MillstreamError) -> (parents: [Int32], columns: [Column]) { ([], []) }
    /// Row i is a value of `slots[i]`; a slot's values come in order. Comes behind `restore`.
    func restoreValues(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {}
}

extension Accumulator {
    /// For results that were made one by one: `type`, or the nullable one where some are null.
    func typed(_ column: Column) -> Column {
        column.mayHaveNulls && column.nullCount > 0 ? column.retyped(resultType.nullable) : column.retyped(resultType)
    }
}

/// What a slot of an accumulator holds where that has a fixed size.
protocol SlotState: BitwiseCopyable {
    associatedtype Input: BitwiseCopyable
    associatedtype Result: BitwiseCopyable
    static var empty: Self { get }
    mutating func add(_ value: Input)
    mutating func retract(_ value: Input)
    mutating func merge(_ other: Self)
    /// False: the result is null, and `result` is left alone.
    func write(_ result: inout Result, _ form: ResultForm) -> Bool
    /// The columns that a checkpoint keeps, for arguments of a type.
    static func fields(_ input: DataType) -> [Field]
    static func columns(_ base: UnsafePointer<Self>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column]
    static func restore(_ base: UnsafeMutablePointer<Self>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int)
}

/// Which of the results that a state has is asked for.
struct ResultForm: BitwiseCopyable {
    enum Kind: BitwiseCopyable { case sum, sum0, average, variancePopulation, varianceSample, deviationPopulation, deviationSample }
    var kind: Kind
    /// Decimals: by how many digits a quotient is scaled up.
    var scale: Int32 = 0
    /// Decimals: results beyond it are null.
    var limit: Int128 = .max
}

extension SlotState {
    /// One value of each slot as a column of `type`.
    @inline(__always)
    static func gather<Value: BitwiseCopyable>(
        _ base: UnsafePointer<Self>, _ slots: UnsafePointer<Int32>, _ count: Int, _ type: DataType, _ value: (Self) -> Value
    ) -> Column {
        let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
        let target = buffer.pointer(as: Value.self)
        for row in 0..<count { target[row] = value(base[Int(slots[row])]) }
        return Column(type: type, count: count, values: buffer)
    }
}

/// The loops over states of one kind. Made where the kind is known, so that they are compiled for it: a method of a generic class would look each step up as it goes.
struct SlotLoops {
    let stride: Int
    let resultWidth: Int
    let update: (_ states: UnsafeMutableRawPointer, _ rows: AggregateRows) -> Void
    /// The result behind each row, and whether it is there (1, else 0); returns whether all are.
    let run:
        (
            _ states: UnsafeMutableRawPointer, _ rows: AggregateRows, _ form: ResultForm, _ target: UnsafeMutableRawPointer,
            _ known: UnsafeMutablePointer<UInt8>
        ) -> Bool
    let results:
        (
            _ states: UnsafeMutableRawPointer, _ slots: UnsafePointer<Int32>, _ count: Int, _ form: ResultForm, _ target: UnsafeMutableRawPointer,
            _ known: UnsafeMutablePointer<UInt8>
        ) -> Bool
    let merge: (_ states: UnsafeMutableRawPointer, _ from: UnsafePointer<Int32>, _ into: UnsafePointer<Int32>, _ count: Int) -> Void
    let fields: (_ input: DataType) -> [Field]
    let columns: (_ states: UnsafeMutableRawPointer, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column]
    let restore: (_ states: UnsafeMutableRawPointer, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) -> Void

    /// All states are zeros where they are empty.
    static func of<State: SlotState>(_ type: State.Type) -> SlotLoops {
        SlotLoops(
            stride: MemoryLayout<State>.stride, resultWidth: MemoryLayout<State.Result>.stride,
            update: { states, rows in State.update(states.assumingMemoryBound(to: State.self), rows) },
            run: { states, rows, form, target, known in
                State.run(states.assumingMemoryBound(to: State.self), rows, form, target.assumingMemoryBound(to: State.Result.self), known)
            },
            results: { states, slots, count, form, target, known in
                State.results(
                    states.assumingMemoryBound(to: State.self), slots, count, form, target.assumingMemoryBound(to: State.Result.self), known)
            },
            merge: { states, from, into, count in
                let base = states.assumingMemoryBound(to: State.self)
                for row in 0..<count { base[Int(into[row])].merge(base[Int(from[row])]) }
            },
            fields: { State.fields($0) },
            columns: { states, slots, count, input in State.columns(states.assumingMemoryBound(to: State.self), slots, count, input) },
            restore: { states, columns, slots, count in State.restore(states.assumingMemoryBound(to: State.self), columns, slots, count) })
    }
}

extension SlotState {
    @inline(__always)
    fileprivate static func update(_ base: UnsafeMutablePointer<Self>, _ rows: AggregateRows) {
        let column = rows.columns[0]
        let slots = rows.slots
        let values = UnsafePointer(column.pointer(as: Input.self))
        if rows.steps == nil, !column.mayHaveNulls {
            for row in 0..<rows.count { base[Int(slots[row])].add(values[row]) }
        } else if let steps = rows.steps {
            let hasNulls = column.mayHaveNulls
            for row in 0..<rows.count { apply(base + Int(slots[row]), steps[row], values[row], hasNulls && column.isNull(row)) }
        } else {
            for row in 0..<rows.count where !column.isNull(row) { base[Int(slots[row])].add(values[row]) }
        }
        withExtendedLifetime(column) {}
    }

    @inline(__always)
    private static func apply(_ place: UnsafeMutablePointer<Self>, _ step: UInt8, _ value: Input, _ isNull: Bool) {
        if step & Step.reset != 0 { place.pointee = .empty }
        if isNull { return }
        if step & Step.add != 0 { place.pointee.add(value) } else if step & Step.retract != 0 { place.pointee.retract(value) }
    }

    @inline(__always)
    fileprivate static func run(
        _ base: UnsafeMutablePointer<Self>, _ rows: AggregateRows, _ form: ResultForm, _ target: UnsafeMutablePointer<Result>,
        _ known: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        let column = rows.columns[0]
        let slots = rows.slots
        let values = UnsafePointer(column.pointer(as: Input.self))
        let hasNulls = column.mayHaveNulls
        var all: UInt8 = 1
        for row in 0..<rows.count {
            let place = base + Int(slots[row])
            if let steps = rows.steps {
                apply(place, steps[row], values[row], hasNulls && column.isNull(row))
            } else if !hasNulls || !column.isNull(row) {
                place.pointee.add(values[row])
            }
            let mark: UInt8 = place.pointee.write(&target[row], form) ? 1 : 0
            known[row] = mark
            all &= mark
        }
        withExtendedLifetime(column) {}
        return all != 0
    }

    @inline(__always)
    fileprivate static func results(
        _ base: UnsafeMutablePointer<Self>, _ slots: UnsafePointer<Int32>, _ count: Int, _ form: ResultForm, _ target: UnsafeMutablePointer<Result>,
        _ known: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        var all: UInt8 = 1
        for row in 0..<count {
            let mark: UInt8 = base[Int(slots[row])].write(&target[row], form) ? 1 : 0
            known[row] = mark
            all &= mark
        }
        return all != 0
    }
}

/// An accumulator of one argument, whose states lie side by side.
final class SlotAccumulator: Accumulator {
    private let input: DataType
    private let form: ResultForm
    private let loops: SlotLoops
    private var words = SlotArray<UInt64>(fill: 0)

    init(_ resultType: DataType, input: DataType, form: ResultForm, _ loops: SlotLoops) {
        self.input = input
        self.form = form
        self.loops = loops
        super.init(resultType)
    }

    private var states: UnsafeMutableRawPointer { UnsafeMutableRawPointer(words.base) }

    override func reserve(_ slotCount: Int) { words.reserve((slotCount * loops.stride + 7) / 8) }

    override func update(_ rows: AggregateRows) { loops.update(states, rows) }

    override func run(_ rows: AggregateRows) -> Column {
        let buffer = Buffer(byteCount: rows.count * loops.resultWidth)
        let marks = Buffer(byteCount: rows.count)
        let isComplete = loops.run(states, rows, form, buffer.base, marks.pointer(as: UInt8.self))
        return finish(buffer, marks, rows.count, isComplete)
    }

    override func results(_ slots: UnsafePointer<Int32>, count: Int) -> Column {
        let buffer = Buffer(byteCount: count * loops.resultWidth)
        let marks = Buffer(byteCount: count)
        let isComplete = loops.results(states, slots, count, form, buffer.base, marks.pointer(as: UInt8.self))
        return finish(buffer, marks, count, isComplete)
    }

    private func finish(_ values: Buffer, _ marks: Buffer, _ count: Int, _ isComplete: Bool) -> Column {
        if isComplete { return Column(type: resultType, count: count, values: values) }
        let validity = Buffer.zeroed(byteCount: Bits.byteCount(count))
        let known = marks.pointer(as: UInt8.self)
        for row in 0..<count {
            // No undefined bytes go on.
            if known[row] != 0 { Bits.set(validity.base, row) } else { memset(values.base + row * loops.resultWidth, 0, loops.resultWidth) }
        }
        withExtendedLifetime(marks) {}
        return Column(type: resultType.nullable, count: count, validity: validity, values: values)
    }

    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) { loops.merge(states, from, into, count) }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        for row in 0..<count { memset(states + Int(slots[row]) * loops.stride, 0, loops.stride) }
    }

    override var stateFields: [Field] { loops.fields(input) }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) -> [Column] { loops.columns(states, slots, count, input) }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) { loops.restore(states, columns, slots, count) }
}

/// COUNT: of rows, or of those in which no argument is null.
final class CountAccumulator: Accumulator {
    private var counts = WindowSlots<Int64>(empty: 0)

    override func reserve(_ slotCount: Int) { counts.reserve(slotCount) }

    /// What each row adds to its slot's count.
    @inline(__always)
    private static func change(_ step: UInt8) -> Int64 { Int64(step & Step.add) &- Int64((step & Step.retract) &>> 1) }

    override func update(_ rows: AggregateRows) {
        let base = counts.base, slots = rows.slots
        let nullable = rows.columns.filter(\.mayHaveNulls)
        if nullable.isEmpty, rows.steps == nil {
            for row in 0..<rows.count { base[Int(slots[row])] &+= 1 }
            return
        }
        if nullable.count == 1, rows.steps == nil {
            let column = nullable[0]
            for row in 0..<rows.count where !column.isNull(row) { base[Int(slots[row])] &+= 1 }
            return
        }
        for row in 0..<rows.count {
            let step = rows.steps?[row] ?? Step.add
            if step & Step.reset != 0 { base[Int(slots[row])] = 0 }
            if nullable.contains(where: { $0.isNull(row) }) { continue }
            base[Int(slots[row])] &+= Self.change(step)
        }
    }

    override func run(_ rows: AggregateRows) -> Column {
        let base = counts.base, slots = rows.slots
        let buffer = Buffer(byteCount: 8 * rows.count)
        let target = buffer.pointer(as: Int64.self)
        let nullable = rows.columns.filter(\.mayHaveNulls)
        if nullable.isEmpty, rows.steps == nil {
            for row in 0..<rows.count {
                let count = base[Int(slots[row])] &+ 1
                base[Int(slots[row])] = count
                target[row] = count
            }
        } else {
            for row in 0..<rows.count {
                let step = rows.steps?[row] ?? Step.add
                let place = base + Int(slots[row])
                if step & Step.reset != 0 { place.pointee = 0 }
                if !nullable.contains(where: { $0.isNull(row) }) { place.pointee &+= Self.change(step) }
                target[row] = place.pointee
            }
        }
        return Column(type: resultType, count: rows.count, values: buffer)
    }

    override func results(_ slots: UnsafePointer<Int32>, count: Int) -> Column {
        Column(type: resultType, count: count, values: counts.gather(slots, count: count))
    }

    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) {
        for row in 0..<count { counts.base[Int(into[row])] &+= counts.base[Int(from[row])] }
    }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        for row in 0..<count { counts.clear(Int(slots[row])) }
    }

    override var stateFields: [Field] { [Field("count", DataType.bigInt.notNull)] }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) -> [Column] {
        [Column(type: stateFields[0].type, count: count, values: counts.gather(slots, count: count))]
    }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) { counts.scatter(columns[0], slots, count: count) }
}
