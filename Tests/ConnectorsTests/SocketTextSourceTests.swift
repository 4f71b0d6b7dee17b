import Columnar
import Connectors
import Dataflow
import Glibc
import Testing

/// A server on a free port of this machine.
final class TestServer {
    let descriptor: Int32
    let port: Int

    init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        descriptor = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length)
                listen(listener, 4)
                getsockname(listener, generic, &length)
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
    }

    deinit { close(descriptor) }
    func accept() -> Int32 { Glibc.accept(descriptor, nil, nil) }
}

@Suite struct SocketTextSourceTests {
    func source(_ port: Int, retries: Int = 0) throws(MillstreamError) -> SocketTextSource {
        try SocketTextSource(host: "127.0.0.1", port: port, delimiter: 0x0A, maxRetries: retries, schema: .scalar(.string))
    }

    func send(_ client: Int32, _ text: String) { _ = Array(text.utf8).withUnsafeBytes { Glibc.send(client, $0.baseAddress, $0.count, 0) } }

    /// Polls until something other than waiting comes, at most five seconds.
    func next(_ driver: SourceDriver) throws(MillstreamError) -> SourceDriver.Step {
        for _ in 0..<5_000 {
            let step = try driver.step()
            switch step {
            case .wait: usleep(1_000)
            case .other: continue
            default: return step
            }
        }
        throw .internal("nothing came")
    }

    @Test func linesUntilTheServerCloses() throws {
        let server = TestServer()
        let driver = try SourceDriver(source(server.port))
        _ = try driver.step()
        let client = server.accept()
        send(client, "one\r\ntwo\nthr")
        var rows: [[String]] = []
        while rows.count < 2 { if case .batch(let batch, _) = try next(driver) { rows += [batch].rows } }
        #expect(driver.notifications.value > 0)
        send(client, "ee\nlast")
        close(client)
        loop: while true {
            switch try next(driver) {
            case .batch(let batch, _): rows += [batch].rows
            case .end: break loop
            default: break
            }
        }
        #expect(rows == [["one"], ["two"], ["three"], ["last"]])
    }

    @Test func aServerThatIsNotThereIsAnErrorAfterTheRetries() throws {
        let port: Int
        do { port = TestServer().port }
        let driver = try SourceDriver(source(port, retries: 1))
        #expect { while case .wait = try next(driver) {} } throws: { "\($0)".contains("cannot connect to 127.0.0.1:\(port): Connection refused") }
        try driver.readers[0].close()
        #expect(throws: MillstreamError.self) { try source(0) }
        #expect(throws: MillstreamError.self) { try source(70_000) }
    }
}
