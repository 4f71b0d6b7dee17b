import Columnar
import Dataflow
import Plan
import State

/// The aggregate calls of an operator over the slots of its groups, windows or partitions.
final class AggregateSet {
    private struct Call {
        var accumulator: Accumulator
        /// The arguments, then what they are ordered by: positions in the input.
        var columns: [Int]
        var filter: Int?
    }

    private let calls: [Call]
    private var filtered = SlotArray<UInt8>(fill: 0)
    /// The results' types, before any null makes one nullable.
    let types: [DataType]
    /// The positions of the input that are read.
    let inputs: [Int]
    /// Whether there is a call whose result changes with every row that is added or retracted.
    let alwaysChanges: Bool

    /// `input` are the types of the rows' columns. `retracts`: rows may be retracted. Throws `plan` for columns that are not there, `unsupported` for functions that are not
    /// built.
    init(_ expressions: [AggregateExpression], input: [DataType], retracts: Bool) throws(MillstreamError) {
        var calls: [Call] = []
        for expression in expressions {
            let columns = expression.arguments + expression.order.map(\.column)
            for position in columns + [expression.filter].compactMap({ $0 }) where position < 0 || position >= input.count {
                throw MillstreamError(.plan, "\(expression.name) reads column \(position); the rows have \(input.count) columns")
            }
            if let filter = expression.filter, input[filter].layout != .bits {
                throw MillstreamError(.plan, "a FILTER is of type \(input[filter]), and not BOOLEAN")
            }
            let types = columns.map { input[$0] }
            try expression.checkResult(types)
            let accumulator = try Self.make(expression, types, retracts)
            calls.append(Call(accumulator: accumulator, columns: columns, filter: expression.filter))
        }
        self.calls = calls
        types = expressions.map(\.type)
        inputs = Set(calls.flatMap { $0.columns + [$0.filter].compactMap { $0 } }).sorted()
        alwaysChanges = expressions.contains { $0.function == .builtIn(.countAll) && $0.filter == nil }
    }

    // MARK: Rows

    func reserve(_ slotCount: Int) { for call in calls { call.accumulator.reserve(slotCount) } }

    private func rows(_ call: Call, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ steps: UnsafePointer<UInt8>?, _ count: Int) -> AggregateRows
    {
        var rows = AggregateRows(columns: call.columns.map { columns[$0] }, slots: slots, steps: steps, count: count)
        guard let filter = call.filter else { return rows }
        filtered.reserve(count)
        let conditions = columns[filter]
        for row in 0..<count {
            let step = steps?[row] ?? Step.add
            filtered[row] = !conditions.isNull(row) && conditions.bit(row) ? step : step & Step.reset
        }
        rows.steps = UnsafePointer(filtered.base)
        return rows
    }

    /// Takes `count` rows in their order. `columns` are dense; all slots are below the last `reserve`.
    func update(_ columns: [Column], slots: UnsafePointer<Int32>, steps: UnsafePointer<UInt8>?, count: Int) throws(MillstreamError) {
        guard count > 0 else { return }
        for call in calls { try call.accumulator.update(rows(call, columns, slots, steps, count)) }
    }

    /// The same, and the results of each row's slot right behind the row.
    func run(_ columns: [Column], slots: UnsafePointer<Int32>, steps: UnsafePointer<UInt8>?, count: Int) throws(MillstreamError) -> [Column] {
        var results: [Column] = []
        for call in calls { results.append(try call.accumulator.run(rows(call, columns, slots, steps, count))) }
        return results
    }

