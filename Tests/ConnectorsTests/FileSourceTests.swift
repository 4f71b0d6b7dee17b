import Columnar
import Connectors
import Dataflow
import Glibc
import Plan
import Testing

@Suite struct FileSourceTests {
    let directory = TemporaryDirectory()

    func source(_ paths: [String], clock: any Clock = SimulatedClock(), limits: FileReadLimits = FileReadLimits(), monitor: Int64? = nil)
        throws(MillstreamError) -> FileSource
    {
        var description = FileSourceDescription(paths: paths, format: .text, fileSchema: .scalar(.string))
        description.monitorMilliseconds = monitor
        return try FileSource(description, schema: .scalar(.string), clock: clock, limits: limits)
    }

    func lines(_ paths: [String], parallelism: Int = 1, limits: FileReadLimits = FileReadLimits()) throws(MillstreamError) -> [String] {
        try SourceDriver(source(paths, limits: limits), parallelism: parallelism).batches().rows.map { $0[0] }
    }

    func failure(_ paths: [String]) -> MillstreamError {
        do throws(MillstreamError) { _ = try lines(paths) } catch { return error }
        return .internal("no error came")
    }

    /// Compresses with the machine's own tool.
    func run(_ command: String) { #expect(system("cd '\(directory.path)' && \(command)") == 0) }

    @Test func lineEndsAndMarks() throws {
        let path = directory.write("a.txt", "\u{FEFF}one\r\ntwo\rthree\n\nfive, and a longer one")
        for chunk in 1...40 {
            var limits = FileReadLimits()
            limits.chunkByteCount = chunk
            #expect(try lines([path], limits: limits) == ["one", "two", "three", "", "five, and a longer one"])
        }
        #expect(try lines([directory.write("empty.txt", "")]) == [])
    }

    @Test func directoriesAndGlobs() throws {
        for name in ["b.txt", "a.txt", "sub/c.txt", "sub/deep/d.log", ".hidden", "_SUCCESS", "sub/_tmp/x.txt", "[1].txt"] {
            directory.write(name, name + "\n")
        }
        let root = directory.path
        #expect(try lines([root]) == ["[1].txt", "a.txt", "b.txt", "sub/c.txt", "sub/deep/d.log"])
        #expect(try lines(["file://" + root + "/sub"]) == ["sub/c.txt", "sub/deep/d.log"])
        #expect(try lines([root + "/*.txt"]) == ["[1].txt", "a.txt", "b.txt"])
        #expect(try lines([root + "/**/*.txt"]) == ["[1].txt", "a.txt", "b.txt", "sub/c.txt"])
        #expect(try lines([root + "/**"]) == ["[1].txt", "a.txt", "b.txt", "sub/c.txt", "sub/deep/d.log"])
        #expect(try lines([root + "/[a-b].tx?", root + "/a.txt"]) == ["a.txt", "b.txt"])
        #expect(try lines([root + "/[!a].txt"]) == ["b.txt"])
        #expect(try lines([root + "/[1].txt"]) == ["[1].txt"])
        #expect(try lines([root + "/s*/*"]) == ["sub/c.txt", "sub/deep/d.log"])
        #expect(failure([root + "/*.none"]).message.contains("no file matches"))
    }

    @Test func whatIsNoFileIsRefused() throws {
        #expect(failure([directory.path + "/missing"]).message.contains("missing': No such file or directory"))
        mkfifo(directory.path + "/fifo", 0o644)
        #expect(failure([directory.path + "/fifo"]).message.contains("it is a FIFO"))
        #expect(failure(["/dev/null"]).message.contains("it is a device"))
        #expect(failure([directory.path + "/a\0b"]).code == .io)
        #expect(failure([String(repeating: "x", count: 5_000)]).message.contains("File name too long"))
        #expect(throws: MillstreamError.self) { try source([]) }
        let loop = TemporaryDirectory()
        symlink(loop.path, loop.path + "/again")
        loop.write("x", "x\n")
        #expect(try lines([loop.path]) == ["x"])
    }

    @Test func encodingsThatAreNotUTF8() throws {
        let utf16 = directory.write("u16.txt", [0xFF, 0xFE, 0x61, 0x00, 0x0A, 0x00])
        #expect(failure([utf16]).message.contains("UTF-16"))
        let latin = directory.write("latin.txt", [0x61, 0x0A, 0x62, 0xE9, 0x0A])
        #expect(failure([latin]).message.contains("latin.txt:2:1: the line is not UTF-8"))
    }

    @Test func compressedFiles() throws {
        let text = (0..<50_000).map { "line \($0)" }
        directory.write("a.txt", text.joined(separator: "\n") + "\n")
        directory.write("b.txt", "second member\n")
        run(
            "gzip -k a.txt && gzip -k b.txt && cat a.txt.gz b.txt.gz > both.gz && cp both.gz both && zstd -q -k a.txt && zstd -q -k b.txt && cat a.txt.zst b.txt.zst > both.zst"
        )
        let expected = text + ["second member"]
        for name in ["both.gz", "both", "both.zst"] {
            #expect(try lines([directory.path + "/" + name]) == expected)
            let whole = TemporaryDirectory.read(directory.path + "/" + name)
            for cut in [3, 5, 11, whole.count / 2, whole.count - 37, whole.count - 1] {
                let path = directory.write("cut" + (name.hasSuffix("zst") ? ".zst" : ".gz"), Array(whole.prefix(cut)))
                let error = failure([path])
                #expect(error.code == .decode && error.message.contains("/cut."), "\(name) \(cut): \(error)")
            }
            var damaged = whole
            damaged[whole.count / 3] ^= 0x55
            #expect(failure([directory.write("damaged" + (name.hasSuffix("zst") ? ".zst" : ".gz"), damaged)]).code == .decode)
        }
        #expect(try lines([directory.write("padded.gz", TemporaryDirectory.read(directory.path + "/b.txt.gz") + [0, 0, 0])]) == ["second member"])
        #expect(failure([directory.write("no.gz", "plain text\n")]).message.contains("does not start like a gzip file"))
        #expect(failure([directory.write("empty.zst", "")]).message.contains("is empty"))
    }

    @Test func rangesOfALargeFileGiveEveryLineOnce() throws {
        for separator in ["\n", "\r\n", "\r"] {
            let text = (0..<3_000).map { "\($0)" + String(repeating: "x", count: $0 % 23) }
            let path = directory.write("big.txt", text.joined(separator: separator) + separator)
            for range in [100, 101, 102, 1_009, 40_000] {
                var limits = FileReadLimits()
                limits.rangeByteCountMin = Int64(range)
                limits.chunkByteCount = 64
                let found = try lines([path], parallelism: 3, limits: limits)
                #expect(found.count == text.count && found.sorted() == text.sorted(), "\(range) \(separator.utf8.count)")
            }
        }
    }

    @Test func everySnapshotGoesOn() throws {
        let text = (0..<200).map { "line \($0)" }
        let plain = directory.write("a.txt", text.joined(separator: "\n"))
        run("gzip -k a.txt")
        for path in [plain, plain + ".gz"] {
            var limits = FileReadLimits()
            limits.chunkByteCount = 100
            let driver = try SourceDriver(source([path], limits: limits))
            var before: [String] = []
            while true {
                let step = try driver.step(rowLimit: 3)
                if case .end = step { break }
                guard case .batch(let batch, _) = step else { continue }
                before += [batch].rows.map { $0[0] }
                let restored = try SourceDriver(source([path], limits: limits))
                try restored.enumerator.restore(try driver.enumerator.snapshot())
                for split in try driver.readers[0].snapshot() { try restored.readers[0].addSplit(split) }
                #expect(before + (try restored.batches().rows.map { $0[0] }) == text)
            }
            #expect(before == text)
            #expect(Int(driver.metrics.bytesIn.value) == text.joined(separator: "\n").utf8.count)
        }
    }

    @Test func changedFilesAreNoticed() throws {
        let path = directory.write("a.txt", String(repeating: "0123456789\n", count: 100))
        func interrupted() throws -> (SourceDriver, [SourceSplit]) {
            var limits = FileReadLimits()
            limits.chunkByteCount = 64
            let driver = try SourceDriver(source([path], limits: limits))
            while true { if case .batch = try driver.step(rowLimit: 2) { return (driver, try driver.readers[0].snapshot()) } }
        }
        func goOn(_ splits: [SourceSplit]) throws {
            let driver = try SourceDriver(source([path]))
            for split in splits { try driver.readers[0].addSplit(split) }
            driver.readers[0].noMoreSplits()
            _ = try driver.rest()
        }
        let (driver, splits) = try interrupted()
        // Appended lines belong to nobody yet.
        directory.write("a.txt", String(repeating: "0123456789\n", count: 101))
        try goOn(splits)
        directory.write("a.txt", "short\n")
        #expect { try goOn(splits) } throws: { "\($0)".contains("was shortened from 1100 to 6 bytes") }
        #expect { _ = try driver.rest() } throws: { "\($0)".contains("was shortened by") }
        directory.write("a.txt", String(repeating: "9876543210\n", count: 100))
        #expect { try goOn(splits) } throws: { "\($0)".contains("was changed since") }
        unlink(path)
        directory.write("a.txt.new", String(repeating: "9876543210\n", count: 200))
        rename(path + ".new", path)
        #expect { try goOn(splits) } throws: { "\($0)".contains("was changed since") }
        unlink(path)
        #expect { try goOn(splits) } throws: { "\($0)".contains("No such file") }
        #expect(throws: MillstreamError.self) { try goOn([SourceSplit(id: "x", payload: Array(splits[0].payload.prefix(30)))]) }
    }

    @Test func monitoringFindsNewFiles() throws {
        let clock = SimulatedClock(start: 5_000)
        let source = try source([directory.path + "/*.txt"], clock: clock, monitor: 100)
        #expect(source.boundedness == .unbounded)
        let driver = try SourceDriver(source, clock: clock)
        func poll(_ milliseconds: Int64) throws -> [String] {
            var found: [Batch] = []
            let end = clock.now() + milliseconds
            while clock.now() < end {
                switch try driver.step() {
                case .batch(let batch, _): found.append(batch)
                case .wait: clock.advance(milliseconds: 10)
                default: break
                }
            }
            return found.rows.map { $0[0] }
        }
        #expect(try poll(200) == [])
        directory.write("b.txt", "b\n")
        directory.write("a.txt", "a\n")
        #expect(try poll(120) == ["a", "b"])
        directory.write("a0.txt", "a0\n")
        #expect(try poll(120) == ["a0"])
        let state = try driver.enumerator.snapshot()
        directory.write("c.txt", "c\n")
        let second = try source.makeEnumerator(parallelism: 1)
        try second.restore(state)
        guard case .split(let split) = try second.nextSplit(for: SubtaskIndex(0)) else { throw MillstreamError.internal("no split") }
        #expect(split.id.hasSuffix("/c.txt"))
        guard case .later = try second.nextSplit(for: SubtaskIndex(0)) else { throw MillstreamError.internal("a second split") }
    }

    @Test func aLineThatNeverEndsIsRefused() throws {
        let path = directory.write("a.txt", "x\n" + String(repeating: "y", count: 10_000))
        var limits = FileReadLimits()
        limits.chunkByteCount = 100
        limits.recordByteCountMax = 2_000
        #expect { try lines([path], limits: limits) } throws: {
            "\($0)".contains("the record at byte 2 of") && "\($0)".contains("longer than 2000 bytes")
        }
        limits.recordByteCountMax = 20_000
        #expect(try lines([path], limits: limits).count == 2)
    }
}
