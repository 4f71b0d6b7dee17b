import CMillstream
import Checkpoint
import Columnar
import Connectors
import Dataflow
import Plan
import Runtime

/// Starts a plan as a job of the process's engine.
func startJob(_ plan: StreamPlan, _ bindings: Bindings, _ output: CallbackTextOutput?, _ clock: ManualClock?) throws(MillstreamError) -> any RunningJob {
    let engine = try Library.shared.engine(workerCount: plan.configuration.workerCount)
    return EngineJob(
        try engine.submit(plan, bindings: bindings, clock: clock, standardOutput: output?.stream(1), standardError: output?.stream(2),
            log: output?.stream(3)))
}

/// A job of the runtime in the header's words.
private final class EngineJob: RunningJob {
    private let job: Job

    init(_ job: Job) { self.job = job }

    var status: millstream_job_status { EngineJob.status(job.status) }
    var failure: MillstreamError? { job.failure }
    func cancel() { job.cancel() }

    func wait(milliseconds: Int64?) -> millstream_job_status {
        EngineJob.status(job.wait(timeoutNanoseconds: milliseconds.map(EngineJob.nanoseconds)))
    }

    func collect(_ sink: NodeID, milliseconds: Int64?) -> Collected {
        guard let queue = job.collected(node: sink.value) else { return .end }
        switch queue.next(timeoutNanoseconds: milliseconds.map(EngineJob.nanoseconds)) {
        case .batch(let batch): return .rows(batch)
        case .nothingYet: return .none
        case .end: return .end
        }
    }

    func metricsJSON() -> String {
        var writer = JSONText()
        writer.raw("{\"name\":")
        writer.string(job.name)
        writer.raw(",\"status\":\"\(EngineJob.name(job.status))\",\"durationMillis\":\(job.durationNanoseconds / 1_000_000),\"operators\":[")
        for (index, snapshot) in job.metrics().enumerated() {
            writer.raw(index == 0 ? "{\"id\":" : ",{\"id\":")
            writer.string(snapshot.operatorID)
            writer.raw(",\"name\":")
            writer.string(snapshot.name)
            writer.raw(",\"subtask\":\(snapshot.subtask),\"isSource\":\(snapshot.isSource),\"isSink\":\(snapshot.isSink)")
            for (name, value) in snapshot.values {
                writer.raw(",")
                writer.string(name)
                writer.raw(":\(value)")
            }
            writer.raw("}")
        }
        writer.raw("]}")
        return writer.text
    }

    func savepoint(into directory: String?, _ mode: millstream_savepoint_mode) throws(MillstreamError) -> String {
        try job.savepoint(into: directory, stops: mode == MILLSTREAM_SAVEPOINT_STOP, drains: mode == MILLSTREAM_SAVEPOINT_DRAIN)
    }

    func state() throws(MillstreamError) -> SavepointReader { try job.state() }

    func checkpointsJSON() -> String {
        var writer = JSONText()
        writer.raw("[")
        for (index, record) in job.checkpoints.enumerated() {
            writer.raw(
                "\(index == 0 ? "" : ","){\"id\":\(record.id.value),\"savepoint\":\(record.isSavepoint),\"triggered\":\(record.triggered.milliseconds),"
                    + "\"millis\":\(record.milliseconds),\"bytes\":\(record.byteCount),\"completed\":\(record.outcome == .completed),"
                    + "\"unaligned\":\(record.isUnaligned),\"inFlightBytes\":\(record.inFlightByteCount),\"failure\":")
            if case .failed(let reason) = record.outcome { writer.string(reason) } else { writer.raw("null") }
            writer.raw(",\"location\":")
            writer.string(record.location)
            writer.raw("}")
        }
        writer.raw("]")
        return writer.text
    }

    func failuresJSON() -> String {
        var writer = JSONText()
        writer.raw("[")
        for (index, failure) in job.failures.enumerated() {
            writer.raw("\(index == 0 ? "" : ","){\"time\":\(failure.time.milliseconds),\"code\":\(failure.error.code.rawValue),\"message\":")
            writer.string(failure.error.message)
            writer.raw(",\"operator\":")
            if let name = failure.error.operatorName { writer.string(name) } else { writer.raw("null") }
            writer.raw("}")
        }
        writer.raw("]")
        return writer.text
    }