    func results(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        var results: [Column] = []
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            let base = list.baseAddress ?? UnsafePointer(bitPattern: 16).unsafelyUnwrapped
            for call in calls { results.append(try call.accumulator.results(base, count: list.count)) }
        }
        return results
    }

    /// Adds what `from[i]` holds to `into[i]`, in order.
    func merge(_ from: [Int32], into: [Int32]) throws(MillstreamError) {
        try from.withUnsafeBufferPointer { (sources) throws(MillstreamError) in
            try into.withUnsafeBufferPointer { (targets) throws(MillstreamError) in
                guard let source = sources.baseAddress, let target = targets.baseAddress else { return }
                for call in calls { try call.accumulator.merge(source, into: target, count: sources.count) }
            }
        }
    }

    /// Afterwards the slots hold nothing.
    func clear(_ slots: [Int32]) {
        slots.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else { return }
            for call in calls { call.accumulator.clear(base, count: list.count) }
        }
    }

    // MARK: Checkpoints

    /// The columns of one slot: those of the calls one after the other. What has values has an array of them.
    var stateFields: [Field] {
        calls.enumerated().flatMap { number, call in
            call.accumulator.stateFields.map { Field("aggregate\(number).\($0.name)", $0.type) }
                + (call.accumulator.valueFields.isEmpty ? [] : [Field("aggregate\(number).values", Self.listType(call.accumulator.valueFields))])
        }
    }

    private static func listType(_ fields: [Field]) -> DataType { DataType(.array(DataType(.row(fields), isNullable: false)), isNullable: false) }

    /// What some slots, which do not repeat, hold: columns that do not change afterwards.
    func state(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        var columns: [Column] = []
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            for call in calls {
                columns += try call.accumulator.state(base, count: list.count)
                let fields = call.accumulator.valueFields
                guard !fields.isEmpty else { continue }
                let (parents, values) = try call.accumulator.values(of: slots)
                guard parents.count <= Column.countLimit else {
                    throw MillstreamError(
                        .limitExceeded, "an aggregate holds more than \(Column.countLimit) values in one subtask", hint: "Raise the parallelism.")
                }
                var offsets = [Int32](repeating: 0, count: slots.count + 1)
                for parent in parents { offsets[Int(parent) + 1] += 1 }
                for place in slots.indices { offsets[place + 1] += offsets[place] }
                let children = zip(values, fields).map { $0.retyped($1.type) }
                let rows = Column(type: DataType(.row(fields), isNullable: false), count: parents.count, values: nil, children: children)
                columns.append(Column(type: Self.listType(fields), count: slots.count, values: Buffer.copying(offsets), children: [rows]))
            }
        }
        return columns
    }

    /// Row i of what `state` gave becomes what `slots[i]` holds, which held nothing.
    func restore(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        var first = 0
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            for call in calls {
                let own = Array(columns[first..<first + call.accumulator.stateFields.count])
                first += own.count
                try call.accumulator.restore(own, slots: base, count: list.count)
                guard !call.accumulator.valueFields.isEmpty else { continue }
                let lists = columns[first]
                first += 1
                var rows: [Int32] = [], owners: [Int32] = []
                for (row, slot) in slots.enumerated() {
                    for place in lists.listRange(row) {
                        rows.append(Int32(truncatingIfNeeded: place))
                        owners.append(slot)
                    }
                }
                let elements = lists.children[0]
                var values: [Column] = []
                for field in elements.children.indices { values.append(try elements.field(field).taking(rows)) }
                try call.accumulator.restoreValues(values, slots: owners)
            }
        }
    }
}

extension AggregateExpression {
    /// The function as messages call it.
    var name: String {
        switch function {
        case .builtIn(let function): function.rawValue
        case .user: "an aggregate function"
        }
    }
}

// MARK: - Which accumulator a call has

extension AggregateSet {
    private static func make(_ call: AggregateExpression, _ types: [DataType], _ retracts: Bool) throws(MillstreamError) -> Accumulator {
        guard case .builtIn(let function) = call.function else {
            throw MillstreamError(.unsupported, "aggregate functions of the program are not built yet", hint: "Use the built-in aggregate functions.")
        }
        let arguments = Array(types.prefix(call.arguments.count))
        // A value more does not change a least, greatest or bitmap.
        switch function {
        case .min, .max, .bitmapBuildAgg, .bitmapBuildCardinalityAgg, .bitmapAndAgg, .bitmapOrAgg, .bitmapAndCardinalityAgg, .bitmapOrCardinalityAgg:
            return try makePlain(function, call, arguments, types, retracts)
        default: break
        }
        guard call.isDistinct, !types.isEmpty else { return try makePlain(function, call, arguments, types, retracts) }
        return try DistinctAccumulator(try makePlain(function, call, arguments, types, true), values: types)
    }

