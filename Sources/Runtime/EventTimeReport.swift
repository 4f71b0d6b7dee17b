import Columnar
import Connectors
import Dataflow
import Exchange

/// Why event time stands where it stands: what each source and task has as its watermark, who waits for more, and who holds it back.
///
/// A look at counters that the subtasks publish per batch, so that it is taken while they run and never waits for one that does not answer.
public struct EventTimeReport: Sendable {
    /// One channel that a subtask reads.
    public struct Input: Sendable {
        /// The subtask at its other end.
        public var producer: Int
        /// The last watermark that came through; `EventTime.min` before the first.
        public var watermark: EventTime
        public var isIdle: Bool
        public var hasEnded: Bool
        public var waitingRows: Int64
        public var waitingBytes: Int
    }

    /// What a source's subtask reads. A reader reads one split after the other, so that the subtask's watermark is that of the split at hand.
    public struct Splits: Equatable, Sendable {
        /// The names of those at hand: a file or a range of one, a range of numbers. Some sources have one split for all that they read.
        public var reading: [String] = []
        public var finishedCount = 0
        /// Whether there may be others that no subtask has begun.
        public var mayHaveMore = true
    }

    /// One operator of a subtask.
    public struct Step: Sendable {
        public var id: String
        public var name: String
        public var inputWatermark: EventTime
        public var outputWatermark: EventTime
        /// What the operator waits for; nil: nothing.
        public var nextEventTime: EventTime?
        public var recordsIn: Int64
        public var lateRecords: Int64
        public var lateRecordsDropped: Int64
        public var malformedRecords: Int64
        public var recordsFailed: Int64
    }

    public struct Subtask: Sendable {
        public var number: Int
        /// The operators' names, joined.
        public var name: String
        /// Which of the task's parallel instances, from 0.
        public var index: Int
        public var parallelism: Int
        public var isSource: Bool
        public var isIdle: Bool
        /// How long ago rows came last; nil: none came yet.
        public var quietMilliseconds: Int64?
        /// nil: no source.
        public var splits: Splits?
        public var inputs: [Input]
        public var steps: [Step]
        /// The subtask that holds event time back here: the source, or whoever comes nearest to it; nil where nobody does.
        public var heldBackBy: Int?

        /// The watermark behind the last operator that passes one on.
        public var outputWatermark: EventTime { steps.last?.outputWatermark ?? .min }
        /// The earliest time that an operator waits for, and its place.
        public var waiting: (step: Int, time: EventTime)? {
            var found: (step: Int, time: EventTime)?
            for (place, step) in steps.enumerated() {
                if let time = step.nextEventTime, time < found?.time ?? .max { found = (place, time) }
            }
            return found
        }
    }

    public var jobName: String
    public var status: JobStatus
    /// In the order of the plan.
    public var subtasks: [Subtask]

    init(jobName: String, status: JobStatus, subtasks: [Subtask]) {
        self.jobName = jobName
        self.status = status
        self.subtasks = subtasks
        for index in subtasks.indices { self.subtasks[index].heldBackBy = culprit(of: index) }
    }

    /// Follows the least watermark upstream until a source, or until nobody is behind.
    private func culprit(of start: Int) -> Int? {
        guard !subtasks[start].isSource else { return nil }
        var place = start
        // A graph has no cycles; the bound is for one that is being read while it changes.
        for _ in subtasks.indices {
            let active = subtasks[place].inputs.filter { !$0.isIdle && !($0.hasEnded && $0.watermark == .max) }
            guard let least = active.min(by: { $0.watermark < $1.watermark }), let next = index(least.producer) else { break }
            place = next
            if subtasks[place].isSource { break }
        }
        return place == start ? nil : subtasks[place].number
    }

    /// The place of a subtask; they are numbered as they stand.
    private func index(_ number: Int) -> Int? {
        subtasks.indices.contains(number) && subtasks[number].number == number ? number : nil
    }

    // MARK: Text

