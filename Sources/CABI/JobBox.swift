import CMillstream
import Checkpoint
import Columnar
import Dataflow
import Plan

/// What the ABI needs of a running job, whoever runs it.
protocol RunningJob: AnyObject, Sendable {
    var status: millstream_job_status { get }
    /// Waits for the end, at most so long (nil: for ever), and gives the status then.
    func wait(milliseconds: Int64?) -> millstream_job_status
    /// Asks the job to stop; does nothing if it has.
    func cancel()
    var failure: MillstreamError? { get }
    func metricsJSON() -> String
    func savepoint(into directory: String?, _ mode: millstream_savepoint_mode) throws(MillstreamError) -> String
    func checkpointsJSON() -> String
    /// All state at one moment.
    func state() throws(MillstreamError) -> SavepointReader
    func failuresJSON() -> String
    /// Why event time stands where it stands: JSON, or lines for a person.
    func timeJSON() -> String
    func timeText() -> String
    /// The next rows of a collecting sink, waiting at most so long (nil: for ever).
    func collect(_ sink: NodeID, milliseconds: Int64?) -> Collected
}

/// The answer of a collecting sink.
enum Collected {
    case rows(Batch)
    /// Nothing in time.
    case none
    /// Nothing any more.
    case end
}

/// What a `millstream_job` holds. Streams of its sinks hold it too; the last one cancels the job and waits for it.
final class JobBox: @unchecked Sendable {
    let job: any RunningJob
    /// The schemas of the collecting sinks, by node.
    let sinks: [NodeID: Schema]

    init(_ job: any RunningJob, plan: StreamPlan) {
        self.job = job
        var sinks: [NodeID: Schema] = [:]
        for node in plan.nodes {
            if case .sink(let sink) = node.operation, case .collect = sink.kind { sinks[node.id] = node.output }
        }
        self.sinks = sinks
    }

    deinit {
        // In a forked child the job's threads are not there: nobody would ever answer.
        guard !Library.shared.isForked else { return }
        job.cancel()
        _ = job.wait(milliseconds: nil)
    }

    /// The schema of a collecting sink. Throws `invalidArgument` for a node that is none.
    func schema(of sink: millstream_node) throws(MillstreamError) -> Schema {
        guard let schema = sinks[NodeID(Int(sink))] else {
            throw MillstreamError(.invalidArgument, "node \(sink) is no collecting sink of this job")
        }
        return schema
    }
}

func jobBox(_ handle: OpaquePointer?) throws(MillstreamError) -> JobBox {
    try HandleTable.shared.find(handle, .job, as: JobBox.self)
}

/// A wait's length: nil for ever. Throws `invalidArgument` below -1.
func readWait(_ milliseconds: Int64) throws(MillstreamError) -> Int64? {
    guard milliseconds >= -1 else { throw MillstreamError(.invalidArgument, "a wait of \(milliseconds) milliseconds; -1 means for ever") }
    return milliseconds < 0 ? nil : milliseconds
}
