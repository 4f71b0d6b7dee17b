import CMillstream
import Columnar
import Dataflow

/// Where an environment's printing goes instead of the process's own streams.
final class CallbackTextOutput: @unchecked Sendable {
    private let write: millstream_text_output
    private let context: UnsafeMutableRawPointer?

    init(write: @escaping millstream_text_output, context: UnsafeMutableRawPointer?) {
        self.write = write
        self.context = context
    }

    /// The callback as the output of one stream: 1 standard output, 2 standard error.
    func stream(_ number: Int32) -> any TextOutput { Stream(output: self, number: number) }

    private final class Stream: TextOutput {
        private let output: CallbackTextOutput
        private let number: Int32

        init(output: CallbackTextOutput, number: Int32) {
            self.output = output
            self.number = number
        }

        func write(_ text: UnsafeRawBufferPointer) throws(MillstreamError) {
            guard let base = text.baseAddress, text.count > 0 else { return }
            let status = output.write(output.context, number, base.assumingMemoryBound(to: CChar.self), text.count)
            guard status == 0 else {
                throw MillstreamError(.io, "the program's text output failed with \(status)", domain: .external)
            }
        }
    }
}
