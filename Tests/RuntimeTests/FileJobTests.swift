import Columnar
import Dataflow
import Glibc
import Plan
import Runtime
import Testing

/// Real files through a whole job: CSV in, JSON lines and prints out.
@Suite struct FileJobTests {
    let root: String

    init() {
        var template = Array("/tmp/millstream-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        root = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    func write(_ name: String, _ text: String) throws {
        let storage = DiskStorage()
        try storage.makeDirectories(root + "/in")
        let file = try storage.create(root + "/in/" + name)
        try Array(text.utf8).withUnsafeBytes { try file.write($0) }
        file.close()
    }

    func plan(skipsMalformed: Bool = false) -> StreamPlan {
        let schema = Schema([Field("id", .bigInt), Field("name", .string)])
        var files = FileSourceDescription(paths: [root + "/in"], format: .csv(CSVOptions(hasHeader: true)), fileSchema: schema)
        files.malformed = skipsMalformed ? .skip : .fail
        var source = Node(id: NodeID(0), name: "files", inputs: [], operation: .source(SourceDescription(.files(files))), output: schema)
        source.parallelism = 2
        var sink = Node(
            id: NodeID(1), name: "out", inputs: [Edge(source: NodeID(0), partitioning: .rebalance)],
            operation: .sink(SinkDescription(.files(FileSinkDescription(directory: root + "/out", format: .jsonLines)))), output: schema)
        sink.parallelism = 3
        return StreamPlan(jobName: "files", nodes: [source, sink])
    }

    func cleanUp() { _ = system("rm -r '\(root)'") }

    @Test("Rows of several files arrive exactly once in finished files")
    func filesToFiles() throws {
        defer { cleanUp() }
        for file in 0..<4 {
            try write("\(file).csv", "name,id\n" + (0..<5_000).map { "\"row, \($0)\",\(file * 5_000 + $0)\n" }.joined())
        }
        #expect(system("gzip '\(root)/in/2.csv'") == 0)
        let engine = Engine(workerCount: 2, storage: DiskStorage())
        let job = try engine.submit(plan(), bindings: Bindings())
        #expect(job.wait(timeoutNanoseconds: 20_000_000_000) == .finished)
        #expect(job.failure == nil)
        let names = try DiskStorage().list(root + "/out")
        #expect(names.count == 3 && names.allSatisfy { $0.hasPrefix("part-") })
        var lines: [String] = []
        for name in names {
            lines += String(decoding: try DiskStorage().read(root + "/out/" + name), as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let expected = (0..<20_000).map { "{\"id\":\($0),\"name\":\"row, \($0 % 5_000)\"}" }
        #expect(lines.sorted() == expected.sorted())
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }

    @Test("One bad line fails the job with its place, and leaves no litter")
    func badLine() throws {
        defer { cleanUp() }
        try write("a.csv", "id,name\n1,x\n2,y\nthree,z\n")
        let engine = Engine(workerCount: 2, storage: DiskStorage())
        let job = try engine.submit(plan(), bindings: Bindings())
        #expect(job.wait(timeoutNanoseconds: 20_000_000_000) == .failed)
        let failure = try #require(job.failure)
        #expect(failure.code == .decode)
        #expect(failure.message.hasSuffix("/in/a.csv:4:1: field 'id': 'three' is not a value of type BIGINT"))
        #expect(((try? DiskStorage().list(root + "/out")) ?? []) == [])
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }
}
