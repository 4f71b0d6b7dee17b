import CMillstream
import Columnar
import Dataflow
import Plan

@c @implementation
public func millstream_environment_execute(
    _ environment: OpaquePointer?, _ job_name: UnsafePointer<CChar>?, _ job: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let result = try place(job, "job")
        let name = try readOptionalText(job_name, "job_name")
        let (plan, parts, output, clock) = try box.edit { editor throws(MillstreamError) in
            var plan = editor.plan
            if let name, !name.isEmpty { plan.jobName = name }
            return (plan, editor.parts, editor.textOutput, editor.clock)
        }
        let running = try startJob(plan, makeBindings(plan, parts), output, clock)
        result.pointee = try HandleTable.shared.insert(JobBox(running, plan: plan), .job)
    }
}

/// The running parts that the plan's numbers name. Each use of a function knows its node.
func makeBindings(_ plan: StreamPlan, _ parts: [EnvironmentBox.Part]) -> Bindings {
    var bindings = Bindings()
    bindings.hostObjects = Library.shared.hostObjects
    for (number, part) in parts.enumerated() {
        switch part {
        case .function(let definition, let id):
            let node = plan.node(id)
            let input = node?.inputs.first.flatMap { plan.schema(of: $0) } ?? Schema([])
            let site = FunctionSite(input: input, sideOutputs: node?.sideOutputs ?? [], states: node?.states ?? [])
            bindings.bind(number, function: CFunction(definition, site: site))
        case .stream(let stream): bindings.bind(number, stream: stream)
        }
    }
    return bindings
}

extension StreamPlan {
    /// The schema of the rows that an edge brings.
    fileprivate func schema(of edge: Edge) -> Schema? {
        guard let source = node(edge.source) else { return nil }
        guard let tag = edge.sideOutput else { return source.output }
        return source.sideOutputs.first { $0.name == tag }?.schema
    }
}

extension Node {
    fileprivate var states: [StateDeclaration] {
        if case .process(let description) = operation { return description.states }
        return []
    }
}

/// Forgets the job; with the last stream of its sinks gone it is cancelled and waited for.
@c @implementation
public func millstream_job_free(_ job: OpaquePointer?) { _ = HandleTable.shared.remove(job, .job) }

@c @implementation
public func millstream_job_get_status(
    _ job: OpaquePointer?, _ status: UnsafeMutablePointer<millstream_job_status>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        try place(status, "status").pointee = box.job.status
    }
}

@c @implementation
public func millstream_job_wait(
    _ job: OpaquePointer?, _ milliseconds: Int64, _ status: UnsafeMutablePointer<millstream_job_status>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let reached = box.job.wait(milliseconds: try readWait(milliseconds))
        status?.pointee = reached
    }
}

@c @implementation
public func millstream_job_cancel(_ job: OpaquePointer?, _ error: UnsafeMutablePointer<OpaquePointer?>?) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in try jobBox(job).job.cancel() }
}

@c @implementation
public func millstream_job_failure(
    _ job: OpaquePointer?, _ failure: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let result = try place(failure, "failure")
        result.pointee = nil
        if let found = box.job.failure { result.pointee = try HandleTable.shared.insert(ErrorBox(found), .error) }
    }
}

@c @implementation
public func millstream_job_metrics_json(
    _ job: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let result = try place(json, "json")
        result.pointee = try giveText(box.job.metricsJSON())
    }
}

@c @implementation
public func millstream_job_savepoint(
    _ job: OpaquePointer?, _ directory: UnsafePointer<CChar>?, _ mode: millstream_savepoint_mode,
    _ path: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let result = try place(path, "path")
        guard [MILLSTREAM_SAVEPOINT_CONTINUE, MILLSTREAM_SAVEPOINT_STOP, MILLSTREAM_SAVEPOINT_DRAIN].contains(mode) else {
            throw MillstreamError(.invalidArgument, "mode \(mode.rawValue) is no millstream_savepoint_mode")
        }
        let target = try readOptionalText(directory, "directory").map { (text) throws(MillstreamError) in
            try directoryPath(text) { MillstreamError(.invalidArgument, "the directory of a savepoint is an absolute path, not '\(text)'") }
        }
        result.pointee = try giveText(try box.job.savepoint(into: target, mode))
    }
}

@c @implementation
public func millstream_job_checkpoints_json(
    _ job: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let result = try place(json, "json")
        result.pointee = try giveText(box.job.checkpointsJSON())
    }
}

@c @implementation
public func millstream_job_failures_json(
    _ job: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let result = try place(json, "json")
        result.pointee = try giveText(box.job.failuresJSON())
    }
}

@c @implementation
public func millstream_job_explain_time(
    _ job: OpaquePointer?, _ format: millstream_text_format, _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let result = try place(text, "text")
        switch format {
        case MILLSTREAM_TEXT: result.pointee = try giveText(box.job.timeText())
        case MILLSTREAM_JSON: result.pointee = try giveText(box.job.timeJSON())
        default: throw MillstreamError(.invalidArgument, "format \(format.rawValue) is no millstream_text_format")
        }
    }
}

@c @implementation
public func millstream_job_collect(
    _ job: OpaquePointer?, _ sink: millstream_node, _ milliseconds: Int64, _ row_kinds: Int32, _ timestamps: Int32,
    _ rows: UnsafeMutablePointer<ArrowArray>?, _ schema: UnsafeMutablePointer<ArrowSchema>?, _ state: UnsafeMutablePointer<Int32>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let target = try place(rows, "rows")
        let result = try place(state, "state")
        _ = try box.schema(of: sink)
        switch box.job.collect(NodeID(Int(sink)), milliseconds: try readWait(milliseconds)) {
        case .rows(let batch):
            let options = ArrowExportOptions(includesRowKinds: row_kinds != 0, includesTimestamps: timestamps != 0)
            try batch.exportArrow(into: target, schema: schema, options: options)
            result.pointee = 1
        case .none: result.pointee = 0
        case .end: result.pointee = -1
        }
    }
}

@c @implementation
public func millstream_job_collect_stream(
    _ job: OpaquePointer?, _ sink: millstream_node, _ compatible: Int32, _ out: UnsafeMutablePointer<ArrowArrayStream>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try jobBox(job)
        let target = try place(out, "out")
        let schema = try box.schema(of: sink)
        let node = NodeID(Int(sink))
        let options = ArrowExportOptions(usesViews: compatible == 0)
        exportArrowStream(schema: schema, into: target, options: options) { () throws(MillstreamError) in
            switch box.job.collect(node, milliseconds: nil) {
            case .rows(let batch): return batch
            case .none: return nil
            case .end:
                if let failure = box.job.failure { throw failure }
                return nil
            }
        }
    }
}

@c @implementation
public func millstream_shutdown(_ milliseconds: Int64, _ error: UnsafeMutablePointer<OpaquePointer?>?) -> millstream_status {
    do throws(MillstreamError) {
        try Library.shared.shutDown(milliseconds: try readWait(milliseconds))
        return MILLSTREAM_OK
    } catch let failure {
        return report(failure, into: error)
    }
}