    /// Some lines for a person.
    public var text: String {
        var lines = ["event time of '\(jobName)' (\(status)):"]
        for subtask in subtasks { lines += describe(subtask) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line about a subtask that waits.
    func warning(about number: Int, after milliseconds: Int64) -> String? {
        guard let place = index(number), let waiting = subtasks[place].waiting else { return nil }
        let subtask = subtasks[place]
        let step = subtask.steps[waiting.step]
        return "event time has not advanced for \(Self.duration(milliseconds)): \(label(subtask, step.name)) waits for \(Self.text(waiting.time)), its watermark is "
            + "\(Self.text(step.inputWatermark)); \(reason(subtask))"
    }

    private func describe(_ subtask: Subtask) -> [String] {
        var lines: [String] = []
        if subtask.isSource {
            var line = "  source \(label(subtask)): watermark \(Self.text(subtask.outputWatermark))"
            line += subtask.isIdle ? ", idle" : ""
            line += subtask.quietMilliseconds.map { ", last rows \(Self.duration($0)) ago" } ?? ", no rows yet"
            lines.append(line)
            if let splits = subtask.splits { lines.append("    " + Self.text(splits)) }
        } else {
            let waitingRows = subtask.inputs.reduce(0) { $0 + $1.waitingRows }
            lines.append(
                "  \(label(subtask)): watermark \(Self.text(subtask.steps.first?.inputWatermark ?? .min))"
                    + (waitingRows > 0 ? ", \(waitingRows) rows wait before it" : "") + (subtask.isIdle ? ", idle" : ""))
        }
        for step in subtask.steps {
            if let time = step.nextEventTime {
                lines.append("    \(step.name) waits for \(Self.text(time)): \(step.inputWatermark >= time ? "it is due" : reason(subtask))")
            }
            if step.lateRecords > 0 { lines.append("    \(step.name): \(step.lateRecords) late rows, of which \(step.lateRecordsDropped) were dropped") }
            if step.malformedRecords > 0 {
                let fate = step.recordsFailed > 0 ? "went to its dead letters" : "were skipped"
                lines.append("    \(step.name): \(step.malformedRecords) rows could not be decoded and \(fate)")
            } else if step.recordsFailed > 0 {
                lines.append("    \(step.name): \(step.recordsFailed) records failed and went to its dead letters")
            }
        }
        return lines
    }

    /// Who holds event time back, and what can be done about it.
    private func reason(_ subtask: Subtask) -> String {
        if subtask.inputs.contains(where: { !$0.isIdle && !$0.hasEnded }) || subtask.isSource {
            let holder = subtask.heldBackBy.flatMap { index($0) }.map { subtasks[$0] } ?? subtask
            return "\(holder.number == subtask.number ? "the source itself" : "held back by \(label(holder))"), \(remedy(holder))"
        }
        return subtask.inputs.allSatisfy(\.hasEnded) ? "the inputs have ended" : "all inputs are idle"
    }

    private func remedy(_ holder: Subtask) -> String {
        let quiet = holder.quietMilliseconds
        if holder.outputWatermark == .min {
            if quiet == nil { return "which has given no rows yet (with_idleness lets the others go on without it)" }
            return "which makes no watermarks (give it a WatermarkStrategy with timestamps)"
        }
        if let quiet, quiet > 1_000 {
            return "whose last watermark is \(Self.text(holder.outputWatermark)) and which has given no rows for \(Self.duration(quiet)) "
                + "(with_idleness lets the others go on without it)"
        }
        return "whose last watermark is \(Self.text(holder.outputWatermark))"
    }

    private func label(_ subtask: Subtask, _ name: String? = nil) -> String {
        "'\(name ?? (subtask.isSource ? subtask.steps.first?.name : nil) ?? subtask.name)'" + (subtask.parallelism > 1 ? " \(subtask.index + 1)/\(subtask.parallelism)" : "")
    }

    /// The splits of one subtask for a person: at most three by name.
    static func text(_ splits: Splits) -> String {
        let names = splits.reading.prefix(3).map { "'\($0)'" }.joined(separator: ", ") + (splits.reading.count > 3 ? ", …" : "")
        let finished = "\(splits.finishedCount) split\(splits.finishedCount == 1 ? "" : "s") finished"
        if !splits.reading.isEmpty { return "reads \(names); \(finished)" }
        return splits.mayHaveMore ? "waits for a split; \(finished)" : "has no more splits; \(finished)"
    }

    /// A point in event time for a person.
    static func text(_ time: EventTime) -> String {
        if time == .min { return "none yet" }
        if time == .max { return "the end" }
        return timestampText(milliseconds: time.milliseconds)
    }

    static func duration(_ milliseconds: Int64) -> String {
        let tenths = milliseconds / 100
        return milliseconds < 1_000 ? "\(milliseconds) ms" : milliseconds < 120_000 ? "\(tenths / 10).\(tenths % 10) s" : "\(milliseconds / 60_000) min"
    }
}

/// What a report is made of: the counters of one subtask, and of the channels that it reads.
struct SubtaskProgress: Sendable {
    var number: Int
    var name: String
    var index: Int
    var parallelism: Int
    var isSource: Bool
    /// nil: no source.
    var splits: SplitProgress?
    var steps: [(id: String, name: String, metrics: OperatorMetrics)]
    var inputs: [(producer: Int, channel: Channel)]

    func read(now: Int64) -> EventTimeReport.Subtask {
        let last = steps.first?.metrics.lastRecordNanoseconds.value ?? .min
        return EventTimeReport.Subtask(
            number: number, name: name, index: index, parallelism: parallelism, isSource: isSource, isIdle: steps.last?.metrics.isIdle.value == 1,
            quietMilliseconds: last == .min ? nil : max(0, now &- last) / 1_000_000, splits: splits?.read(),
            inputs: inputs.map { producer, channel in
                EventTimeReport.Input(
                    producer: producer, watermark: EventTime(milliseconds: channel.progress.watermark.value), isIdle: channel.progress.isIdle.value == 1,
                    hasEnded: channel.progress.hasEnded.value == 1, waitingRows: channel.progress.waitingRows.value,
                    waitingBytes: channel.queuedByteCount)
            },
            steps: steps.map { id, name, metrics in
                let next = metrics.nextEventTime.value
                return EventTimeReport.Step(
                    id: id, name: name, inputWatermark: EventTime(milliseconds: metrics.currentInputWatermark.value),
                    outputWatermark: EventTime(milliseconds: metrics.currentOutputWatermark.value),
                    nextEventTime: next == .max ? nil : EventTime(milliseconds: next), recordsIn: metrics.recordsIn.value,
                    lateRecords: metrics.lateRecords.value, lateRecordsDropped: metrics.lateRecordsDropped.value,
                    malformedRecords: metrics.malformedRecords.value, recordsFailed: metrics.recordsFailed.value)
            })
    }
}
