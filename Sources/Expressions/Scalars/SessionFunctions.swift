import Columnar
import Plan

/// CURRENT_DATABASE and TYPEOF.
enum SessionFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .currentDatabase: return { (_, _, context) throws(MillstreamError) in try .constant(.string(context.database), type) }
        case .typeOf:
            guard let source = request.arguments.first else { throw .internal("TYPEOF takes a value") }
            var isFull = false
            if request.constants.count > 1, case .boolean(true)? = request.constants[1] { isFull = true }
            let text = Scalar.string(name(of: source, isFull: isFull))
            return { (_, _, _) throws(MillstreamError) in try .constant(text, type) }
        default: return nil
        }
    }

    /// A type as Flink writes it: short, or so that it can be read again (`VARCHAR(2147483647)` for STRING).
    static func name(of type: DataType, isFull: Bool) -> String {
        func fields(_ fields: [Field]) -> String {
            fields.map { field in "`" + field.name.split(separator: "`", omittingEmptySubsequences: false).joined(separator: "``") + "` " + name(of: field.type, isFull: isFull) }
                .joined(separator: ", ")
        }
        let text: String
        switch type.kind {
        case .varChar(DataType.unboundedLength): text = isFull ? "VARCHAR(\(DataType.unboundedLength))" : "STRING"
        case .varBinary(DataType.unboundedLength): text = isFull ? "VARBINARY(\(DataType.unboundedLength))" : "BYTES"
        // Flink keeps of an interval only whether it has months or seconds.
        case .intervalYearMonth: text = "INTERVAL MONTH"
        case .intervalDayTime(let precision): text = "INTERVAL SECOND(\(precision))"
        case .array(let element): text = "ARRAY<\(name(of: element, isFull: isFull))>"
        case .map(let key, let value): text = "MAP<\(name(of: key, isFull: isFull)), \(name(of: value, isFull: isFull))>"
        case .multiset(let element): text = "MULTISET<\(name(of: element, isFull: isFull))>"
        case .row(let list): text = "ROW<\(fields(list))>"
        case .structured(let name, let list): text = "STRUCTURED<'\(name)', \(fields(list))>"
        default: text = type.kind.description
        }
        return text + (type.isNullable ? "" : " NOT NULL")
    }
}
