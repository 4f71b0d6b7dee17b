import Columnar
import Dataflow
import Glibc
import Synchronization

/// A TCP connection with a thread that receives. `take` never waits.
final class SocketConnection: Sendable {
    enum Received {
        case nothing
        case bytes([UInt8])
        case end
        case failure(MillstreamError)
    }

    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var failure: MillstreamError?
        var isStopped = false
    }

    private let host: String
    private let port: Int
    private let maxRetries: Int
    private let notify: @Sendable () -> Void
    private let state = Guarded(State())

    init(host: String, port: Int, maxRetries: Int, notify: @escaping @Sendable () -> Void) {
        self.host = host
        self.port = port
        self.maxRetries = maxRetries
        self.notify = notify
    }

    /// Starts the thread, which ends by itself after `stop`.
    func start() throws(MillstreamError) {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { box in
                guard let box else { return nil }
                Unmanaged<SocketConnection>.fromOpaque(box).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        guard status == 0 else {
            box.release()
            throw MillstreamError(.io, "no thread for a socket: \(systemErrorText(status))", domain: .external)
        }
        pthread_detach(thread)
    }

    func stop() { state.withLock { $0.isStopped = true } }

    /// What has come since the last call.
    func take() -> Received {
        state.withLock { state in
            if !state.bytes.isEmpty {
                defer { state.bytes = [] }
                return .bytes(state.bytes)
            }
            if let failure = state.failure { return .failure(failure) }
            return state.isEnded ? .end : .nothing
        }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    /// How long one wait may take before the thread looks whether it was stopped.
    private static let pollMilliseconds: Int32 = 100

    private func run() {
        var retries = 0
        while !isStopped {
            switch connect() {
            case .success(let descriptor):
                let number = receive(descriptor)
                close(descriptor)
                guard let number else { return finish(nil) }
                if !mayRetry(&retries) { return finish(failure("lost the connection to", number)) }
            case .failure(let error):
                if !mayRetry(&retries) { return finish(error) }
            }
        }
    }

    private func mayRetry(_ retries: inout Int) -> Bool {
        guard maxRetries == -1 || retries < maxRetries, !isStopped else { return false }
        retries += 1
        var waited: Int32 = 0
        while waited < SocketTextSource.retryMilliseconds, !isStopped {
            usleep(UInt32(SocketConnection.pollMilliseconds) * 1_000)
            waited += SocketConnection.pollMilliseconds
        }
        return true
    }

    private func finish(_ error: MillstreamError?) {
        state.withLock { state in
            state.isEnded = true
            state.failure = error
        }
        notify()
    }

    private func failure(_ action: String, _ number: Int32) -> MillstreamError {
        MillstreamError(.io, "\(action) \(host):\(port): \(systemErrorText(number))", domain: .external, isRetryable: true)
    }

    private func connect() -> Result<Int32, MillstreamError> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            let reason = String(cString: gai_strerror(status))
            return .failure(MillstreamError(.io, "cannot find the host '\(host)': \(reason)", domain: .external, isRetryable: true))
        }
        defer { freeaddrinfo(list) }
        var number = ECONNREFUSED
        var address = list
        while let current = address {
            address = current.pointee.ai_next
            let descriptor = socket(
                current.pointee.ai_family, current.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), current.pointee.ai_protocol)
            guard descriptor >= 0 else {
                number = errno
                continue
            }
            if Glibc.connect(descriptor, current.pointee.ai_addr, current.pointee.ai_addrlen) == 0 { return .success(descriptor) }
            number = errno
            close(descriptor)
        }
        return .failure(failure("cannot connect to", number))
    }

    /// Receives until the other side closes (nil), an error (its number), or `stop` (nil).
    private func receive(_ descriptor: Int32) -> Int32? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !isStopped {
            let isFull = state.withLock { $0.bytes.count >= SocketTextSource.pendingByteCountMax }
            if isFull {
                usleep(1_000)
                continue
            }
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, SocketConnection.pollMilliseconds) > 0 else { continue }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return nil }
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                return errno
            }
            state.withLock { $0.bytes += buffer[..<count] }
            notify()
        }
        return nil
    }
}
