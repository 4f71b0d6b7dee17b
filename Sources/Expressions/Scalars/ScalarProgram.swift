import Columnar
import Plan

/// Some scalar expressions over one schema, ready to be computed over batches.
///
/// Equal parts are computed once for a batch, wherever they stand; functions that may differ from call to call are each their own. The rows for which CASE, AND, OR,
/// COALESCE or IN do not come to an operand are not computed for it, so that no row raises an error that it should not. One thread at a time uses a program.
public final class ScalarProgram {
    /// How deep expressions may nest, so that neither compiling nor computing can exhaust a worker's stack.
    public static let depthMax = 512

    private var nodes: [ScalarNode] = []
    private var known: [ScalarExpression: Int] = [:]
    private var roots: [ScalarNode] = []
    /// The types of the results.
    public let types: [DataType]

    /// Throws `limitExceeded` beyond `depthMax`, `plan` or `unsupported` for what cannot be computed, and what the functions find wrong with constant arguments.
    public init(_ expressions: [ScalarExpression]) throws(MillstreamError) {
        types = expressions.map(\.type)
        for expression in expressions { roots.append(try compile(expression, depth: 0)) }
        known = [:]
    }

    /// One dense column for each expression, of the rows of `batch` that count.
    public func columns(of batch: Batch, _ context: EvaluationContext) throws(MillstreamError) -> [Column] {
        let rows = ScalarRows(batch, nodeCount: nodes.count)
        var columns: [Column] = []
        for root in roots {
            let result = try evaluate(root, rows, context)
            columns.append(try result.dense(rows.count, as: root.type))
        }
        return columns
    }

    /// The rows (of those that count) for which the expression at `index`, a condition, is true, neither false nor null; nil if it is true for all.
    public func rows(of batch: Batch, where index: Int = 0, _ context: EvaluationContext) throws(MillstreamError) -> Selection? {
        let rows = ScalarRows(batch, nodeCount: nodes.count)
        let result = try evaluate(roots[index], rows, context)
        if result.isConstant { return result.isNullConstant || !result.column.bit(0) ? Selection([]) : nil }
        let selected = Selection.whereTrue(result.column)
        return selected.count == rows.count ? nil : selected
    }

    /// The value of an expression without columns.
    public static func constant(_ expression: ScalarExpression, _ context: EvaluationContext) throws(MillstreamError) -> Scalar {
        let program = try ScalarProgram([expression])
        return try program.columns(of: Batch(schema: Schema([]), columns: [], count: 1), context)[0].scalar(at: 0)
    }

    // MARK: Compiling

    private func compile(_ expression: ScalarExpression, depth: Int) throws(MillstreamError) -> ScalarNode {
        guard depth < Self.depthMax else {
            throw MillstreamError(
                .limitExceeded, "an expression nests more than \(Self.depthMax) operations deep", hint: "Compute parts of it in a query of their own.")
        }
        if let index = known[expression] { return nodes[index] }
        var operands: [ScalarNode] = []
        for operand in expression.operands { operands.append(try compile(operand, depth: depth + 1)) }
        let node = try ScalarNode(expression, operands, id: nodes.count)
        nodes.append(node)
        if node.isDeterministic { known[expression] = node.id }
        return node
    }

    // MARK: Computing

    private func evaluate(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        if let result = rows.results[node.id] { return result }
        let result = try compute(node, rows, context)
        rows.results[node.id] = result
        return result
    }

    private func compute(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        switch node.work {
        case .column(let position): return Operand(try rows.column(position))
        case .constant(let operand): return operand
        case .kernel(let kernel):
            var arguments: [Operand] = []
            arguments.reserveCapacity(node.operands.count)
            for operand in node.operands { arguments.append(try evaluate(operand, rows, context)) }
            let allConstant = node.isDeterministic && !arguments.isEmpty && arguments.allSatisfy(\.isConstant)
            let result = try kernel(arguments, allConstant ? 1 : rows.count, context)
            return allConstant ? Operand(result.column, isConstant: true) : result
        case .field(let position): return try field(position, try evaluate(node.operands[0], rows, context), node)
        case .and: return try logic(node, rows, context, isAnd: true)
        case .or: return try logic(node, rows, context, isAnd: false)
        case .conditional: return try conditional(node, rows, context)
        case .coalesce: return try coalesce(node, rows, context)
        }
    }

