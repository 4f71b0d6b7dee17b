import Columnar
import Dataflow
import Plan

/// Makes the sink that a description names.
public enum SinkFactory {
    /// `input` is the schema of the rows that the sink takes. Throws `configuration` for values that are refused, `plan` for a binding that is missing.
    public static func make(
        _ description: SinkDescription, input: Schema, environment: ConnectorEnvironment
    ) throws(MillstreamError) -> any Sink {
        switch description.kind {
        case .print(let prefix, let standardError):
            let output = standardError ? environment.standardError : environment.standardOutput
            return PrintSink(prefix: prefix, schema: input, output: output)
        case .printTable(let prefix, let standardError):
            let output = standardError ? environment.standardError : environment.standardOutput
            return PrintSink(prefix: prefix, schema: input, output: output, isTable: true)
        case .files(let files):
            return try FileSink(files, schema: input, environment: environment, commitsAtCheckpoints: environment.commitsAtCheckpoints)
        case .collect:
            guard let target = environment.collectTarget else {
                throw MillstreamError(.plan, "a collecting sink needs a place for its rows, and this job has none")
            }
            return CollectSink(target)
        case .blackhole:
            return BlackholeSink()
        case .host(let binding):
            return HostSink(try environment.bindings.function(binding.value), schema: input)
        case .custom(let binding):
            return try environment.bindings.sink(binding.value)
        }
    }
}
