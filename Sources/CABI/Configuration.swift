import Columnar
import Plan

/// The options of a job, by Flink's keys and Millstream's own.
extension JobConfiguration {
    static let parallelismMax: Int64 = 32_768
    /// More rows than this in one batch cost memory and win nothing.
    static let batchRowCountMax: Int64 = 1 << 20
    static let workerCountMax: Int64 = 1_024

    static let optionKeys = [
        "parallelism.default", "pipeline.max-parallelism", "execution.buffer-timeout.interval", "execution.runtime-mode",
        "pipeline.operator-chaining.enabled", "pipeline.auto-watermark-interval", "millstream.workers", "millstream.batch.rows", "millstream.exchange.memory", "millstream.seed",
        "millstream.event-time.stall-warning",
    ] + CheckpointConfiguration.optionKeys + RestartConfiguration.optionKeys + StateBackendConfiguration.optionKeys

    /// Throws `configuration` for an unknown key and for a value of the wrong form; then nothing changes.
    mutating func set(_ option: Option) throws(MillstreamError) {
        switch option.key {
        case "parallelism.default": parallelism = Int(try option.integer(1...JobConfiguration.parallelismMax))
        case "pipeline.max-parallelism": maxParallelism = Int(try option.integer(1...JobConfiguration.parallelismMax))
        case "execution.buffer-timeout.interval": bufferTimeoutMilliseconds = try option.milliseconds()
        case "execution.runtime-mode": mode = try runtimeMode(option)
        case "pipeline.operator-chaining.enabled": isChainingEnabled = try option.boolean()
        case "pipeline.auto-watermark-interval": watermarkIntervalMilliseconds = try option.milliseconds()
        case "millstream.workers": workerCount = Int(try option.integer(1...JobConfiguration.workerCountMax))
        case "millstream.batch.rows": batchRowCountLimit = Int(try option.integer(1...JobConfiguration.batchRowCountMax))
        case "millstream.exchange.memory": exchangeByteCount = try exchangeMemory(option)
        case "millstream.seed": seed = UInt64(bitPattern: try option.integer(.min ... .max))
        case "millstream.event-time.stall-warning": stallWarningMilliseconds = try option.milliseconds()
        case _ where CheckpointConfiguration.optionKeys.contains(option.key): try checkpoints.set(option)
        case _ where RestartConfiguration.optionKeys.contains(option.key): try restart.set(option)
        case _ where StateBackendConfiguration.optionKeys.contains(option.key): try state.set(option)
        default: throw Option.unknown(option.key, among: JobConfiguration.optionKeys, of: "option")
        }
    }

    private func runtimeMode(_ option: Option) throws(MillstreamError) -> Mode {
        [.streaming, .batch, .automatic][try option.choice(["STREAMING", "BATCH", "AUTOMATIC"])]
    }

    private func exchangeMemory(_ option: Option) throws(MillstreamError) -> Int {
        let byteCount = try option.byteCount()
        guard byteCount >= 1 << 10, byteCount <= 1 << 40 else { throw option.refusal("1 kb to 1 tb") }
        return Int(byteCount)
    }
}
