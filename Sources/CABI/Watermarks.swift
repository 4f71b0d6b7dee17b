import CMillstream
import Columnar
import Plan

/// A watermark strategy as the program gave it, before it is bound to a node.
struct WatermarkRequest {
    let column: Int?
    let timestamps: FunctionDefinition?
    let outOfOrderness: Int64?
    let generator: FunctionDefinition?
    let idleTimeout: Int64?
    let maxFutureDrift: WatermarkDescription.MaxFutureDrift?
    let alignment: WatermarkDescription.Alignment?

    /// nil for NULL.
    static func read(_ pointer: UnsafePointer<millstream_watermarks>?) throws(MillstreamError) -> WatermarkRequest? {
        guard let pointer else { return nil }
        return try WatermarkRequest(try readStruct(pointer))
    }

    init(_ watermarks: millstream_watermarks) throws(MillstreamError) {
        timestamps = watermarks.timestamps == nil ? nil : try functionDefinition(watermarks.timestamps)
        generator = watermarks.generator == nil ? nil : try functionDefinition(watermarks.generator)
        guard watermarks.timestamp_column >= -1, watermarks.out_of_orderness >= -1, watermarks.idle_timeout >= -1 else {
            throw MillstreamError(
                .configuration, "timestamp_column, out_of_orderness and idle_timeout of the millstream_watermarks are -1 or not negative",
                hint: "They are \(watermarks.timestamp_column), \(watermarks.out_of_orderness) and \(watermarks.idle_timeout).")
        }
        guard watermarks.idle_timeout != 0 else {
            throw MillstreamError(.configuration, "an idle_timeout of 0 milliseconds makes every stream idle at once", hint: "Give -1 for never.")
        }
        if timestamps != nil, watermarks.timestamp_column >= 0 {
            throw MillstreamError(.configuration, "timestamps come from a column or from a function, not from both")
        }
        if generator != nil, watermarks.out_of_orderness >= 0 {
            throw MillstreamError(.configuration, "watermarks come from out_of_orderness or from a generator, not from both")
        }
        guard watermarks.max_future_drift >= 0 else {
            throw MillstreamError(
                .configuration, "max_future_drift is \(watermarks.max_future_drift) milliseconds; it is never negative", hint: "Give 0 for no bound.")
        }
        if watermarks.future_output != nil, watermarks.max_future_drift == 0 {
            throw MillstreamError(.configuration, "there is a future_output, but no max_future_drift beyond which rows go there")
        }
        let futureOutput = watermarks.future_output == nil ? nil : try readName(watermarks.future_output, "future_output")
        maxFutureDrift = watermarks.max_future_drift == 0
            ? nil : WatermarkDescription.MaxFutureDrift(milliseconds: watermarks.max_future_drift, sideOutput: futureOutput)
        guard watermarks.alignment_drift >= 0 else {
            throw MillstreamError(.configuration, "alignment_drift is \(watermarks.alignment_drift) milliseconds; it is never negative")
        }
        alignment = watermarks.alignment_group == nil
            ? nil
            : WatermarkDescription.Alignment(
                group: try readName(watermarks.alignment_group, "alignment_group"), milliseconds: watermarks.alignment_drift)
        column = watermarks.timestamp_column < 0 ? nil : Int(watermarks.timestamp_column)
        outOfOrderness = watermarks.out_of_orderness < 0 ? nil : watermarks.out_of_orderness
        idleTimeout = watermarks.idle_timeout < 0 ? nil : watermarks.idle_timeout
    }

    /// The strategy over rows of `schema`. Throws `plan` where the column holds no time.
    func bind(_ schema: Schema, _ editor: inout EnvironmentEditor) throws(MillstreamError) -> WatermarkDescription {
        var description = WatermarkDescription(idleTimeoutMilliseconds: idleTimeout, maxFutureDrift: maxFutureDrift, alignment: alignment)
        if let column {
            try requireTime(column, schema)
            description.timestamps = .column(column)
        }
        if let timestamps { description.timestamps = .host(editor.bind(timestamps)) }
        if let outOfOrderness { description.generator = .boundedOutOfOrderness(milliseconds: outOfOrderness) }
        if let generator { description.generator = .host(editor.bind(generator)) }
        return description
    }

    /// The side output for rows that are too far ahead, over rows of `schema`.
    func sideOutputs(_ schema: Schema) -> [SideOutput] {
        maxFutureDrift?.sideOutput.map { [SideOutput(name: $0, schema: schema)] } ?? []
    }

    private func requireTime(_ column: Int, _ schema: Schema) throws(MillstreamError) {
        guard column < schema.fields.count else {
            throw MillstreamError(.plan, "timestamp_column \(column) does not exist; the stream has \(schema.fields.count) columns: \(schema)")
        }
        switch schema.fields[column].type.kind {
        case .bigInt, .timestamp, .timestampLTZ: return
        default:
            throw MillstreamError(
                .plan, "column '\(schema.fields[column].name)' of type \(schema.fields[column].type) holds no event time",
                hint: "BIGINT milliseconds, TIMESTAMP and TIMESTAMP_LTZ do.")
        }
    }
}
