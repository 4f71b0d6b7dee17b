import CMillstream
import Columnar
import Connectors
import Dataflow
import Plan
import Runtime
import SQL

/// What a `millstream_sql` holds.
final class SQLBox: @unchecked Sendable {
    private let lock = Lock()
    private let session = SQLSession()
    private let planner: StatementPlanner
    private let environment: EnvironmentBox
    private var jobCount = 0

    init(_ environment: EnvironmentBox) {
        self.environment = environment
        planner = StatementPlanner(session)
        session.planner = planner
    }

    func execute(_ text: String) throws(MillstreamError) -> SQLResult {
        lock.lock()
        defer { lock.unlock() }
        let source = SourceText(text)
        switch try session.execute(text) {
        case .result(let table): return .table(table)
        case .query(let query):
            let planned = try planner.plan(query, in: source)
            return .job(try start(planned, "collect"), planned)
        case .insert(let inserts): return try insert(inserts)
        case .createTableAs(let insert): return try self.insert([insert])
        case .explain(let explain): return .table(try planner.explain(explain, in: source))
        case .delete, .update, .truncate:
            throw MillstreamError(.unsupported, "the table's connector cannot delete or change rows by itself")
        case .showJobs, .describeJob: throw MillstreamError(.unsupported, "jobs are known to the program that started them")
        }
    }

    private func insert(_ inserts: [InsertRequest]) throws(MillstreamError) -> SQLResult {
        let planned = try planner.plan(inserts)
        return .job(try start(planned, "insert-into_" + inserts.map(\.target.path.description).joined(separator: ",")), planned)
    }

    private func start(_ planned: PlannedStatement, _ name: String) throws(MillstreamError) -> JobBox {
        let (configuration, output, clock) = try environment.edit { editor throws(MillstreamError) in (editor.plan.configuration, editor.textOutput, editor.clock) }
        var plan = StreamPlan(jobName: session.options.text("pipeline.name") ?? name, nodes: planned.nodes, configuration: configuration)
        if let parallelism = session.options.parallelism, session.options.isSet("parallelism.default") || session.options.isSet("table.exec.resource.default-parallelism") {
            plan.configuration.parallelism = parallelism
        }
        switch session.options.runtimeMode {
        case .streaming: plan.configuration.mode = .streaming
        case .batch: plan.configuration.mode = .batch
        case .automatic: plan.configuration.mode = .automatic
        }
        plan.configuration.session = planner.settings
        var bindings = Bindings()
        bindings.hostObjects = Library.shared.hostObjects
        return JobBox(try startJob(plan, bindings, output, clock), plan: plan)
    }
}

/// What a statement gave.
enum SQLResult {
    case table(ResultTable)
    case job(JobBox, PlannedStatement)

    func json() -> String {
        var writer = JSONText()
        switch self {
        case .table(let table):
            writer.raw("{\"kind\":\"\(table.kind.rawValue)\",\"sink\":-1,\"insertOnly\":true,\"key\":null,\"columns\":[")
            write(table.columns.map { ($0.name, $0.type, $0.type.description) }, &writer)
            writer.raw("],\"rows\":[")
            for (index, row) in table.rows.enumerated() {
                writer.raw(index == 0 ? "[" : ",[")
                for (place, value) in row.enumerated() {
                    if place > 0 { writer.raw(",") }
                    write(value, &writer)
                }
                writer.raw("]")
            }
        case .job(_, let planned):
            let key = planned.uniqueKey.map { "[" + $0.map(String.init).joined(separator: ",") + "]" } ?? "null"
            writer.raw(
                "{\"kind\":\"SUCCESS_WITH_CONTENT\",\"sink\":\(planned.collector?.value ?? -1),\"insertOnly\":\(planned.changelog == .insertOnly),\"key\":\(key),\"columns\":[")
            write(planned.columns.map { ($0.name, $0.type, BoundScalar(.column(0, $0.type), timeAttribute: $0.time).typeDescription) }, &writer)
        }
        writer.raw("]}")
        return writer.text
    }

