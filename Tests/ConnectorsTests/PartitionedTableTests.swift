import Columnar
import Connectors
import Dataflow
import Plan
import Testing

@Suite struct PartitionedTableTests {
    let directory = TemporaryDirectory()
    let sales = [Field("sale_id", .int), Field("item", .string), Field("price", DataType(.decimal(precision: 8, scale: 2)))]

    func salesSource(_ change: (inout FileSourceDescription) -> Void = { _ in }) throws(MillstreamError) -> FileSource {
        try tableSource(goldenTable("sales"), .json(.table), sales) {
            $0.partitionKeys = ["dt", "region"]
            $0.pathColumns = [.partition(key: "dt", type: .string), .partition(key: "region", type: .string)]
            change(&$0)
        }
    }

    @Test func foldersAreColumns() throws {
        let rows = try SourceDriver(salesSource()).batches().rows
        #expect(rows.count == 16 && rows.contains(["133", "ペン", "225", "2024-03-01", "us"]) && rows.contains(["913", "pen", "150", "2024-03-02", "us"]))
        #expect(rows.filter { $0[3] == "2024-03-01" && $0[4] == "eu" }.map { $0[0] } == ["295", "38", "603", "50"])
        let dates = try SourceDriver(
            salesSource {
                $0.projection = []
                $0.pathColumns = [.partition(key: "dt", type: .date)]
            }
        ).batches().rows
        #expect(dates.count == 16 && dates[0] == ["19783"])
    }

    @Test func onlyPartitionsThatAreAskedFor() throws {
        func count(_ partitions: [[String?]]) throws -> Int { try SourceDriver(salesSource { $0.partitions = partitions }).batches().rows.count }
        #expect(try count([["2024-03-01", "eu"]]) == 4)
        #expect(try count([["2024-03-01", "eu"], ["2024-03-02", "us"]]) == 8)
        #expect(try count([["2024-03-03", "eu"]]) == 0)
        #expect(try count([]) == 0)
        #expect(throws: MillstreamError.self) { try count([["2024-03-01"]]) }
        // A partition that nobody asks for is not even looked at.
        directory.write("t/k=a/part", "{\"v\":1}\n")
        directory.write("t/k=b/part", "not json\n")
        directory.write("t/part", "not json either\n")
        let wanted = try tableSource(directory.path + "/t", .json(.table), [Field("v", .int)]) {
            $0.partitionKeys = ["k"]
            $0.partitions = [["a"]]
        }
        #expect(try SourceDriver(wanted).batches().rows == [["1"]])
    }

