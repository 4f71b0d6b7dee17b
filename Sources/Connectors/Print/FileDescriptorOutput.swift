import Columnar
import Dataflow
import Glibc
import Synchronization

/// Writes text to a file descriptor of the process: 1 is standard output, 2 standard error.
public final class FileDescriptorOutput: TextOutput {
    private let descriptor: Int32
    /// One whole text at a time: subtasks share the descriptor.
    private let turn = Guarded<Void>(())

    public init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Returns when all bytes are written. Throws `io` if the other end is gone.
    public func write(_ text: UnsafeRawBufferPointer) throws(MillstreamError) {
        let failure = turn.withLock { _ in writeAll(text) }
        if failure != 0 {
            throw MillstreamError(.io, "cannot print to file descriptor \(descriptor): \(systemErrorText(failure))", domain: .external)
        }
    }

    private func writeAll(_ text: UnsafeRawBufferPointer) -> Int32 {
        guard let base = text.baseAddress else { return 0 }
        var done = 0
        while done < text.count {
            let written = Glibc.write(descriptor, base + done, text.count - done)
            if written >= 0 {
                done += written
            } else if errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, 1_000)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
