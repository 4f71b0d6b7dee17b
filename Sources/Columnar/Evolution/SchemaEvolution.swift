/// How the columns of a state become those that a job has for it: by name. A pure function of two lists of fields.
///
/// A field may be new if it takes nulls, go, move to another place, and become wider (`TypeEvolution`). A field that goes while another of the same type comes
/// is taken for one with a new name, and refused: its values would be lost without a word.
public struct SchemaEvolution: Sendable {
    /// What becomes of a field.
    public enum Change: Hashable, Sendable {
        case added(Field)
        case dropped(Field)
        /// Another type, or another nullability.
        case converted(Field, from: DataType)
        /// The fields stand in another order.
        case reordered

        public var text: String {
            switch self {
            case .added(let field): "'\(field.name)' \(field.type) is new, and null"
            case .dropped(let field): "'\(field.name)' \(field.type) is dropped"
            case .converted(let field, let type): "'\(field.name)' was \(type), and is \(field.type)"
            case .reordered: "the fields stand in another order"
            }
        }
    }

    public let changes: [Change]
    /// The fields of the job.
    public let fields: [Field]
    /// For each of them its place in the checkpoint; nil for a new one.
    public let sources: [Int?]

    /// `mayChange` says of which fields there may be more or fewer than before. Throws `decode` for a change that would lose values.
    public init(from saved: [Field], to wanted: [Field], mayChange: (Field) -> Bool = { _ in true }) throws(MillstreamError) {
        if saved == wanted {
            (changes, fields, sources) = ([], wanted, wanted.indices.map { $0 })
            return
        }
        for fields in [saved, wanted] {
            for (index, field) in fields.enumerated() where fields[..<index].contains(where: { $0.name == field.name }) {
                throw Self.refused("there are two fields '\(field.name)', and other fields have changed: it is not known which is which", nil)
            }
        }
        var sources: [Int?] = []
        var changes: [Change] = []
        for field in wanted { sources.append(saved.firstIndex { $0.name == field.name }) }
        let dropped = saved.filter { field in !wanted.contains { $0.name == field.name } }
        for (field, source) in zip(wanted, sources) {
            guard let source else {
                if let former = dropped.first(where: { $0.type.kind == field.type.kind }) {
                    throw Self.refused("the field '\(former.name)' of type \(former.type) is called '\(field.name)' in the job", "Keep the name, or first drop the one and then add the other.")
                }
                guard mayChange(field) else { throw Self.refused("the field '\(field.name)' of type \(field.type) is not in the checkpoint", nil) }
                guard field.type.isNullable else {
                    throw Self.refused("the field '\(field.name)' of type \(field.type) is not in the checkpoint", "A new field must take nulls.")
                }
                changes.append(.added(field))
                continue
            }
            let former = saved[source].type
            if former == field.type { continue }
            if let reason = TypeEvolution.refusal(from: former, to: field.type) {
                throw Self.refused("the field '\(field.name)' is of type \(former) in the checkpoint, and of type \(field.type) in the job: \(reason)", nil)
            }
            changes.append(.converted(field, from: former))
        }
        for field in dropped {
            guard mayChange(field) else { throw Self.refused("the field '\(field.name)' of type \(field.type) of the checkpoint is not in the job", nil) }
            changes.append(.dropped(field))
        }
        let order = sources.compactMap { $0 }
        if order != order.sorted() { changes.append(.reordered) }
        self.changes = changes
        self.sources = sources
        fields = wanted
    }

    private static func refused(_ message: String, _ hint: String?) -> MillstreamError {
        MillstreamError(
            .decode, message,
            hint: hint ?? "Fields may be added that take nulls, dropped, moved, and become wider; for the rest give the state another name, or write it anew "
                + "(millstream.state.SavepointWriter).", domain: .external)
    }

    /// Whether the columns are taken as they are.
    public var isIdentity: Bool { changes.isEmpty }

    /// The columns of the checkpoint as those of the job.
    public func apply(_ columns: [Column], count: Int) throws(MillstreamError) -> [Column] {
        var result: [Column] = []
        for (field, source) in zip(fields, sources) {
            guard let source else {
                result.append(try Column.nulls(type: field.type, count: count, hostObjects: columns.lazy.compactMap(\.hostObjects).first))
                continue
            }
            result.append(try TypeEvolution.convert(columns[source], to: field.type))
        }
        return result
    }
}