    private func field(_ position: Int, _ row: Operand, _ node: ScalarNode) throws(MillstreamError) -> Operand {
        guard position < row.column.children.count else {
            throw .internal("a row has \(row.column.children.count) fields where at least \(position + 1) are needed")
        }
        var field = row.column.field(position)
        if row.column.mayHaveNulls, let validity = Validity.ofAll([Operand(row.column), Operand(field)], count: row.column.count) {
            // The field is null where the row is.
            let bits = field.offset == 0 ? validity : Bits.moved(validity, to: field.offset, count: field.count)
            field = Column(
                type: field.type.nullable, count: field.count, offset: field.offset, validity: bits, values: field.values, dataBuffers: field.dataBuffers,
                children: field.children, hostObjects: field.hostObjects)
        }
        return Operand(field, isConstant: row.isConstant)
    }

    /// AND and OR from left to right: an operand that could fail sees only the rows that those before it leave open.
    private func logic(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext, isAnd: Bool) throws(MillstreamError) -> Operand {
        var result = try evaluate(node.operands[0], rows, context)
        for operand in node.operands.dropFirst() {
            let next: Operand
            if operand.canFail, rows.count > 0 {
                // AND goes on where it is true or null, OR where it is false or null.
                let open = result.open(rows.count, unless: !isAnd)
                if open.count == 0 { continue }
                next = open.count == rows.count ? try evaluate(operand, rows, context) : try evaluate(operand, on: open, of: rows, context, default: isAnd)
            } else {
                next = try evaluate(operand, rows, context)
            }
            let count = result.isConstant && next.isConstant ? 1 : rows.count
            result = isAnd ? LogicKernels.and(result, next, count) : LogicKernels.or(result, next, count)
        }
        return result
    }

    /// A condition on some rows; the others get `value`, which decides nothing.
    private func evaluate(
        _ node: ScalarNode, on open: Selection, of rows: ScalarRows, _ context: EvaluationContext, default value: Bool
    ) throws(MillstreamError) -> Operand {
        let some = ScalarRows(open, of: rows, nodeCount: nodes.count)
        let computed = try evaluate(node, some, context).dense(open.count, as: node.type)
        let rest = try Operand.constant(.boolean(value), DataType.boolean).column
        let places = RowPlaces(count: rows.count, source: 1, row: 0)
        places.set(open, source: 0)
        return Operand(try places.gather([computed, rest]))
    }

    private func conditional(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        var rest = rows
        // Which of `rows` are left, where that is not all of them.
        var left: Selection?
        var columns: [Column] = []
        let places = RowPlaces(count: rows.count, source: -1, row: 0)
        func note(_ result: Operand, _ taken: Selection?) {
            places.set(taken, source: Int32(columns.count), isConstant: result.isConstant)
            columns.append(result.column)
        }
        var index = 0
        while index + 1 < node.operands.count {
            let condition = try evaluate(node.operands[index], rest, context)
            let resultNode = node.operands[index + 1]
            index += 2
            if condition.isConstant {
                if condition.isNullConstant || !condition.column.bit(0) { continue }
                let result = try evaluate(resultNode, rest, context)
                if columns.isEmpty { return result.typed(node.type) }
                note(result, left)
                return Operand(try places.gather(columns, as: node.type))
            }
            let isTrue = Selection.whereTrue(condition.column)
            if isTrue.count == 0 { continue }
            if isTrue.count == rest.count {
                let result = try evaluate(resultNode, rest, context)
                if columns.isEmpty { return result.typed(node.type) }
                note(result, left)
                return Operand(try places.gather(columns, as: node.type))
            }
            let some = ScalarRows(isTrue, of: rest, nodeCount: nodes.count)
            note(try evaluate(resultNode, some, context), left.map { isTrue.composed(over: $0) } ?? isTrue)
            let others = isTrue.complement(count: rest.count)
            rest = ScalarRows(others, of: rest, nodeCount: nodes.count)
            left = left.map { others.composed(over: $0) } ?? others
        }
        let otherwise = try evaluate(node.operands[index], rest, context)
        if columns.isEmpty { return otherwise.typed(node.type) }
        note(otherwise, left)
        return Operand(try places.gather(columns, as: node.type))
    }