    private static func makePlain(
        _ function: AggregateFunction.BuiltIn, _ call: AggregateExpression, _ arguments: [DataType], _ types: [DataType], _ retracts: Bool
    ) throws(MillstreamError) -> Accumulator {
        func argument(_ index: Int = 0) throws(MillstreamError) -> DataType {
            guard index < arguments.count else {
                throw MillstreamError(.plan, "\(call.name) needs \(index + 1) argument(s) and has \(arguments.count)")
            }
            return arguments[index]
        }
        func list(_ rule: ListAccumulator.Rule, ignoresNulls: Bool) throws(MillstreamError) -> Accumulator {
            // What the values are ordered by stands behind the arguments.
            let order = call.order.enumerated().map {
                Plan.SortKey(arguments.count + $0.offset, isDescending: $0.element.isDescending, nullsFirst: $0.element.nullsFirst)
            }
            return try ListAccumulator(call.type, rule, arguments: types, order: order, ignoresNulls: ignoresNulls)
        }
        switch function {
        case .countAll, .count: return CountAccumulator(call.type)
        case .sum: return try sum(call.type, try argument(), .sum, retracts)
        case .sum0: return try sum(call.type, try argument(), .sum0, retracts)
        case .average: return try sum(call.type, try argument(), .average, retracts)
        case .varPop: return VarianceAccumulator(call.type, form: ResultForm(kind: .variancePopulation))
        case .varSamp: return VarianceAccumulator(call.type, form: ResultForm(kind: .varianceSample))
        case .stddevPop: return VarianceAccumulator(call.type, form: ResultForm(kind: .deviationPopulation))
        case .stddevSamp: return VarianceAccumulator(call.type, form: ResultForm(kind: .deviationSample))
        case .min, .max:
            let type = try argument()
            guard type.hasExtremes else { throw MillstreamError(.plan, "\(call.name) does not apply to a column of type \(type)") }
            return retracts ? try RetractableExtreme(call.type, isMax: function == .max) : makeExtreme(call.type, isMax: function == .max)
        case .firstValue: return retracts ? try list(.first, ignoresNulls: true) : PickAccumulator(call.type, .first)
        case .lastValue: return retracts ? try list(.last, ignoresNulls: true) : PickAccumulator(call.type, .last)
        case .singleValue: return try list(.single, ignoresNulls: false)
        case .arrayAgg: return try list(.array, ignoresNulls: call.ignoresNulls)
        case .listAgg:
            var separator = Array(",".utf8)
            if case .bytes(let bytes)? = call.constants.first { separator = bytes }
            guard try argument().layout == .views else {
                throw MillstreamError(.plan, "LISTAGG does not apply to a column of type \(try argument())")
            }
            return try list(.text(separator: separator), ignoresNulls: true)
        case .jsonArrayAgg: return try list(.jsonArray, ignoresNulls: call.omitsNulls ?? true)
        case .jsonObjectAgg:
            _ = try argument(1)
            return try list(.jsonObject, ignoresNulls: call.omitsNulls ?? false)
        case .collect: return try CollectAccumulator(call.type, value: try argument(), rule: .multiset)
        case .percentile:
            let (percentages, isArray) = try call.percentages()
            return try CollectAccumulator(
                call.type, value: try argument(), rule: .percentiles(percentages, isArray: isArray), hasFrequency: arguments.count > 1)
        case .bitmapBuildAgg, .bitmapAndAgg, .bitmapOrAgg, .bitmapXorAgg, .bitmapBuildCardinalityAgg, .bitmapAndCardinalityAgg,
            .bitmapOrCardinalityAgg,
            .bitmapXorCardinalityAgg:
            throw MillstreamError(.unsupported, "\(call.name) is not built yet")
        case .rowNumber, .rank, .denseRank, .percentRank, .cumeDist, .ntile, .lag, .lead:
            throw MillstreamError(.plan, "\(call.name) needs an OVER clause", hint: "Write \(call.name)(...) OVER (ORDER BY ...).")
        }
    }

