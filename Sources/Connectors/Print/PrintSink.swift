import Columnar
import Dataflow

/// Prints each row on a line, as Flink's PrintSink: `prefix:2> ` before it where there are several subtasks, `prefix> ` where there is one.
///
/// A batch is one write, so that lines of different subtasks never mix.
public final class PrintSink: Sink {
    private let prefix: String?
    private let schema: Schema
    private let output: any TextOutput
    private let style: TextStyle

    /// `isTable`: rows as Flink's SQL prints them, whatever the schema's shape; otherwise as a DataStream does.
    public init(prefix: String?, schema: Schema, output: any TextOutput, isTable: Bool = false) {
        self.prefix = prefix
        style = isTable ? .table : .java
        self.schema = schema
        self.output = output
    }

    public func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
        PrintWriter(linePrefix: linePrefix(context), rows: RowText(schema, style: style), output: output)
    }

    public func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }

    private func linePrefix(_ context: OperatorContext) -> String {
        let name = prefix.flatMap { $0.isEmpty ? nil : $0 }
        guard context.parallelism > 1 else { return name.map { $0 + "> " } ?? "" }
        return (name.map { $0 + ":" } ?? "") + "\(context.subtask.value + 1)> "
    }
}

private final class PrintWriter: SinkWriter {
    private let linePrefix: [UInt8]
    private let rows: RowText
    private let output: any TextOutput
    private let text = TextBuffer()

    init(linePrefix: String, rows: RowText, output: any TextOutput) {
        self.linePrefix = Array(linePrefix.utf8)
        self.output = output
        self.rows = rows
    }

    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
        text.clear()
        try batch.forEachRow { index throws(MillstreamError) in
            linePrefix.withUnsafeBytes { text.append($0) }
            try rows.write(batch, index, to: text)
            text.append(UInt8(ascii: "\n"))
        }
        if text.count > 0 { try output.write(text.bytes) }
        return true
    }

    func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] { [] }
    func close() {}
}