    func timeText() -> String { job.explainTime().text }

    func timeJSON() -> String {
        let report = job.explainTime()
        var writer = JSONText()
        func time(_ value: EventTime) -> String { value == .min ? "null" : "\(value.milliseconds)" }
        writer.raw("{\"name\":")
        writer.string(report.jobName)
        writer.raw(",\"status\":\"\(EngineJob.name(report.status))\",\"subtasks\":[")
        for (place, subtask) in report.subtasks.enumerated() {
            writer.raw(place == 0 ? "{\"name\":" : ",{\"name\":")
            writer.string(subtask.name)
            writer.raw(
                ",\"number\":\(subtask.number),\"subtask\":\(subtask.index),\"parallelism\":\(subtask.parallelism),\"isSource\":\(subtask.isSource),"
                    + "\"isIdle\":\(subtask.isIdle),\"quietMillis\":\(subtask.quietMilliseconds.map(String.init) ?? "null"),"
                    + "\"heldBackBy\":\(subtask.heldBackBy.map(String.init) ?? "null"),\"splits\":")
            if let splits = subtask.splits {
                writer.raw("{\"reading\":[")
                for (number, name) in splits.reading.enumerated() {
                    if number > 0 { writer.raw(",") }
                    writer.string(name)
                }
                writer.raw("],\"numFinished\":\(splits.finishedCount),\"mayHaveMore\":\(splits.mayHaveMore)}")
            } else {
                writer.raw("null")
            }
            writer.raw(",\"inputs\":[")
            for (number, input) in subtask.inputs.enumerated() {
                writer.raw(
                    "\(number == 0 ? "" : ","){\"from\":\(input.producer),\"watermark\":\(time(input.watermark)),\"isIdle\":\(input.isIdle),"
                        + "\"hasEnded\":\(input.hasEnded),\"waitingRows\":\(input.waitingRows),\"waitingBytes\":\(input.waitingBytes)}")
            }
            writer.raw("],\"operators\":[")
            for (number, step) in subtask.steps.enumerated() {
                writer.raw(number == 0 ? "{\"id\":" : ",{\"id\":")
                writer.string(step.id)
                writer.raw(",\"name\":")
                writer.string(step.name)
                writer.raw(
                    ",\"inputWatermark\":\(time(step.inputWatermark)),\"outputWatermark\":\(time(step.outputWatermark)),"
                        + "\"waitsFor\":\(step.nextEventTime.map(time) ?? "null"),\"numRecordsIn\":\(step.recordsIn),\"numLateRecords\":\(step.lateRecords),"
                        + "\"numLateRecordsDropped\":\(step.lateRecordsDropped),\"numMalformedRecords\":\(step.malformedRecords),"
                        + "\"numRecordsFailed\":\(step.recordsFailed)}")
            }
            writer.raw("]}")
        }
        writer.raw("]}")
        return writer.text
    }

    private static func nanoseconds(_ milliseconds: Int64) -> Int64 {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max / 4 : min(product, .max / 4)
    }

    private static func status(_ status: JobStatus) -> millstream_job_status {
        switch status {
        case .created: MILLSTREAM_JOB_CREATED
        case .running: MILLSTREAM_JOB_RUNNING
        case .failing: MILLSTREAM_JOB_FAILING
        case .failed: MILLSTREAM_JOB_FAILED
        case .cancelling: MILLSTREAM_JOB_CANCELLING
        case .canceled: MILLSTREAM_JOB_CANCELED
        case .finished: MILLSTREAM_JOB_FINISHED
        case .restarting: MILLSTREAM_JOB_RESTARTING
        }
    }

    /// Flink's names.
    private static func name(_ status: JobStatus) -> String {
        switch status {
        case .created: "CREATED"
        case .running: "RUNNING"
        case .failing: "FAILING"
        case .failed: "FAILED"
        case .cancelling: "CANCELLING"
        case .canceled: "CANCELED"
        case .finished: "FINISHED"
        case .restarting: "RESTARTING"
        }
    }
}
