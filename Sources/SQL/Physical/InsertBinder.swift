import Columnar
import Expressions
import Plan

/// The rows of an INSERT in the columns of its table.
struct InsertBinder {
    private let session: SQLSession
    private let request: InsertRequest
    private let table: CatalogTable
    private let query: Relation

    init(_ session: SQLSession, _ request: InsertRequest, _ table: CatalogTable, _ query: Relation) {
        self.session = session
        self.request = request
        self.table = table
        self.query = query
    }

    func relation() throws(MillstreamError) -> Relation {
        let source = request.source
        let insert = request.insert
        let targets = table.persistedColumns
        let binder = ScalarBinder(source, scope: EmptyScope())
        var fixed: [Int: ScalarExpression] = [:]
        for partition in insert.partition {
            let name = partition.column.text
            guard let position = targets.firstIndex(where: { $0.name == name }), table.partitionKeys.contains(name) else {
                throw source.error("'\(name)' is no partition column of '\(request.target.path.name)'", at: partition.column.range)
            }
            let value = try binder.bind(partition.value)
            fixed[position] = try binder.coerce(value, to: targets[position].type, at: partition.value.range).expression
        }
        var listed: [Int] = []
        for name in insert.columns ?? [] {
            guard let position = targets.firstIndex(where: { $0.name == name.text }) else {
                throw source.error(
                    "the table '\(request.target.path.name)' has no column '\(name.text)' that can be written", at: name.range,
                    hint: NearestName.hint(name.text, among: targets.map(\.name)))
            }
            guard !listed.contains(position) else { throw source.error("the column '\(name.text)' is named twice", at: name.range) }
            listed.append(position)
        }
        let given = insert.columns == nil ? targets.indices.filter { fixed[$0] == nil } : listed
        guard given.count == query.columns.count else {
            throw source.error(
                "the query has \(query.columns.count) columns, and \(given.count) are to be written: \(given.map { targets[$0].name }.joined(separator: ", "))",
                at: insert.query.range)
        }
        var expressions: [ScalarExpression] = []
        for (position, target) in targets.enumerated() {
            if let value = fixed[position] {
                expressions.append(value)
            } else if let place = given.firstIndex(of: position) {
                let column = query.columns[place]
                do throws(MillstreamError) {
                    expressions.append(try binder.coerce(BoundScalar(query.column(place)), to: target.type, at: insert.query.range).expression)
                } catch {
                    throw source.error(
                        "the column '\(column.name)' of the query, of type \(column.type), does not fit '\(target.name)' of type \(target.type)", at: insert.query.range,
                        hint: "CAST(\(column.name) AS \(target.type.kind)) converts it, if it can be.")
                }
            } else {
                guard target.type.isNullable else {
                    throw source.error("the column '\(target.name)' is NOT NULL, and the INSERT gives it no value", at: insert.target.range)
                }
                expressions.append(.null(target.type))
            }
        }
        let columns = zip(targets, expressions).map { target, expression in RelationColumn(target.name, expression.type.isNullable ? target.type.nullable : target.type) }
        return query.projected(zip(expressions, columns).map { $0.typed($1.type) }, columns)
    }
}
