import Columnar
import Dataflow

/// One subtask's instance of a host function: opened before its first batch, closed once, its errors placed in the operator's input.
struct HostCaller {
    let function: any HostFunction
    private var isOpen = false
    private var stop: StopFlag?
    /// Rows handed to the function before the current request, of the same logical input.
    var rowsBefore: Int64 = 0

    /// `definition` is the function of the plan; the subtask gets its own instance.
    init(_ definition: any HostFunction) throws(MillstreamError) { function = try definition.instance() }

    /// `state`: for functions that have operator states, which may be used before the first batch. `notifier`: for asynchronous ones.
    mutating func open(
        _ context: OperatorContext, state: (any HostStateAccess)? = nil, notifier: HostNotifier? = nil
    ) throws(MillstreamError) {
        isOpen = true
        var request = HostRequest(.open)
        request.state = state
        request.notifier = notifier
        request.stop = context.stop
        stop = context.stop
        request.integers = [Int64(context.subtask.value), Int64(context.parallelism), Int64(context.maxParallelism)]
        if let restored = context.restored { request.integers.append(restored.checkpoint.value) }
        _ = try function.call(request)
    }

    /// Has the function put its operator state together for a checkpoint.
    func prepareSnapshot(_ checkpoint: CheckpointBarrier, state: any HostStateAccess) throws(MillstreamError) {
        var request = HostRequest(.snapshot)
        request.state = state
        request.integers = [checkpoint.id.value, checkpoint.triggered.milliseconds]
        _ = try call(request)
    }

    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        let response = try callKeepingRows(request)
        if let failure = response.failure { throw failure }
        return response
    }

    /// Like `call`, for operators that emit the rows of the records before a failing one: they throw the response's failure themselves, behind the rows.
    func callKeepingRows(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        // An operator that calls many times for one event need not look itself whether anybody still wants to know.
        try stop?.check()
        do {
            var response = try function.call(request)
            response.failure = response.failure?.shifted(by: rowsBefore)
            return response
        } catch { throw error.shifted(by: rowsBefore) }
    }

    mutating func close() throws(MillstreamError) {
        guard isOpen else { return }
        isOpen = false
        try function.close()
    }
}
