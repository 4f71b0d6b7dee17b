import Columnar
import Connectors
import Dataflow
import Glibc
import Plan
import Synchronization
import Testing

/// Every source: a reader is stopped at random points and its splits go to other readers, perhaps of another parallelism.
/// What was read before and after is everything, once, and in order within each split.
@Suite struct SourcePositionTests {
    let directory = TemporaryDirectory()

    struct Subject {
        var name: String
        var make: () throws -> any Source
        /// Rows of the whole source, sorted.
        var expected: [String]
        /// More than one subtask can read it.
        var isParallel = true
    }

    func files(_ format: FileSourceDescription.Format, _ schema: Schema, _ paths: [String], chunk: Int, monitor: Int64? = nil) -> () throws -> any Source {
        {
            var description = FileSourceDescription(paths: paths, format: format, fileSchema: schema)
            description.monitorMilliseconds = monitor
            var limits = FileReadLimits()
            limits.chunkByteCount = chunk
            limits.rangeByteCountMin = 300
            return try FileSource(description, schema: schema, clock: SimulatedClock(), limits: limits)
        }
    }

    func run(_ command: String) { #expect(system("cd '\(directory.path)' && \(command)") == 0) }

    func subjects(_ random: SeededRandom) throws -> [Subject] {
        let chunk = 20 + Int(random.next(below: 400))
        let lines = (0..<150).map { "line \($0) " + String(repeating: "x", count: $0 % 17) }
        for (number, part) in [lines[..<70], lines[70..<71], lines[71...]].enumerated() {
            let text = part.joined(separator: ["\n", "\r\n", "\r"][Int(random.next(below: 3))])
            directory.write("plain/\(number).txt", random.next(below: 2) == 0 ? text : "\u{FEFF}" + text + "\n")
            directory.write("gz/\(number).txt", text + "\n")
            directory.write("zst/\(number).txt", text + "\n")
        }
        run("gzip -f gz/*.txt && zstd -q --rm -f zst/*.txt")
        let csvRows = (0..<120).map { ($0, $0 % 5 == 0 ? "a \"quoted\",\nvalue \($0)" : "v\($0)") }
        let csv = csvRows.map { "\($0.0),\"\($0.1.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\"" }
        directory.write("quoted.csv", "id,text\n" + csv.joined(separator: "\n") + "\n")
        directory.write("plain.csv", (0..<120).map { "\($0),v\($0)" }.joined(separator: "\n"))
        directory.write("rows.json", (0..<100).map { "{\"id\": \($0), \"text\": \"t\($0)\"}" }.joined(separator: "\n"))
        let schema = Schema([Field("id", .bigInt), Field("text", .string)])
        var quoted = CSVOptions()
        quoted.hasHeader = true
        var unquoted = CSVOptions()
        unquoted.quote = nil
        let text = Schema.scalar(.string)
        let root = directory.path
        return [
            Subject(name: "text", make: files(.text, text, [root + "/plain"], chunk: chunk), expected: lines.sorted()),
            Subject(name: "gzip", make: files(.text, text, [root + "/gz"], chunk: chunk), expected: lines.sorted()),
            Subject(name: "zstandard", make: files(.text, text, [root + "/zst"], chunk: chunk), expected: lines.sorted()),
            Subject(name: "watched", make: files(.text, text, [root + "/plain"], chunk: chunk, monitor: 100), expected: lines.sorted()),
            Subject(
                name: "quoted CSV", make: files(.csv(quoted), schema, [root + "/quoted.csv"], chunk: chunk),
                expected: csvRows.map { "\($0.0)|\($0.1)" }.sorted()),
            Subject(
                name: "CSV in ranges", make: files(.csv(unquoted), schema, [root + "/plain.csv"], chunk: chunk),
                expected: (0..<120).map { "\($0)|v\($0)" }.sorted()),
            Subject(
                name: "JSON lines", make: files(.jsonLines, schema, [root + "/rows.json"], chunk: chunk),
                expected: (0..<100).map { "\($0)|t\($0)" }.sorted()),
            Subject(name: "sequence", make: { try SequenceSource(first: -50, last: 333) }, expected: (-50...333).map { "\($0)" }.sorted()),
            Subject(
                name: "generator",
                make: {
                    try GeneratorSource(
                        GeneratorDescription(columns: [.column(0)], count: 500, rowsPerSecond: nil), rows: NumberRows(), schema: .scalar(.bigInt))
                }, expected: (0..<500).map { "\($0)" }.sorted()),
            Subject(
                name: "paced generator",
                make: {
                    try GeneratorSource(
                        GeneratorDescription(columns: [.column(0)], count: 200, rowsPerSecond: 700), rows: NumberRows(), schema: .scalar(.bigInt))
                }, expected: (0..<200).map { "\($0)" }.sorted()),
            Subject(
                name: "table", make: { BatchStreamSource(Table(rowCount: 300, isTable: true), schema: .scalar(.bigInt)) },
                expected: (0..<300).map { "\($0)" }.sorted(), isParallel: false),
            Subject(
                name: "host", make: { HostSource(CountingFunction(rowCount: 300), isBounded: true, schema: .scalar(.bigInt)) },
                expected: (0..<300).map { "\($0)" }.sorted(), isParallel: false),
        ]
    }

    /// A table's batches, of 1 to 50 rows; a stream gives them once.
    final class Table: BatchStream {
        let schema = Schema.scalar(.bigInt)
        private let state = Guarded<Int64>(0)
        private let rowCount: Int64
        private let isTable: Bool

        init(rowCount: Int64, isTable: Bool) {
            self.rowCount = rowCount
            self.isTable = isTable
        }

        var givenRowCount: Int64 { state.withLock { $0 } }

        func next() -> Batch? {
            state.withLock { next in
                guard next < rowCount else { return nil }
                let end = min(rowCount, next + 1 + (next * 7) % 50)
                defer { next = end }
                return numbers(next..<end)
            }
        }

        func rewind() -> Bool {
            if isTable { state.withLock { $0 = 0 } }
            return isTable
        }
    }

    /// A host's source that knows its position, and gives rows from it.
    final class CountingFunction: HostFunction, @unchecked Sendable {
        let name = "counting"
        let rowCount: Int64
        let capabilities: HostCapabilities
        private var next: Int64 = 0

        init(rowCount: Int64, capabilities: HostCapabilities = .snapshot) {
            self.rowCount = rowCount
            self.capabilities = capabilities
        }

        func instance() -> any HostFunction { CountingFunction(rowCount: rowCount, capabilities: capabilities) }
        func fused(with next: any HostFunction) -> (any HostFunction)? { nil }

        func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
            switch request.operation {
            case .read:
                #expect(request.integers[1] == next, "the position that the engine counts")
                let end = min(rowCount, next + min(request.integers[0], 1 + next % 9))
                defer { next = end }
                let rows = numbers(next..<end)
                return HostResponse(outputs: [HostResponse.Rows(columns: rows.columns, count: rows.count)], isEnd: end == rowCount)
            case .snapshot:
                var response = HostResponse()
                response.payloads = [Array("at \(next)".utf8)]
                return response
            case .restore:
                // At the very beginning there is none.
                if let payload = request.payloads.first { next = Int64(String(decoding: payload, as: UTF8.self).dropFirst(3))! }
                #expect(next == request.integers[0])
                return HostResponse()
            default: return HostResponse()
            }
        }
    }