    private static func sum(_ result: DataType, _ input: DataType, _ kind: ResultForm.Kind, _ retracts: Bool) throws(MillstreamError) -> Accumulator {
        var form = ResultForm(kind: kind)
        switch input.kind {
        case .tinyInt: return SlotAccumulator(result, input: input, form: form, .of(WrappingSum<Int8>.self))
        case .smallInt: return SlotAccumulator(result, input: input, form: form, .of(WrappingSum<Int16>.self))
        case .int: return SlotAccumulator(result, input: input, form: form, .of(WrappingSum<Int32>.self))
        case .bigInt: return SlotAccumulator(result, input: input, form: form, .of(WrappingSum<Int64>.self))
        case .float:
            if retracts { return SlotAccumulator(result, input: input, form: form, .of(RetractableFloatSum<Float>.self)) }
            if kind == .average { return SlotAccumulator(result, input: input, form: form, .of(FloatSum<Float, Double>.self)) }
            return SlotAccumulator(result, input: input, form: form, .of(FloatSum<Float, Float>.self))
        case .double:
            if retracts { return SlotAccumulator(result, input: input, form: form, .of(RetractableFloatSum<Double>.self)) }
            return SlotAccumulator(result, input: input, form: form, .of(FloatSum<Double, Double>.self))
        case .decimal(_, let scale):
            guard case .decimal(let precision, let resultScale) = result.kind else { break }
            form.scale = Int32(truncatingIfNeeded: max(0, resultScale - scale))
            form.limit = powerOfTen(precision)
            return SlotAccumulator(result, input: input, form: form, .of(DecimalSum.self))
        default: break
        }
        throw MillstreamError(.plan, "\(kind == .average ? "AVG" : "SUM") does not apply to a column of type \(input)")
    }
}

extension AggregateExpression {
    /// Throws `plan` where the result has another layout than the function's results: a plan may come from anywhere.
    fileprivate func checkResult(_ arguments: [DataType]) throws(MillstreamError) {
        guard case .builtIn(let function) = function else { return }
        let fits: Bool
        switch function {
        case .countAll, .count: fits = type.layout == .fixed(byteWidth: 8)
        case .sum, .sum0, .average, .min, .max, .firstValue, .lastValue, .singleValue: fits = arguments.isEmpty || type.layout == arguments[0].layout
        case .listAgg, .jsonArrayAgg, .jsonObjectAgg: fits = type.layout == .views
        case .arrayAgg: fits = arguments.isEmpty || type.elementType?.layout == arguments[0].layout
        case .collect: fits = arguments.isEmpty || type.elementType?.fields?.first?.type.layout == arguments[0].layout
        default: fits = true
        }
        guard !fits else { return }
        throw MillstreamError(.plan, "\(name) of (\(arguments.map(\.description).joined(separator: ", "))) does not give \(type)")
    }

    /// What a JSON aggregate says of nulls: a constant that begins with ABSENT or NULL; nil where it says nothing.
    fileprivate var omitsNulls: Bool? {
        for case .bytes(let bytes) in constants {
            let text = String(decoding: bytes, as: UTF8.self)
            if text.hasPrefix("ABSENT") { return true }
            if text.hasPrefix("NULL") { return false }
        }
        return nil
    }

    /// The percentages of PERCENTILE: a DOUBLE constant, or a list of them.
    fileprivate func percentages() throws(MillstreamError) -> (values: [Double], isArray: Bool) {
        let values: [Scalar]
        var isArray = false
        switch constants.first {
        case .list(let list)?:
            values = list
            isArray = true
        case let value?: values = [value]
        case nil: values = []
        }
        var result: [Double] = []
        for value in values {
            switch value {
            case .double(let number) where number >= 0 && number <= 1: result.append(number)
            case .int64(let number) where number == 0 || number == 1: result.append(Double(number))
            default: throw MillstreamError(.plan, "a percentage of PERCENTILE is \(value); it must be a DOUBLE between 0 and 1")
            }
        }
        guard !result.isEmpty || isArray else { throw MillstreamError(.plan, "PERCENTILE needs a percentage between 0 and 1") }
        return (result, isArray)
    }
}

extension DataType {
    /// Whether MIN and MAX apply.
    fileprivate var hasExtremes: Bool {
        switch kind {
        case .null, .array, .map, .multiset, .row, .structured, .variant, .bitmap, .raw, .object: false
        default: true
        }
    }
}