    @Test func namesWithEscapesAndNull() throws {
        directory.write("t/k%2Fx=a%3Db%25/n=__DEFAULT_PARTITION__/part", "{\"v\":1}\n")
        directory.write("t/k%2Fx=%/n=7/_SUCCESS", "x")
        directory.write("t/k%2Fx=%/n=7/.hidden", "x")
        directory.write("t/k%2Fx=%/n=7/part", "{\"v\":2}\n")
        let source = try tableSource(directory.path + "/t", .json(.table), [Field("v", .int)]) {
            $0.partitionKeys = ["k/x", "n"]
            $0.pathColumns = [.partition(key: "n", type: .int), .partition(key: "k/x", type: .string)]
        }
        #expect(try SourceDriver(source).batches().rows == [["2", "7", "%"], ["1", "∅", "a=b%"]])
        directory.write("t/k%2Fx=%/n=x/part", "{\"v\":2}\n")
        do throws(MillstreamError) {
            _ = try SourceDriver(source).batches()
            Issue.record("no error came")
        } catch { #expect(error.message.contains("'x' of 'n' is not a value of type INT"), "\(error)") }
    }

    @Test func attributesOfFiles() throws {
        directory.write("m/b.csv", "1\n2\n")
        directory.write("m/a.csv", "3\n")
        let source = try tableSource(directory.path + "/m", .csv(.table), [Field("v", .int)], chunk: 2) {
            $0.pathColumns = [.fileName, .fileSize, .filePath, .modificationTime]
        }
        let rows = try SourceDriver(source).batches().rows
        #expect(rows.map { Array($0.prefix(3)) } == [["3", "a.csv", "2"], ["1", "b.csv", "4"], ["2", "b.csv", "4"]])
        #expect(rows[0][3] == directory.path + "/m/a.csv" && Int64(rows[0][4])! > 1_600_000_000_000 && rows[1][4] == rows[2][4])
    }

    // MARK: The sink

    func sink(
        _ storage: any Storage, _ fields: [Field], clock: any Clock = SimulatedClock(), checkpoints: Bool = false, _ change: (inout FileSinkDescription) -> Void
    ) throws(MillstreamError) -> FileSink {
        var description = FileSinkDescription(directory: "/out", format: .json(.table))
        change(&description)
        return try FileSink(
            description, schema: Schema(fields), environment: ConnectorEnvironment(clock: clock, storage: storage), commitsAtCheckpoints: checkpoints)
    }

    func context(_ subtask: Int = 0, job: String = "job", clock: any Clock = SimulatedClock()) -> OperatorContext {
        OperatorContext(
            operatorID: OperatorID("sink"), operatorName: "sink", subtask: SubtaskIndex(subtask), parallelism: 2, maxParallelism: 128, jobName: "test",
            jobID: job, lineage: "line", clock: clock, random: SeededRandom(seed: UInt64(subtask + 1)), metrics: OperatorMetrics(), requestWakeUp: { _ in })
    }

    func batch(_ fields: [Field], _ rows: [[Scalar]]) throws -> Batch {
        var columns: [Column] = []
        for (place, field) in fields.enumerated() {
            let builder = try ColumnBuilder.make(for: field.type)
            for row in rows { try builder.append(row[place]) }
            columns.append(builder.finish())
        }
        return Batch(schema: Schema(fields), columns: columns, count: rows.count)
    }

    func commit(_ sink: FileSink, _ committables: [Committable]) throws {
        for outcome in try sink.makeCommitter()!.commit(committables) {
            switch outcome {
            case .committed, .alreadyCommitted: break
            default: Issue.record("\(outcome)")
            }
        }
    }

    func files(_ storage: SimulatedStorage) throws -> [String: String] {
        var files: [String: String] = [:]
        for path in storage.paths { files[path] = String(decoding: try storage.read(path), as: UTF8.self) }
        return files
    }

    @Test func rowsGoToTheirFolders() throws {
        let storage = SimulatedStorage()
        let fields = [Field("k", .string), Field("v", .int), Field("t", DataType(.timestamp(3))), Field("d", .date)]
        let sink = try self.sink(storage, fields) { $0.partitionColumns = [0, 3, 2] }
        let writer = try sink.makeWriter(operatorContext())
        let time = Scalar.int64(1_709_283_600_000)
        let rows: [[Scalar]] = [
            [.string("a/b=c%d e"), .int64(1), time, .int64(19_783)], [.null, .int64(2), time, .null], [.string(""), .int64(3), time, .null],
            [.string("a/b=c%d e"), .int64(4), time, .int64(19_783)],
        ]
        #expect(try writer.write(batch(fields, rows), notify: {}))
        try commit(sink, try writer.prepareCommit(endOfInput: true))
        #expect(
            try files(storage) == [
                "/out/k=a%2Fb%3Dc%25d e/d=2024-03-01/t=2024-03-01T09%3A00/part-0-0": "{\"v\":1}\n{\"v\":4}\n",
                "/out/k=__DEFAULT_PARTITION__/d=__DEFAULT_PARTITION__/t=2024-03-01T09%3A00/part-0-0": "{\"v\":2}\n{\"v\":3}\n",
            ])
        #expect(throws: MillstreamError.self) { try self.sink(storage, fields) { $0.partitionColumns = [0, 1, 2, 3] } }
        #expect(throws: MillstreamError.self) { try self.sink(storage, fields) { $0.partitionColumns = [0, 0] } }
        #expect(throws: MillstreamError.self) {
            try self.sink(storage, [Field("a", DataType(.array(.int))), Field("b", .int)]) { $0.partitionColumns = [0] }
        }
    }

    /// What is written under any values comes back with them.
    @Test func partitionsRoundTrip() throws {
        let fields = [Field("v", .int), Field("k", .string), Field("t", DataType(.timestamp(3))), Field("x", DataType(.decimal(precision: 6, scale: 2)))]
        let out = directory.path + "/rt"
        let random = SeededRandom(seed: 11)
        let texts = ["a", "ü/=", "%41", "x y", "[]{}^\"'#*:?\\", "__DEFAULT", "日本", "a\u{7F}b\nc"]
        let rows: [[Scalar]] = (0..<200).map { number in
            [
                .int64(number), random.next(below: 9) == 0 ? .null : .string(texts[Int(random.next(below: 8))]),
                .int64(Int64(random.next(below: 5)) * 61_500 + 1_700_000_000_000), random.next(below: 4) == 0 ? .null : .decimal(Int128(random.next(below: 4)) * 50),
            ]
        }
        var description = FileSinkDescription(directory: out, format: .json(.table))
        description.partitionColumns = [1, 2, 3]
        let sink = try FileSink(
            description, schema: Schema(fields), environment: ConnectorEnvironment(clock: SimulatedClock(), storage: DiskStorage()), commitsAtCheckpoints: false)
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(batch(fields, rows), notify: {}))
        try commit(sink, try writer.prepareCommit(endOfInput: true))
        let source = try tableSource(out, .json(.table), [fields[0]]) {
            $0.partitionKeys = ["k", "t", "x"]
            $0.pathColumns = [.partition(key: "k", type: .string), .partition(key: "t", type: fields[2].type), .partition(key: "x", type: fields[3].type)]
        }
        let read = try SourceDriver(source).batches().rows.sorted { Int($0[0])! < Int($1[0])! }
        #expect(read == [try batch(fields, rows)].rows)
    }

    @Test func overwritingReplacesWhatWasThere() throws {
        let storage = SimulatedStorage()
        let fields = [Field("v", .int), Field("k", .string)]
        func run(_ job: String, _ rows: [[Scalar]], _ change: (inout FileSinkDescription) -> Void) throws {
            let sink = try self.sink(storage, fields, change)
            var committables: [Committable] = []
            for subtask in 0..<2 {
                let writer = try sink.makeWriter(context(subtask, job: job))
                let own = rows.enumerated().filter { $0.offset % 2 == subtask }.map(\.element)
                if !own.isEmpty { #expect(try writer.write(batch(fields, own), notify: {})) }
                committables.append(contentsOf: try writer.prepareCommit(endOfInput: true))
                try writer.close()
            }
            // Nothing of the old content goes before all of the new is on the disk.
            #expect(try files(storage).filter { !$0.key.split(separator: "/").last!.hasPrefix(".") }.values.sorted().joined() == before)
            try commit(sink, committables)
            // Once more, as a restart would.
            try commit(sink, committables)
            before = try files(storage).values.sorted().joined()
        }
        var before = ""
        try run("a", [[.int64(1), .string("x")], [.int64(2), .string("y")]]) {
            $0.overwrites = true
            $0.partitionColumns = [1]
        }
        #expect(try files(storage).values.sorted() == ["{\"v\":1}\n", "{\"v\":2}\n"])
        // Only the partitions that get rows are replaced.
        try run("b", [[.int64(3), .string("x")], [.int64(4), .string("x")]]) {
            $0.overwrites = true
            $0.partitionColumns = [1]
        }
        #expect(try files(storage).values.sorted() == ["{\"v\":2}\n", "{\"v\":3}\n", "{\"v\":4}\n"])
        // The same job's name once more replaces its own earlier files, and a partition that was named is emptied where no row comes.
        try run("c", []) {
            $0.overwrites = true
            $0.partitionColumns = [1]
            $0.overwrittenFolder = "k=y"
        }
        #expect(try files(storage).values.sorted() == ["{\"v\":3}\n", "{\"v\":4}\n"])
    }

    @Test func partitionsAreCommittedWhenTheyAreComplete() throws {
        let storage = SimulatedStorage()
        let clock = SimulatedClock(start: 0)
        let fields = [Field("v", .int), Field("day", .string), Field("hour", .string)]
        func make(_ commit: PartitionCommitDescription) throws -> FileSink {
            try self.sink(storage, fields, clock: clock, checkpoints: true) {
                $0.partitionColumns = [1, 2]
                $0.partitionCommit = commit
            }
        }
        func markers() -> [String] { storage.paths.filter { $0.hasSuffix("_DONE") } }
        let sink = try make(
            PartitionCommitDescription(
                trigger: .partitionTime, delayMilliseconds: 3_600_000, successFileName: "_DONE", timePattern: "$day $hour:00:00"))
        var writer = try sink.makeWriter(context(clock: clock))
        let hour: Int64 = 1_709_251_200_000
        #expect(try writer.write(batch(fields, [[.int64(1), .string("2024-03-01"), .string("00")], [.int64(2), .string("2024-03-01"), .string("01")]]), notify: {}))
        try writer.onTime(clock.now(), watermark: EventTime(milliseconds: hour + 3_599_999))
        try commit(sink, try writer.prepareCommit(endOfInput: false))
        let state = try writer.snapshot()
        #expect(markers().isEmpty)
        // After a restart it is still known which partitions wait.
        writer = try sink.makeWriter(context(clock: clock))
        try writer.know(states: [state], committables: [])
        try writer.restore(state)
        try writer.onTime(clock.now(), watermark: EventTime(milliseconds: hour + 3_600_000))
        try commit(sink, try writer.prepareCommit(endOfInput: false))
        #expect(markers() == ["/out/day=2024-03-01/hour=00/_DONE"])
        #expect(try storage.read("/out/day=2024-03-01/hour=00/part-0-0") == Array("{\"v\":1}\n".utf8))
        try commit(sink, try writer.prepareCommit(endOfInput: true))
        #expect(markers().count == 2)
        #expect(throws: MillstreamError.self) {
            let bad = try make(PartitionCommitDescription(trigger: .partitionTime, timePattern: "$hour"))
            let writer = try bad.makeWriter(context(clock: clock))
            _ = try writer.write(try batch(fields, [[.int64(1), .string("d"), .string("h")]]), notify: {})
            _ = try writer.prepareCommit(endOfInput: false)
        }
        // By the clock.
        let timed = try make(PartitionCommitDescription(delayMilliseconds: 1_000, successFileName: "_DONE"))
        let other = try timed.makeWriter(context(1, clock: clock))
        #expect(try other.write(batch(fields, [[.int64(1), .string("x"), .string("y")]]), notify: {}))
        clock.advance(milliseconds: 999)
        try commit(timed, try other.prepareCommit(endOfInput: false))
        #expect(markers().count == 2)
        clock.advance(milliseconds: 1)
        try commit(timed, try other.prepareCommit(endOfInput: false))
        #expect(markers().count == 3 && storage.exists("/out/day=x/hour=y/part-1-0"))
    }
}