    func text(_ batch: Batch) -> [String] { [batch].rows.map { $0.joined(separator: "|") } }

    @Test(arguments: 0..<25 as Range<UInt64>) func nothingIsLostAndNothingIsTwice(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        for subject in try subjects(random) {
            var read: [String] = []
            var bySplit: [String: [String]] = [:]
            var whole: [String: [String]] = [:]
            var splits: [SourceSplit] = []
            var rest: [UInt8]?
            var isDone = false
            while !isDone {
                let parallelism = subject.isParallel ? 1 + Int(random.next(below: 3)) : 1
                let clock = SimulatedClock(start: 1_000_000 + Int64(random.next(below: 1_000_000)))
                // The splits of a source are made for the parallelism that it begins with.
                let driver = try SourceDriver(try subject.make(), parallelism: parallelism, clock: clock)
                if let rest { try driver.enumerator.restore(rest) }
                // Some go back to the enumerator, as those of a reader that is no more.
                var back: [SourceSplit] = []
                for split in splits {
                    let subtask = Int(random.next(below: UInt64(parallelism + 1)))
                    if subtask == parallelism { back.append(split) } else { try driver.readers[subtask].addSplit(split) }
                }
                driver.enumerator.addBack(back)
                var ended = Set<Int>()
                var quiet = 0
                var steps = Int(random.next(below: 60))
                while steps > 0, ended.count < parallelism, quiet < 40 {
                    steps -= 1
                    let subtask = Int(random.next(below: UInt64(parallelism)))
                    if ended.contains(subtask) { continue }
                    switch try driver.step(subtask, rowLimit: 1 + Int(random.next(below: 40))) {
                    case .batch(let batch, let split):
                        quiet = 0
                        read += text(batch)
                        bySplit[split, default: []] += text(batch)
                    case .wait:
                        quiet += 1
                        clock.advance(milliseconds: 5)
                    case .end: ended.insert(subtask)
                    case .other: break
                    }
                }
                isDone = ended.count == parallelism || (quiet >= 40 && read.count == subject.expected.count)
                splits = try driver.readers.flatMap { try $0.snapshot() }
                rest = try driver.enumerator.snapshot()
                for reader in driver.readers { try reader.close() }
            }
            #expect(read.sorted() == subject.expected, "\(subject.name), seed \(seed)")
            // In order: the whole source read at once by one reader gives each split's rows as they should be.
            let clock = SimulatedClock()
            let once = try SourceDriver(try subject.make(), clock: clock)
            var waits = 0
            scan: while waits < 40 {
                switch try once.step() {
                case .batch(let batch, let split):
                    waits = 0
                    whole[split, default: []] += text(batch)
                case .wait:
                    waits += 1
                    clock.advance(milliseconds: 5)
                case .end: break scan
                case .other: break
                }
            }
            for (split, rows) in whole where bySplit[split] != nil && bySplit.count == whole.count {
                #expect(bySplit[split] == rows, "\(subject.name), seed \(seed), split \(split)")
            }
        }
    }

