import Columnar
import Plan

/// Casts of arrays, maps, multisets, rows and structured types part by part. A part that cannot be cast fails the whole value.
enum CastsNested {
    /// nil where one of the types has no parts.
    static func step(from source: DataType, to target: DataType) throws(MillstreamError) -> CastStep? {
        switch (source.kind, target.kind) {
        case (.array(let element), .array(let targetElement)):
            return list(try Casts.step(from: element, to: targetElement), target)
        case (.map(let key, let value), .map(let targetKey, let targetValue)):
            return list(entries(try Casts.step(from: key, to: targetKey), try Casts.step(from: value, to: targetValue), target), target)
        case (.multiset(let element), .multiset(let targetElement)):
            return list(entries(try Casts.step(from: element, to: targetElement), try Casts.step(from: .int.notNull, to: .int.notNull), target), target)
        default:
            guard let fields = source.fields, let targetFields = target.fields else { return nil }
            guard fields.count == targetFields.count else {
                throw MillstreamError(
                    .plan, "a row of \(fields.count) fields cannot be cast to one of \(targetFields.count)", hint: "Rows are cast field by field, in order.")
            }
            var steps: [CastStep] = []
            for (field, targetField) in zip(fields, targetFields) { steps.append(try Casts.step(from: field.type, to: targetField.type)) }
            return row(steps, target)
        }
    }

    private static func list(_ step: @escaping CastStep, _ target: DataType) -> CastStep {
        { (column, count, failures, context) throws(MillstreamError) in
            guard count > 0 else { return try Column.nulls(type: target, count: 0).retyped(target) }
            let start = column.listRange(0).lowerBound
            let length = column.listRange(count - 1).upperBound - start
            var parts = failures.ofParts
            let elements = try step(column.children[0].slice(start, length), length, &parts, context)
            try failures.absorb(parts, count: count) { row in
                guard !column.isNull(row) else { return nil }
                let range = column.listRange(row)
                return range.lowerBound - start..<range.upperBound - start
            }
            let offsets = Buffer(byteCount: 4 * (count + 1))
            let target32 = offsets.pointer(as: Int32.self)
            let source32 = UnsafePointer(column.pointer(as: Int32.self))
            for row in 0...count { target32[row] = source32[row] &- Int32(truncatingIfNeeded: start) }
            return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: offsets, children: [elements])
        }
    }

    /// The ROW of key and value below a map.
    private static func entries(_ key: @escaping CastStep, _ value: @escaping CastStep, _ target: DataType) -> CastStep {
        let type = target.elementType ?? target
        return row([key, value], type)
    }

    private static func row(_ steps: [CastStep], _ target: DataType) -> CastStep {
        { (column, count, failures, context) throws(MillstreamError) in
            guard column.children.count == steps.count else { throw .internal("a row has \(column.children.count) fields, not \(steps.count)") }
            var fields: [Column] = []
            for (index, step) in steps.enumerated() {
                var parts = failures.ofParts
                fields.append(try step(column.field(index), count, &parts, context))
                try failures.absorb(parts, count: count) { row in column.isNull(row) ? nil : row..<row + 1 }
            }
            return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: nil, children: fields)
        }
    }
}