    /// The first argument that is not null; the later ones see only the rows that are still without a value.
    private func coalesce(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        var rest = rows
        var left: Selection?
        var columns: [Column] = []
        let places = RowPlaces(count: rows.count, source: -1, row: 0)
        for (index, operand) in node.operands.enumerated() {
            let value = try evaluate(operand, rest, context)
            let isLast = index == node.operands.count - 1
            let missing = isLast || !value.column.mayHaveNulls ? Selection([]) : value.isConstant ? (value.isNullConstant ? nil : Selection([])) : value.nullRows(rest.count)
            // All of them are null: on to the next argument.
            if missing == nil || (missing?.count == rest.count && rest.count > 0 && !isLast) { continue }
            if columns.isEmpty, missing?.count == 0 { return value.typed(node.type) }
            places.set(left, source: Int32(columns.count), isConstant: value.isConstant)
            columns.append(value.column)
            guard let missing, missing.count > 0 else { break }
            rest = ScalarRows(missing, of: rest, nodeCount: nodes.count)
            left = left.map { missing.composed(over: $0) } ?? missing
        }
        return columns.isEmpty ? .null(node.type) : Operand(try places.gather(columns, as: node.type))
    }
}

/// One step of a program.
final class ScalarNode {
    enum Work {
        case column(Int)
        case constant(Operand)
        case kernel(Kernel)
        case field(Int)
        case and
        case or
        case conditional
        case coalesce
    }

    let id: Int
    let type: DataType
    let operands: [ScalarNode]
    let work: Work
    let isDeterministic: Bool
    /// Whether some value could make it throw.
    let canFail: Bool

    init(_ expression: ScalarExpression, _ operands: [ScalarNode], id: Int) throws(MillstreamError) {
        self.id = id
        self.operands = operands
        type = expression.type
        var isDeterministic = operands.allSatisfy(\.isDeterministic)
        var canFail = operands.contains(where: \.canFail)
        func request(_ function: ScalarFunction, _ arguments: [ScalarExpression]) -> KernelRequest {
            let constants = arguments.map { if case .constant(let value) = $0.kind { value } else { nil as Scalar? } }
            let functions = arguments.map { if case .call(let inner, _) = $0.kind { inner } else { nil as ScalarFunction? } }
            return KernelRequest(function: function, arguments: arguments.map(\.type), constants: constants, type: expression.type, functions: functions)
        }
        switch expression.kind {
        case .column(let position): work = .column(position)
        case .constant(let value): work = .constant(try Operand.constant(value, expression.type))
        case .field(_, let position): work = .field(position)
        case .conditional: work = .conditional
        case .call(.and, _): work = .and
        case .call(.or, _): work = .or
        case .call(.coalesce, _): work = .coalesce
        case .call(let function, let arguments):
            isDeterministic = isDeterministic && function.isDeterministic
            canFail = canFail || function.canFail
            work = .kernel(try Kernels.prepare(request(function, arguments)))
        case .cast(let inner, let isTry):
            canFail = true
            work = .kernel(try Casts.prepare(from: inner.type, to: expression.type, isTry: isTry))
        case .user: throw MillstreamError(.unsupported, "a user's function cannot be called here")
        }
        self.isDeterministic = isDeterministic
        self.canFail = canFail
    }
}

/// The rows that a program sees: a batch's, or some of another's. Columns are made dense one by one, as they are asked for.
final class ScalarRows {
    private enum Origin {
        case batch(Batch)
        case some(Selection, ScalarRows)
    }
    private let origin: Origin
    let count: Int
    private var columns: [Int: Column] = [:]
    var results: [Operand?]

    init(_ batch: Batch, nodeCount: Int) {
        origin = .batch(batch)
        count = batch.count
        results = Array(repeating: nil, count: nodeCount)
    }

    init(_ selection: Selection, of rows: ScalarRows, nodeCount: Int) {
        origin = .some(selection, rows)
        count = selection.count
        results = Array(repeating: nil, count: nodeCount)
    }

    func column(_ position: Int) throws(MillstreamError) -> Column {
        if let column = columns[position] { return column }
        let column: Column
        switch origin {
        case .some(let selection, let rows): column = try rows.column(position).taking(selection)
        case .batch(let batch):
            guard position < batch.columns.count else {
                throw MillstreamError(.typeMismatch, "a batch has \(batch.columns.count) columns where at least \(position + 1) are needed", domain: .internal)
            }
            column = if let selection = batch.selection { try batch.columns[position].taking(selection) } else { batch.columns[position] }
        }
        columns[position] = column
        return column
    }
}

/// For each row, which of several results has it.
struct RowPlaces {
    private let buffer: Buffer
    private let count: Int

    init(count: Int, source: Int32, row: Int32) {
        self.count = count
        buffer = Buffer(byteCount: count * MemoryLayout<RowPlace>.stride)
        let places = buffer.pointer(as: RowPlace.self)
        for index in 0..<count { places[index] = RowPlace(source: source, row: row) }
    }