    @Test func aStreamThatGivesItsRowsOnceSaysSo() throws {
        let stream = Table(rowCount: 100, isTable: false)
        let driver = try SourceDriver(BatchStreamSource(stream, schema: .scalar(.bigInt)))
        var count = 0
        while count < 10 { if case .batch(let batch, _) = try driver.step(rowLimit: 10) { count += batch.count } }
        let splits = try driver.readers[0].snapshot()
        for position in [splits, [try #require(try firstSplit())]] {
            let again = try SourceDriver(BatchStreamSource(stream, schema: .scalar(.bigInt)))
            #expect { try again.readers[0].addSplit(position[0]) } throws: { "\($0)".contains("gives its rows once") }
        }
        // The first reader still goes on.
        #expect(try driver.rest().int64s().count == 100 - count)
        let short = try SourceDriver(BatchStreamSource(Table(rowCount: 3, isTable: true), schema: .scalar(.bigInt)))
        #expect { try short.readers[0].addSplit(splits[0]) } throws: { "\($0)".contains("has 3 row(s), and") }
    }

    private func firstSplit() throws -> SourceSplit? {
        let source = BatchStreamSource(Table(rowCount: 1, isTable: true), schema: .scalar(.bigInt))
        guard case .split(let split) = try source.makeEnumerator(parallelism: 1).nextSplit(for: SubtaskIndex(0)) else { return nil }
        return split
    }

    @Test func aHostsSourceWithoutAPositionSaysSo() throws {
        let source = HostSource(CountingFunction(rowCount: 100, capabilities: []), isBounded: true, schema: .scalar(.bigInt))
        let driver = try SourceDriver(source)
        while true { if case .batch = try driver.step(rowLimit: 10) { break } }
        let splits = try driver.readers[0].snapshot()
        let again = try SourceDriver(source)
        #expect { try again.readers[0].addSplit(splits[0]) } throws: {
            ($0 as? MillstreamError)?.code == .unsupported && "\($0)".contains("'counting' cannot go back")
        }
    }

    /// A file that has become longer is the same file only if what was read of it is still there.
    @Test(arguments: ["", ".gz"]) func aFileThatWasWrittenAnewIsNoticed(suffix: String) throws {
        func content(_ mark: String, _ count: Int) -> String { (0..<count).map { "\(mark) \($0 * $0 % 9_973)\n" }.joined() }
        func write(_ text: String) {
            directory.write("a.txt", text)
            if !suffix.isEmpty { run("gzip -nc a.txt > b.gz && cat b.gz > a.txt.gz") }
        }
        write(content("old", 400))
        let make = files(.text, .scalar(.string), [directory.path + "/a.txt" + suffix], chunk: 100)
        let driver = try SourceDriver(try make())
        var count = 0
        while count < 100 { if case .batch(let batch, _) = try driver.step(rowLimit: 10) { count += batch.count } }
        let splits = try driver.readers[0].snapshot()
        func rest() throws -> Int {
            let again = try SourceDriver(try make())
            for split in splits { try again.readers[0].addSplit(split) }
            again.readers[0].noMoreSplits()
            return try again.rest().rows.count
        }
        #expect(try rest() == 400 - count)
        if suffix.isEmpty {
            write(content("old", 400) + "appended\n")
            #expect(try rest() == 400 - count)
        }
        write(content("new", 800))
        #expect { _ = try rest() } throws: { "\($0)".contains("was changed since") }
    }
}
