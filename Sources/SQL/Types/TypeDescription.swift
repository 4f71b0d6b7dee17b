import Columnar

extension DataType {
    /// The type as Flink's planner prints it, in schemas and by TYPEOF: intervals are INTERVAL MONTH and INTERVAL SECOND(3) there.
    ///
    /// - isLong: VARCHAR and VARBINARY with their lengths, where STRING and BYTES stand for them.
    public func plannerDescription(isLong: Bool = false) -> String { plannerKind(isLong) + (isNullable ? "" : " NOT NULL") }

    private func plannerKind(_ isLong: Bool) -> String {
        func list(_ fields: [Field]) -> String {
            fields.map { "`\($0.name.replacingBackticks)` \($0.type.plannerDescription(isLong: isLong))" }.joined(separator: ", ")
        }
        switch kind {
        case .varChar(let length) where isLong: return "VARCHAR(\(length))"
        case .varBinary(let length) where isLong: return "VARBINARY(\(length))"
        case .intervalYearMonth: return "INTERVAL MONTH"
        case .intervalDayTime(let precision): return "INTERVAL SECOND(\(precision))"
        case .array(let element): return "ARRAY<\(element.plannerDescription(isLong: isLong))>"
        case .multiset(let element): return "MULTISET<\(element.plannerDescription(isLong: isLong))>"
        case .map(let key, let value): return "MAP<\(key.plannerDescription(isLong: isLong)), \(value.plannerDescription(isLong: isLong))>"
        case .row(let fields): return "ROW<\(list(fields))>"
        case .structured(let name, let fields): return "STRUCTURED<'\(name)'\(fields.isEmpty ? "" : ", ")\(list(fields))>"
        default: return kind.description
        }
    }
}

extension String {
    /// As it stands within backticks.
    fileprivate var replacingBackticks: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar == "`" { text.append(scalar) }
            text.append(scalar)
        }
        return String(text)
    }
}