    /// The rows that `selection` names (nil: all) are those of `source`, in its order; a constant has one for all.
    func set(_ selection: Selection?, source: Int32, isConstant: Bool = false) {
        let places = buffer.pointer(as: RowPlace.self)
        if let selection {
            let indices = selection.indices
            for index in 0..<selection.count { places[Int(indices[index])] = RowPlace(source: source, row: isConstant ? 0 : Int32(truncatingIfNeeded: index)) }
            withExtendedLifetime(selection) {}
        } else {
            for index in 0..<count { places[index] = RowPlace(source: source, row: isConstant ? 0 : Int32(truncatingIfNeeded: index)) }
        }
    }

    func gather(_ columns: [Column], as type: DataType? = nil) throws(MillstreamError) -> Column {
        // A typeless NULL takes the type of the result.
        var sources: [Column] = []
        for column in columns {
            if let type, column.type.layout != type.layout { sources.append(try Column.nulls(type: type, count: max(column.count, 1))) } else { sources.append(column) }
        }
        let column = try Column.gathering(buffer.pointer(as: RowPlace.self), count: count, from: sources)
        withExtendedLifetime(buffer) {}
        guard let type else { return column }
        return column.retyped(column.mayHaveNulls ? type.nullable : type)
    }
}

extension Operand {
    /// One value for all rows.
    static func constant(_ value: Scalar, _ type: DataType) throws(MillstreamError) -> Operand {
        if value == .null { return .null(type) }
        let builder = try ColumnBuilder.make(for: type)
        try builder.append(value)
        return Operand(builder.finish(), isConstant: true)
    }

    /// A column with a value for each row.
    func dense(_ count: Int, as type: DataType) throws(MillstreamError) -> Column {
        if isNullConstant, column.type.layout != type.layout { return try Column.nulls(type: type, count: count) }
        let column = isConstant ? try self.column.repeatingFirst(count) : self.column
        return column.type == type ? column : column.retyped(type)
    }

    /// The same values under the type of the expression that they are the result of.
    func typed(_ type: DataType) -> Operand {
        if column.type == type { return self }
        if column.type.layout != type.layout { return .null(type) }
        return Operand(column.retyped(type), isConstant: isConstant)
    }

    /// The rows at which a condition is not `value`: those that a later condition may still decide.
    func open(_ count: Int, unless value: Bool) -> Selection {
        if isConstant, !isNullConstant, column.bit(0) == value { return Selection([]) }
        if isConstant { return Selection(Array(0..<Int32(truncatingIfNeeded: count))) }
        var rows: [Int32] = []
        rows.reserveCapacity(count)
        for row in 0..<count where column.isNull(row) || column.bit(row) != value { rows.append(Int32(truncatingIfNeeded: row)) }
        return Selection(rows)
    }

    /// The rows without a value.
    func nullRows(_ count: Int) -> Selection {
        var rows: [Int32] = []
        for row in 0..<count where isNull(row) { rows.append(Int32(truncatingIfNeeded: row)) }
        return Selection(rows)
    }
}

extension Selection {
    /// The indices below `count` that are not among these, which ascend.
    func complement(count: Int) -> Selection {
        var rows: [Int32] = []
        rows.reserveCapacity(count - self.count)
        var next = 0
        for row in 0..<count {
            if next < self.count, self[next] == row { next += 1 } else { rows.append(Int32(truncatingIfNeeded: row)) }
        }
        return Selection(rows)
    }
}

extension Bits {
    /// The first `count` bits, moved to `offset` in a buffer of their own.
    static func moved(_ bits: Buffer, to offset: Int, count: Int) -> Buffer {
        let buffer = Buffer(byteCount: Bits.byteCount(offset + count) + 8)
        Bits.copy(from: bits.base, 0, to: buffer.base, offset, count: count)
        return buffer
    }
}

extension ScalarFunction {
    /// Whether some values could make the function throw. Those that are sure not to are listed; to take one for failing costs speed alone.
    var canFail: Bool {
        switch self {
        case .and, .or, .not, .isTrue, .isNotTrue, .isFalse, .isNotFalse, .isNull, .isNotNull, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
            .isDistinctFrom, .isNotDistinctFrom, .in, .coalesce, .nullIf, .plus, .minus, .times, .negate, .charLength, .upper, .lower, .concat, .concatenate, .like,
            .startsWith, .endsWith, .substring, .position, .extract, .greatest, .least: false
        default: true
        }
    }
}
