import Columnar
import Dataflow
import Glibc
import Testing

/// The disk and its twin give the same answers as long as nothing fails.
@Suite struct DiskStorageTests {
    func scenario(_ storage: any Storage, _ root: String) throws -> [String] {
        var log: [String] = []
        func note(_ what: String, _ body: () throws -> Void) {
            do {
                try body()
                log.append("\(what): fine")
            } catch { log.append("\(what): \("\(error)".replacingRoot(root).split(separator: "\n")[0])") }
        }
        try storage.makeDirectories(root + "/a/b")
        let file = try storage.create(root + "/a/b/.x")
        try Array("hello world".utf8).withUnsafeBytes { try file.write($0) }
        try file.sync()
        log.append("\(file.byteCount)")
        file.close()
        try storage.rename(root + "/a/b/.x", to: root + "/a/y")
        log.append(String(decoding: try storage.read(root + "/a/y"), as: UTF8.self))
        let again = try storage.reopen(root + "/a/y", truncatedTo: 5)
        try Array("!".utf8).withUnsafeBytes { try again.write($0) }
        try again.sync()
        again.close()
        log.append(String(decoding: try storage.read(root + "/a/y"), as: UTF8.self))
        log.append("\(try storage.list(root + "/a")) \(storage.exists(root + "/a/y")) \(storage.exists(root + "/a/b/.x"))")
        note("create without directory") { _ = try storage.create(root + "/none/x") }
        note("create over a directory") { _ = try storage.create(root + "/a/b") }
        note("rename nothing") { try storage.rename(root + "/nothing", to: root + "/a/z") }
        note("read nothing") { _ = try storage.read(root + "/nothing") }
        note("directory over a file") { try storage.makeDirectories(root + "/a/y") }
        note("remove") { try storage.remove(root + "/a/y") }
        note("remove again") { try storage.remove(root + "/a/y") }
        note("list nothing") { _ = try storage.list(root + "/nothing") }
        return log
    }

    @Test func twinsAgree() throws {
        var template = Array("/tmp/millstream-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        let root = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let simulated = SimulatedStorage()
        try simulated.makeDirectories(root)
        let real = try scenario(DiskStorage(), root)
        #expect(real == (try scenario(simulated, root)))
        #expect(real.count == 12)
        for path in ["/a/b", "/a", ""] { rmdir(root + path) }
    }

    @Test func reopenNeedsTheBytes() throws {
        let storage = SimulatedStorage()
        _ = try storage.create("/x")
        #expect(throws: MillstreamError.self) { try storage.reopen("/x", truncatedTo: 1) }
    }
}

@Suite struct SimulatedStorageTests {
    func write(_ file: any StorageFile, _ text: String) throws { try Array(text.utf8).withUnsafeBytes { try file.write($0) } }

    @Test func whatIsNotSyncedMayBeLost() throws {
        var outcomes: Set<String> = []
        for seed in 0..<50 {
            let storage = SimulatedStorage(seed: UInt64(seed))
            let file = try storage.create("/.a")
            try write(file, "safe")
            try file.sync()
            try storage.rename("/.a", to: "/a")
            try write(file, "loose")
            storage.restart()
            let text = String(decoding: try storage.read("/a"), as: UTF8.self)
            #expect(text.hasPrefix("safe"))
            outcomes.insert(text)
            #expect(throws: MillstreamError.self) { try write(file, "x") }
        }
        #expect(outcomes.count > 3 && outcomes.contains("safe"))
    }

    @Test func newNamesMayBeLost() throws {
        var kept = 0
        for seed in 0..<50 {
            let storage = SimulatedStorage(seed: UInt64(seed))
            _ = try storage.create("/a")
            storage.restart()
            if storage.exists("/a") { kept += 1 }
        }
        #expect(kept > 5 && kept < 45)
    }

    @Test func faultsComeOnTime() throws {
        let storage = SimulatedStorage()
        let file = try storage.create("/a")
        storage.fail(at: 2, with: .noSpace)
        try write(file, "x")
        #expect { try write(file, "y") } throws: { "\($0)".contains("No space left") }
        // A file that failed stays failed: what it holds is not known.
        #expect(throws: MillstreamError.self) { try file.sync() }
        _ = try storage.create("/b")
    }
}

extension String {
    func replacingRoot(_ root: String) -> String {
        var result = ""
        var rest = self[...]
        while let range = rest.firstRange(of: root) {
            result += rest[..<range.lowerBound]
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
