import Columnar
import Dataflow

/// Asks a host function for the channel of each row's key; one crossing per batch. Failures name the function: it is an operator of its own to its user.
public final class HostPartitioner: Partitioner {
    private let function: any HostFunction
    private let keys: [Int]
    private var splitter = RowSplitter()
    private var rowsBefore: Int64 = 0
    private var isOpen = false
    private let opening: [Int64]
    private let stop: StopFlag

    /// `function` is this subtask's instance.
    public init(function: any HostFunction, keys: [Int], subtask: Int, parallelism: Int, maxParallelism: Int, stop: StopFlag = StopFlag()) {
        self.function = function
        self.stop = stop
        self.keys = keys
        opening = [Int64(subtask), Int64(parallelism), Int64(maxParallelism)]
    }

    public func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) {
        do {
            try open()
            // Dense, because the function gets the records too: it shows the one for which it fails.
            let batch = try batch.compacted()
            let numbers = try ask(batch, channelCount: channels.channelCount)
            defer { rowsBefore += Int64(batch.count) }
            try splitter.split(batch, over: channels) { targets in
                let source = numbers.pointer(as: Int32.self)
                for index in 0..<batch.count { targets[index] = UInt16(truncatingIfNeeded: source[index]) }
            }
            withExtendedLifetime(numbers) {}
        } catch {
            throw error.inOperator(function.name)
        }
    }

    public func close() throws(MillstreamError) {
        guard isOpen else { return }
        isOpen = false
        do { try function.close() } catch { throw error.inOperator(function.name) }
    }

    private func open() throws(MillstreamError) {
        guard !isOpen else { return }
        isOpen = true
        var request = HostRequest(.open)
        request.integers = opening
        request.stop = stop
        _ = try function.call(request)
    }

    /// One channel number per row, all in range.
    private func ask(_ batch: Batch, channelCount: Int) throws(MillstreamError) -> Column {
        let rowCount = batch.count
        var request = HostRequest(.partition, count: rowCount, columns: Array(batch.columns.prefix(batch.schema.fields.count)), schema: batch.schema)
        request.integers = [Int64(channelCount)]
        for key in keys {
            guard key >= 0, key < batch.columns.count else { throw MillstreamError.internal("key column \(key) of \(batch.columns.count)") }
            request.keys.append(batch.columns[key])
        }
        let response = try function.call(request)
        guard let column = response.outputs.first?.columns.first, column.count == rowCount, column.type.kind == .int else {
            throw MillstreamError(.userFunction, "the partitioner \(function.name) did not return one INT per record")
        }
        let numbers = column.pointer(as: Int32.self)
        for index in 0..<rowCount where column.isNull(index) || numbers[index] < 0 || Int(numbers[index]) >= channelCount {
            let given = column.isNull(index) ? "null" : String(numbers[index])
            throw MillstreamError(
                .userFunction, "the partitioner gave \(given) for \(channelCount) partitions, whose numbers are 0 to \(channelCount - 1)",
                recordIndex: rowsBefore + Int64(index))
        }
        return column
    }
}
