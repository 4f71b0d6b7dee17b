import CMillstream
import Columnar
import Dataflow

/// Where an environment's printing goes instead of the process's own streams.
final class CallbackTextOutput: @unchecked Sendable {
    private let write: millstream_text_output
    private let context: UnsafeMutableRawPointer?
    /// What responses of the callback belong to.
    private let definition: FunctionDefinition

    init(write: @escaping millstream_text_output, context: UnsafeMutableRawPointer?) throws(MillstreamError) {
        self.write = write
        self.context = context
        var options = millstream_function_options()
        options.name = StaticText.textOutput
        options.call = { _, _ in 0 }
        definition = try FunctionDefinition(options)
    }

    /// The callback as the output of one stream: 1 standard output, 2 standard error, 3 what the engine tells of a job.
    func stream(_ number: Int32) -> any TextOutput { Stream(output: self, number: number) }

    /// One call of the callback. Several threads may print at once, so that each call has a response of its own: a write is a whole batch's lines.
    private func write(_ number: Int32, _ text: UnsafePointer<CChar>, _ count: Int) throws(MillstreamError) {
        let call = HostCall(definition: definition, site: FunctionSite(input: Schema([])))
        call.begin(HostRequest(.write))
        let slot = try CallTable.shared.add()
        defer { CallTable.shared.remove(slot) }
        let status = write(context, number, text, count, CallTable.shared.begin(slot, call).response)
        CallTable.shared.end(slot)
        if let failure = call.failure { throw failure }
        guard status == 0 else {
            throw MillstreamError(.io, "the program's text output returned \(status) without saying what failed", domain: .external)
        }
    }

    private final class Stream: TextOutput {
        private let output: CallbackTextOutput
        private let number: Int32

        init(output: CallbackTextOutput, number: Int32) {
            self.output = output
            self.number = number
        }

        func write(_ text: UnsafeRawBufferPointer) throws(MillstreamError) {
            guard let base = text.baseAddress, text.count > 0 else { return }
            try output.write(number, base.assumingMemoryBound(to: CChar.self), text.count)
        }
    }
}
