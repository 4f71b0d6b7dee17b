import Columnar
import Dataflow
import Plan

/// SQL's datagen: rows by rules per column, as many and as fast as asked.
///
/// A row follows from its number and the seed alone: sequences go on over all subtasks without a gap, and with a seed of the program's own a restart
/// gives the same rows again (but for times, which follow the clock).
enum DatagenSource {
    /// How many rows there will be: the count asked for, or what the shortest sequence has; nil: without end.
    static func count(_ description: DatagenDescription) -> Int64? {
        var count = description.count
        for column in description.columns {
            guard case .sequence(let first, let last) = column.rule else { continue }
            let (span, overflow) = last.subtractingReportingOverflow(first)
            let rows = overflow ? Int64.max : max(-1, span).addingSaturating(1)
            count = min(count ?? .max, rows)
        }
        return count
    }

    /// Throws `configuration` for rules that contradict themselves, `unsupported` for a type that has none.
    static func make(_ description: DatagenDescription, schema: Schema) throws(MillstreamError) -> GeneratorSource {
        guard description.columns.count == schema.fields.count else {
            throw MillstreamError(.plan, "datagen has rules for \(description.columns.count) columns, and the table has \(schema.fields.count)")
        }
        // Fails here, and not in the first reader.
        _ = try DatagenRows(description, schema: schema, seed: 0, clock: SystemClock())
        let numbers = GeneratorDescription(columns: [], count: count(description), rowsPerSecond: description.rowsPerSecond)
        return try GeneratorSource(numbers, schema: schema) { (context) throws(MillstreamError) in
            try DatagenRows(description, schema: schema, seed: description.seed ?? context.random.next(), clock: context.clock)
        }
    }
}

/// A number of the engine's generator (SplitMix64) at a place of its sequence: no state goes from one row to the next.
@inline(__always)
func randomWord(_ seed: UInt64, at place: UInt64) -> UInt64 {
    var mixed = seed &+ (place &+ 1) &* 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed &>> 31)
}

/// The same as a number in [0, 1).
@inline(__always)
func unit(_ word: UInt64) -> Double { Double(word &>> 11) * 0x1p-53 }

private final class DatagenRows: RowGenerator {
    private let schema: Schema
    private let columns: [DatagenMaker]
    private let clock: any Clock

    init(_ description: DatagenDescription, schema: Schema, seed: UInt64, clock: any Clock) throws(MillstreamError) {
        self.schema = schema
        self.clock = clock
        var makers: [DatagenMaker] = []
        for (place, field) in schema.fields.enumerated() {
            let maker = try DatagenMaker(description.columns[place], field.type, name: field.name, seed: randomWord(seed, at: UInt64(place)))
            makers.append(maker)
        }
        columns = makers
    }

    func rows(first: Int64, count: Int) throws(MillstreamError) -> Batch {
        let now = clock.now().milliseconds
        var made: [Column] = []
        made.reserveCapacity(columns.count)
        for column in columns { made.append(try column.make(first: first, count: count, now: now)) }
        return Batch(schema: schema, columns: made, count: count)
    }
}
