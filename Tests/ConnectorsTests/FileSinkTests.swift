import Columnar
import Connectors
import Dataflow
import Glibc
import Plan
import Testing

func numbers(_ range: Range<Int64>) -> Batch {
    Batch(schema: .scalar(.bigInt), columns: [Column(type: .bigInt, count: range.count, values: Buffer.copying(Array(range)))], count: range.count)
}

@Suite struct FileSinkTests {
    func sink(
        _ directory: String, storage: any Storage, clock: any Clock = SimulatedClock(), schema: Schema = .scalar(.bigInt), checkpoints: Bool = false,
        format: FileSinkDescription.Format = .text, _ change: (inout FileSinkDescription) -> Void = { _ in }
    ) throws(MillstreamError) -> FileSink {
        var description = FileSinkDescription(directory: directory, format: format)
        change(&description)
        return try FileSink(
            description, schema: schema, environment: ConnectorEnvironment(clock: clock, storage: storage), commitsAtCheckpoints: checkpoints)
    }

    /// Ends a writer as the runtime does: the last commit, then close.
    func finish(_ sink: FileSink, _ writer: any SinkWriter) throws {
        let committables = try writer.prepareCommit(endOfInput: true)
        let outcomes = try sink.makeCommitter()!.commit(committables)
        for outcome in outcomes { if case .committed = outcome { continue } else { Issue.record("\(outcome)") } }
        try writer.close()
    }

    func visible(_ storage: SimulatedStorage) -> [String] { storage.paths.filter { !$0.split(separator: "/").last!.hasPrefix(".") } }