    private func write(_ value: Scalar, _ writer: inout JSONText) {
        switch value {
        case .boolean(let value): writer.raw(value ? "true" : "false")
        case .int64(let value): writer.raw("\(value)")
        case .bytes(let bytes): writer.string(String(decoding: bytes, as: UTF8.self))
        default: writer.raw("null")
        }
    }

    private func write(_ columns: [(name: String, type: DataType, text: String)], _ writer: inout JSONText) {
        for (index, column) in columns.enumerated() {
            writer.raw(index == 0 ? "{\"name\":" : ",{\"name\":")
            writer.string(column.name)
            writer.raw(",\"type\":")
            writer.string(column.type.description)
            writer.raw(",\"text\":")
            writer.string(column.text)
            writer.raw("}")
        }
    }
}

func sqlBox(_ handle: OpaquePointer?) throws(MillstreamError) -> SQLBox { try HandleTable.shared.find(handle, .sql, as: SQLBox.self) }

@c @implementation
public func millstream_sql_create(
    _ environment: OpaquePointer?, _ session: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(session, "session")
        result.pointee = try HandleTable.shared.insert(SQLBox(try environmentBox(environment)), .sql)
    }
}

@c @implementation
public func millstream_sql_free(_ session: OpaquePointer?) { _ = HandleTable.shared.remove(session, .sql) }

@c @implementation
public func millstream_execute_sql(
    _ session: OpaquePointer?, _ statement: UnsafePointer<CChar>?, _ description: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ job: UnsafeMutablePointer<OpaquePointer?>?, _ rows: UnsafeMutablePointer<ArrowArrayStream>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try sqlBox(session)
        let result = try box.execute(try readText(statement, "statement"))
        if let description { description.pointee = try giveText(result.json()) }
        job?.pointee = nil
        switch result {
        case .table(let table):
            guard let rows else { return }
            let schema = Schema(table.columns)
            let once = Once(try table.batch())
            exportArrowStream(schema: schema, into: rows) { () throws(MillstreamError) in once.take() }
        case .job(let running, let planned):
            if let job { job.pointee = try HandleTable.shared.insert(running, .job) }
            guard let rows else { return }
            guard let sink = planned.collector else {
                // An INSERT has no rows: its stream ends when the job has.
                exportArrowStream(schema: Schema([]), into: rows) { () throws(MillstreamError) in
                    _ = running.job.wait(milliseconds: nil)
                    if let failure = running.job.failure { throw failure }
                    return nil
                }
                return
            }
            exportArrowStream(schema: try running.schema(of: millstream_node(sink.value)), into: rows, options: ArrowExportOptions(includesRowKinds: true)) {
                () throws(MillstreamError) in
                switch running.job.collect(sink, milliseconds: nil) {
                case .rows(let batch): return batch
                case .none: return nil
                case .end:
                    if let failure = running.job.failure { throw failure }
                    return nil
                }
            }
        }
    }
}

@c @implementation
public func millstream_sql_split(
    _ text: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(json, "json")
        let ranges = try Parser.statements(try readText(text, "text")).map(\.range)
        result.pointee = try giveText("[" + ranges.map { "{\"start\":\($0.start),\"end\":\($0.end)}" }.joined(separator: ",") + "]")
    }
}

/// A batch that is given once.
private final class Once: @unchecked Sendable {
    private var batch: Batch?
    init(_ batch: Batch) { self.batch = batch }
    func take() -> Batch? {
        defer { batch = nil }
        return batch
    }
}

extension ResultTable {
    func batch() throws(MillstreamError) -> Batch {
        var built: [Column] = []
        for (index, field) in columns.enumerated() {
            let builder = try ColumnBuilder.make(for: field.type)
            for row in rows { try builder.append(row[index]) }
            built.append(builder.finish())
        }
        return Batch(schema: Schema(columns), columns: built, count: rows.count)
    }
}
