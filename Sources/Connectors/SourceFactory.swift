import Columnar
import Dataflow
import Plan

/// Makes the source that a description names.
public enum SourceFactory {
    /// Whether the source that a description names will end. Throws `plan` for a binding that is missing.
    public static func isBounded(_ description: SourceDescription, bindings: Bindings) throws(MillstreamError) -> Bool {
        switch description.kind {
        case .sequence, .arrow: true
        case .generator(let generator): generator.count != nil
        case .files(let files): files.monitorMilliseconds == nil
        case .datagen(let datagen): DatagenSource.count(datagen) != nil
        case .nexmark(let nexmark): nexmark.count != nil
        case .values: true
        case .socketText: false
        case .host(_, let isBounded): isBounded
        case .custom(let binding): try bindings.source(binding.value).boundedness == .bounded
        }
    }

    /// `schema` is what the source emits. Throws `configuration` for values that are refused, `plan` for a binding that is missing.
    public static func make(
        _ description: SourceDescription, schema: Schema, environment: ConnectorEnvironment
    ) throws(MillstreamError) -> any Source {
        switch description.kind {
        case .sequence(let first, let last):
            return try SequenceSource(first: first, last: last, schema: schema)
        case .generator(let generator):
            guard let makeRowGenerator = environment.makeRowGenerator else {
                throw MillstreamError(.unsupported, "this program evaluates no generator expressions")
            }
            return try GeneratorSource(generator, rows: try makeRowGenerator(generator, schema), schema: schema)
        case .files(let files):
            return try FileSource(files, schema: schema, clock: environment.clock)
        case .datagen(let datagen):
            return try DatagenSource.make(datagen, schema: schema)
        case .nexmark(let nexmark):
            return try NexmarkSource.make(nexmark, schema: schema)
        case .values(let values):
            return try ValuesSource(values, schema: schema)
        case .socketText(let host, let port, let delimiter, let maxRetries):
            return try SocketTextSource(host: host, port: port, delimiter: delimiter, maxRetries: maxRetries, schema: schema)
        case .arrow(let binding):
            return BatchStreamSource(try environment.bindings.stream(binding.value), schema: schema)
        case .host(let binding, let isBounded):
            return HostSource(try environment.bindings.function(binding.value), isBounded: isBounded, schema: schema)
        case .custom(let binding):
            return try environment.bindings.source(binding.value)
        }
    }
}