    @Test func oneFileThatIsHiddenUntilTheEnd() throws {
        let directory = TemporaryDirectory()
        let sink = try sink(directory.path + "/new/out", storage: DiskStorage())
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(numbers(0..<3), notify: {}))
        #expect(try DiskStorage().list(directory.path + "/new/out").allSatisfy { $0.hasPrefix(".part-0-0.inprogress.") })
        try finish(sink, writer)
        #expect(try DiskStorage().list(directory.path + "/new/out") == ["part-0-0"])
        #expect(TemporaryDirectory.read(directory.path + "/new/out/part-0-0") == Array("0\n1\n2\n".utf8))
        // A second run keeps the first one's file.
        let second = try sink.makeWriter(operatorContext())
        #expect(try second.write(numbers(7..<8), notify: {}))
        try finish(sink, second)
        #expect(try DiskStorage().list(directory.path + "/new/out") == ["part-0-0", "part-0-1"])
    }

    @Test func foldersByTime() throws {
        let storage = SimulatedStorage()
        let clock = SimulatedClock(start: 1_709_251_384_567)
        let sink = try sink("/out", storage: storage, clock: clock) {
            $0.timeFolders = "yyyy-MM-dd--HH"
            $0.timeFoldersAreUTC = true
        }
        let writer = try sink.makeWriter(operatorContext(clock: clock))
        #expect(try writer.write(numbers(0..<2), notify: {}))
        clock.advance(milliseconds: 3_599_999 - 184_567)
        #expect(try writer.write(numbers(2..<3), notify: {}))
        clock.advance(milliseconds: 1)
        #expect(try writer.write(numbers(3..<4), notify: {}))
        try finish(sink, writer)
        #expect(visible(storage) == ["/out/2024-03-01--00/part-0-0", "/out/2024-03-01--01/part-0-0"])
        #expect(try storage.read("/out/2024-03-01--00/part-0-0") == Array("0\n1\n2\n".utf8))
    }

    @Test(arguments: ["yyyy-QQ", "'x", "", "a/../b", "yyyy//MM", "/yyyy"]) func patternsThatAreNone(pattern: String) {
        #expect(throws: MillstreamError.self) {
            try sink("/out", storage: SimulatedStorage()) { $0.timeFolders = pattern }
        }
    }

    @Test func rollsBySizeAgeAndPause() throws {
        let storage = SimulatedStorage()
        let clock = SimulatedClock(start: 1_000)
        let bySize = try sink("/size", storage: storage, clock: clock) { $0.rollByteCount = 10 }
        let writer = try bySize.makeWriter(operatorContext(clock: clock))
        #expect(try writer.write(numbers(10..<20), notify: {}))
        #expect(visible(storage) == ["/size/part-0-0", "/size/part-0-1"])
        try finish(bySize, writer)
        #expect(visible(storage).count == 3)
        #expect(try storage.read("/size/part-0-0") == Array("10\n11\n12\n13\n".utf8))

        let byTime = try sink("/time", storage: storage, clock: clock) {
            $0.rollAgeMilliseconds = 100
            $0.rollInactivityMilliseconds = 30
        }
        let timed = try byTime.makeWriter(operatorContext(subtask: 2, clock: clock))
        #expect(try timed.write(numbers(0..<1), notify: {}))
        clock.advance(milliseconds: 29)
        try timed.onTime(clock.now(), watermark: .min)
        #expect(visible(storage).filter { $0.hasPrefix("/time") } == [])
        clock.advance(milliseconds: 1)
        try timed.onTime(clock.now(), watermark: .min)
        #expect(visible(storage).filter { $0.hasPrefix("/time") } == ["/time/part-2-0"])
        for _ in 0..<4 {
            #expect(try timed.write(numbers(0..<1), notify: {}))
            clock.advance(milliseconds: 25)
            try timed.onTime(clock.now(), watermark: .min)
        }
        #expect(visible(storage).filter { $0.hasPrefix("/time") } == ["/time/part-2-0", "/time/part-2-1"])
    }

    @Test func checkpointsCommitAndRestartsGoOn() throws {
        let storage = SimulatedStorage()
        let sink = try sink("/out", storage: storage, checkpoints: true) { $0.rollByteCount = 8 }
        let committer = try sink.makeCommitter()!
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(numbers(10..<14), notify: {}))
        #expect(visible(storage) == [])
        let first = try writer.prepareCommit(endOfInput: false)
        let state = try writer.snapshot()
        #expect(first.count == 1)
        // What comes after the checkpoint is lost in the crash, and comes again.
        #expect(try writer.write(numbers(14..<15), notify: {}))
        storage.fail(at: storage.operationCount, with: .crash)
        #expect(throws: MillstreamError.self) { _ = try writer.prepareCommit(endOfInput: false) }
        storage.restart()
        let outcomes = try committer.commit(first)
        if case .committed = outcomes[0] {} else { Issue.record("\(outcomes)") }
        if case .alreadyCommitted = try committer.commit(first)[0] {} else { Issue.record("second commit") }
        let second = try sink.makeWriter(operatorContext())
        try second.restore(state)
        #expect(try second.write(numbers(14..<15), notify: {}))
        try finish(sink, second)
        let text = try visible(storage).map { String(decoding: try storage.read($0), as: UTF8.self) }.joined()
        #expect(text.split(separator: "\n").map { Int($0)! }.sorted() == [10, 11, 12, 13, 14])
    }

    @Test(arguments: 0..<8)
    func visibleFilesAreWholeAtEveryCrash(seed: Int) throws {
        var operation = 0
        while true {
            let storage = SimulatedStorage(seed: UInt64(seed * 1_000 + operation))
            storage.fail(at: operation, with: .crash)
            let isDone = run(storage)
            let reached = storage.operationCount
            storage.restart()
            for path in visible(storage) {
                let text = String(decoding: try storage.read(path), as: UTF8.self)
                let lines = text.split(separator: "\n").map(String.init)
                let part = Int(path.split(separator: "-").last!)!
                #expect(
                    lines == (part * 4..<min(part * 4 + 4, 18)).map { "1\($0 < 10 ? "0" : "")\($0)" }, "crash at \(operation): \(path) holds \(text)")
            }
            if isDone {
                #expect(visible(storage).count == 5)
                #expect(reached <= operation)
                return
            }
            operation += 1
        }
    }

    /// Eighteen numbers of three digits, four to a file. False if it stopped at an error.
    private func run(_ storage: SimulatedStorage) -> Bool {
        do {
            let sink = try sink("/out", storage: storage) { $0.rollByteCount = 16 }
            let writer = try sink.makeWriter(operatorContext())
            for start in stride(from: Int64(100), to: 118, by: 3) { _ = try writer.write(numbers(start..<start + 3), notify: {}) }
            for outcome in try sink.makeCommitter()!.commit(try writer.prepareCommit(endOfInput: true)) {
                if case .committed = outcome { continue } else { return false }
            }
            try writer.close()
            return true
        } catch { return false }
    }

    @Test(arguments: [SimulatedStorage.Fault.inputOutput, .noSpace])
    func diskErrorsNamePathAndReason(fault: SimulatedStorage.Fault) throws {
        for operation in 0..<12 {
            let storage = SimulatedStorage(seed: 4)
            storage.fail(at: operation, with: fault, isPermanent: true)
            do {
                let sink = try sink("/out", storage: storage) { $0.rollByteCount = 16 }
                let writer = try sink.makeWriter(operatorContext())
                _ = try writer.write(numbers(100..<118), notify: {})
                for outcome in try sink.makeCommitter()!.commit(try writer.prepareCommit(endOfInput: true)) {
                    if case .retry(let error) = outcome { throw error }
                }
                Issue.record("no error at \(operation)")
            } catch let error as MillstreamError {
                #expect(error.code == .io && error.message.contains("/out"), "\(error)")
                #expect(error.message.contains(fault == .noSpace ? "No space left" : "Input/output error"), "\(error)")
            }
            for path in visible(storage) { #expect(try storage.read(path).count == 16) }
        }
    }

    @Test func unusableDirectories() throws {
        let directory = TemporaryDirectory()
        directory.write("file", "x")
        let onFile = try sink(directory.path + "/file", storage: DiskStorage())
        #expect { _ = try onFile.makeWriter(operatorContext()) } throws: { "\($0)".contains("/file': Not a directory") }
        let inProc = try sink("/proc/none", storage: DiskStorage())
        #expect { _ = try inProc.makeWriter(operatorContext()) } throws: { "\($0)".contains("/proc/none'") }
        let full = try sink("/dev/full/x", storage: DiskStorage())
        #expect(throws: MillstreamError.self) { _ = try full.makeWriter(operatorContext()) }
        #expect(throws: MillstreamError.self) { _ = try sink("", storage: DiskStorage()) }
        #expect(throws: MillstreamError.self) { _ = try sink("/x", storage: DiskStorage()) { $0.prefix = "a/b" } }
    }

    @Test func buckets() throws {
        let storage = SimulatedStorage()
        let schema = Schema([Field("k", .string), Field("n", .bigInt)])
        let keys = try ColumnBuilder.make(for: .string)
        for index in 0..<600 { try keys.append(.string("k=\(index % 300)")) }
        try keys.append(.null)
        let values = numbers(0..<601).columns[0]
        let batch = Batch(schema: schema, columns: [keys.finish(), values], count: 601)
        let sink = try sink("/out", storage: storage, schema: schema) { $0.bucket = .column(0) }
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(batch.selecting(Selection(Array(0..<601))), notify: {}))
        try finish(sink, writer)
        let text = try visible(storage).filter { $0.hasPrefix("/out/k=7/") }.map { String(decoding: try storage.read($0), as: UTF8.self) }.joined()
        #expect(text == "+I[k=7, 7]\n+I[k=7, 307]\n")
        #expect(visible(storage).contains("/out/__DEFAULT_PARTITION__/part-0-0"))
        for bad in ["../x", "/etc", "a//b", "", "."] {
            let column = try ColumnBuilder.make(for: .string)
            try column.append(.string(bad))
            let row = Batch(schema: schema, columns: [column.finish(), numbers(0..<1).columns[0]], count: 1)
            let writer = try sink.makeWriter(operatorContext())
            #expect(throws: MillstreamError.self) { try writer.write(row, notify: {}) }
        }
    }

    @Test func retractionsAreRefused() throws {
        let sink = try sink("/out", storage: SimulatedStorage())
        var batch = numbers(0..<1)
        batch.rowKinds = Column(type: .tinyInt, count: 1, values: Buffer.copying([RowKind.delete.rawValue]))
        let writer = try sink.makeWriter(operatorContext())
        #expect(throws: MillstreamError.self) { try writer.write(batch, notify: {}) }
    }
}
