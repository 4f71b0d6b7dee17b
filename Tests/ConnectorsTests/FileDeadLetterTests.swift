import Columnar
import Connectors
import Dataflow
import Glibc
import Plan
import Testing

/// A record of a file that was made up, and what must become of it.
private struct Planted {
    var bytes: [UInt8]
    /// nil: it must not decode, because of what is at `mistake`.
    var row: [String]?
    var mistake = 0
    var field = "∅"
    var error = ""
}

/// A file of planted records.
private struct PlantedFile {
    var bytes: [UInt8] = []
    var rows: [[String]] = []
    /// As the columns of dead letters, without the file; the error is a piece of it.
    var letters: [[String]] = []

    private func line(_ offset: Int, endsAtReturn: Bool) -> (number: Int, start: Int) {
        var (number, start) = (1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
        for index in 0..<offset
        where bytes[index] == 10 || (endsAtReturn && bytes[index] == 13 && !(index + 1 < bytes.count && bytes[index + 1] == 10)) {
            number += 1
            start = index + 1
        }
        return (number, start)
    }

    init(_ head: [UInt8], _ records: [Planted], ends: [[UInt8]], hasLastEnd: Bool, endsAtReturn: Bool, random: SeededRandom) {
        bytes = head
        var found: [(Planted, Int)] = []
        for (place, record) in records.enumerated() {
            found.append((record, bytes.count))
            bytes += record.bytes
            guard place + 1 < records.count || hasLastEnd else { continue }
            var end = ends[Int(random.next(below: UInt64(ends.count)))]
            // With what may come behind it a `\r` would be half a line end.
            if end == [13], place + 1 < records.count, records[place + 1].bytes.isEmpty { end = [10] }
            bytes += end
        }
        for (record, offset) in found {
            if let row = record.row {
                rows.append(row)
            } else {
                let (number, start) = line(offset + record.mistake, endsAtReturn: endsAtReturn)
                letters.append([
                    "\(number)", "\(offset + record.mistake - start + 1)", "\(offset)", "\(record.bytes.count)", record.field,
                    escaped(record.bytes), record.error,
                ])
            }
        }
    }
}

private func escaped(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return bytes.map { $0 < 0x80 ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16, uppercase: true) }.joined()
}

private func u(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct FileDeadLetterTests {
    let directory = TemporaryDirectory()
    let three = [Field("a", .int), Field("s", .string), Field("b", .double)]

    func source(
        _ path: String, _ format: FileSourceDescription.Format, _ fields: [Field], limits: FileReadLimits
    ) throws(MillstreamError) -> FileSource {
        let isText = if case .text = format { true } else { false }
        let schema = isText ? Schema.scalar(.string) : Schema(fields)
        var description = FileSourceDescription(paths: [path], format: format, fileSchema: schema)
        description.malformed = .deadLetter
        return try FileSource(description, schema: schema, clock: SimulatedClock(), limits: limits)
    }

    func limits(chunk: Int, range: Int = 1 << 30, record: Int = 1 << 20) -> FileReadLimits {
        var limits = FileReadLimits()
        (limits.chunkByteCount, limits.rangeByteCountMin, limits.recordByteCountMax) = (chunk, Int64(range), record)
        return limits
    }

    /// Whether the letters are the expected ones: equal but for the error, of which a piece is expected.
    func agree(_ found: [[String]], _ expected: [[String]], of path: String) -> Bool {
        found.count == expected.count
            && zip(found, expected).allSatisfy { found, expected in
                found[0] == path && Array(found[1...6]) == Array(expected[..<6]) && found[7].contains(expected[6])
            }
    }

    /// All formats by name, with a generator of one record.
    private func format(
        _ name: String, _ random: SeededRandom
    ) -> (format: FileSourceDescription.Format, head: [UInt8], ends: [[UInt8]], endsAtReturn: Bool, record: () -> Planted) {
        let lines: [[UInt8]] = [[10], [13, 10], [13], [10]]
        func pick(_ planted: [Planted]) -> Planted { planted[Int(random.next(below: UInt64(planted.count)))] }
        let number = Int(random.next(below: 100))
        switch name {
        case "text":
            return (
                .text, [], lines, true,
                {
                    pick([
                        Planted(bytes: u("plain"), row: ["plain"]), Planted(bytes: [], row: [""]), Planted(bytes: u("é, and a longer line"), row: ["é, and a longer line"]),
                        Planted(bytes: [0x61, 0xE9, 0x62], error: "the line is not UTF-8"), Planted(bytes: u("caf") + [0xC3], error: "the line is not UTF-8"),
                    ])
                }
            )
        case "json":
            return (
                .jsonLines, [], [[10], [13, 10], [10, 32, 13, 10]], false,
                {
                    pick([
                        Planted(bytes: u("{\"a\":\(number),\"s\":\"x\"}"), row: ["\(number)", "x", "∅"]), Planted(bytes: u("{\"b\":1.5,\r\"a\":1}"), row: ["1", "∅", "1.5"]),
                        Planted(bytes: u("{\"a\":1.5}"), field: "a", error: "'1.5' is not a value of type INT"),
                        Planted(bytes: u("{\"s\":\"é\",\"b\":\"x\"}"), field: "b", error: "'\"x\"' is not a value of type DOUBLE"),
                        Planted(bytes: u("{\"a\":1,\"s\":tru}"), mistake: 11, error: "not a JSON object"),
                        Planted(bytes: u("[1]"), error: "it is no object"), Planted(bytes: u("{\"s\":\"") + [0xE9] + u("\"}"), error: "UTF-8"),
                    ])
                }
            )
        default:
            let isQuoted = name != "plain"
            var options = CSVOptions(quote: isQuoted ? 0x22 : nil, hasHeader: name == "header")
            options.comment = UInt8(ascii: "#")
            if name == "escaped" { options.escape = UInt8(ascii: "\\") }
            var planted = [
                Planted(bytes: u("\(number),text,2.5"), row: ["\(number)", "text", "2.5"]), Planted(bytes: u(",,"), row: ["∅", "", "∅"]),
                Planted(bytes: u("\(number),a longer text in it,-1"), row: ["\(number)", "a longer text in it", "-1.0"]),
                Planted(bytes: u("x1,é,2"), field: "a", error: "'x1' is not a value of type INT"),
                Planted(bytes: u("1,é,2,3"), error: "4 fields, expected 3"), Planted(bytes: u("1,2"), error: "2 of 3 fields"),
                Planted(bytes: u("1,a, zz "), mistake: 4, field: "b", error: "' zz ' is not a value"),
                Planted(bytes: u("99999999999,x,1"), field: "a", error: "out of range for INT"),
                Planted(bytes: u("1,") + [0xFF, 0xE9] + u(",2"), error: "not UTF-8"), Planted(bytes: u("1,") + [0xE2, 0x82] + u(",2"), error: "not UTF-8"),
            ]
            if isQuoted {
                planted += [
                    Planted(bytes: u("1,\"two\nlines, \"\"said\"\" he\",2"), row: ["1", "two\nlines, \"said\" he", "2.0"]),
                    Planted(bytes: u("1,\"two\r\nlines\",zz"), mistake: 15, field: "b", error: "'zz' is not"),
                    Planted(bytes: u("1,\"a\"b,2"), mistake: 5, error: "text after a closing quote"),
                    Planted(bytes: u("1,\"\n\n\"b,\"\n\""), mistake: 6, error: "text after a closing quote"),
                    Planted(bytes: u("\"1\"\"\",x,2"), field: "a", error: "'1\"' is not"),
                ]
            }
            if name == "escaped" {
                planted += [
                    Planted(bytes: u("1,a\\\nb,x"), mistake: 7, field: "b", error: "'x' is not"), Planted(bytes: u("1,a\\,b,3"), row: ["1", "a,b", "3.0"]),
                ]
            }
            return (
                .csv(options), name == "header" ? u("#c\r\na,s,b\r\n") : [], lines + [[10, 10], [13, 10, 35, 34, 10]], true, { pick(planted) }
            )
        }
    }

    @Test(arguments: ["text", "json", "csv", "header", "escaped", "plain"], 0..<12)
    func everyRecordIsARowOrALetter(name: String, seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        for round in 0..<6 {
            let made = format(name, random)
            let records = (0..<Int(random.next(below: 60))).map { _ in made.record() }
            // Without a line end an empty last record is none.
            let hasLastEnd = seed % 2 == 0 || (records.last?.bytes.isEmpty ?? true)
            let mark: [UInt8] = round % 3 == 1 ? [0xEF, 0xBB, 0xBF] : []
            let file = PlantedFile(
                mark + made.head, records, ends: made.ends, hasLastEnd: hasLastEnd, endsAtReturn: made.endsAtReturn, random: random)
            let path = directory.write("in", file.bytes)
            for (chunk, rowLimit) in [(1, 7), (Int(random.next(below: 200)) + 1, 1), (1 << 20, 5), (1 << 20, 4_096)] {
                let driver = try SourceDriver(source(path, made.format, three, limits: limits(chunk: chunk)))
                let rows = try driver.batches(rowLimit: rowLimit).rows
                let letters = driver.letters.rows
                #expect(rows == file.rows, "\(name) \(seed) \(round) \(chunk)")
                #expect(agree(letters, file.letters, of: path), "\(name) \(seed) \(round) \(chunk): \(letters) \(file.letters)")
                #expect(driver.letters.allSatisfy { $0.count <= 2 * rowLimit })
                #expect(Int(driver.metrics.malformedRecords.value) == file.letters.count)
                #expect(Int(driver.metrics.recordsFailed.value) == file.letters.count)
                #expect(Int(driver.metrics.bytesIn.value) == file.bytes.count || file.rows.isEmpty && file.letters.isEmpty)
            }
        }
    }

    @Test(arguments: ["text", "json", "plain"], 0..<6)
    func rangesKnowTheirLines(name: String, seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed) &+ 1_000)
        let made = format(name, random)
        let file = PlantedFile(
            seed % 2 == 0 ? [0xEF, 0xBB, 0xBF] : [], (0..<1_500).map { _ in made.record() }, ends: made.ends, hasLastEnd: true,
            endsAtReturn: made.endsAtReturn, random: random)
        let path = directory.write("in", file.bytes)
        for (parallelism, range) in [(1, 100), (2, 97), (4, 101), (4, 1_009), (3, file.bytes.count / 2)] {
            let driver = try SourceDriver(source(path, made.format, three, limits: limits(chunk: 64, range: range)), parallelism: parallelism)
            let rows = try driver.batches().rows
            let letters = driver.letters.rows.sorted { Int($0[3])! < Int($1[3])! }
            #expect(rows.map { $0.joined(separator: "|") }.sorted() == file.rows.map { $0.joined(separator: "|") }.sorted())
            #expect(agree(letters, file.letters, of: path), "\(name) \(seed) \(parallelism) \(range)")
        }
    }

    @Test func everySnapshotGoesOn() throws {
        let random = SeededRandom(seed: 5)
        for name in ["header", "plain"] {
            let made = format(name, random)
            let file = PlantedFile(
                made.head, (0..<120).map { _ in made.record() }, ends: made.ends, hasLastEnd: true, endsAtReturn: true, random: random)
            let path = directory.write("in", file.bytes)
            func make() throws -> SourceDriver {
                try SourceDriver(source(path, made.format, three, limits: limits(chunk: 100, range: 150)), parallelism: 2)
            }
            let driver = try make()
            var before: [Batch] = []
            while true {
                let step = try driver.step(0, rowLimit: 3)
                if case .end = step { break }
                if case .batch(let batch, _) = step { before.append(batch) }
                let restored = try make()
                try restored.enumerator.restore(try driver.enumerator.snapshot())
                for split in try driver.readers[0].snapshot() { try restored.readers[1].addSplit(split) }
                let rows = before.rows + (try restored.batches().rows)
                #expect(rows.map { $0.joined(separator: "|") }.sorted() == file.rows.map { $0.joined(separator: "|") }.sorted())
                let letters = (driver.letters.rows + restored.letters.rows).sorted { Int($0[3])! < Int($1[3])! }
                #expect(agree(letters, file.letters, of: path))
            }
        }
    }

    @Test func longTextsAreCut() throws {
        let kept = 65_536
        let cases: [([UInt8], String)] = [
            (Array(repeating: 0x79, count: kept), String(repeating: "y", count: kept)),
            (Array(repeating: 0x79, count: kept + 1), String(repeating: "y", count: kept) + "…"),
            // Not in the middle of a character.
            (Array(repeating: 0x79, count: kept - 1) + u("é and more"), String(repeating: "y", count: kept - 1) + "…"),
            (Array(repeating: 0x79, count: kept - 2) + [0xE9] + u("é and more"), String(repeating: "y", count: kept - 2) + "\\xE9…"),
        ]
        for (line, expected) in cases {
            let path = directory.write("in.jsonl", u("{}\n") + line + u("\n{\"a\":7}\n"))
            let driver = try SourceDriver(source(path, .jsonLines, three, limits: limits(chunk: 1_000)))
            #expect(try driver.batches().rows == [["∅", "∅", "∅"], ["7", "∅", "∅"]])
            let letters = driver.letters.rows
            #expect(letters.map { [$0[1], $0[3], $0[4], $0[6]] } == [["2", "3", "\(line.count)", expected]])
        }
    }

    /// Records that are longer than the limit, in every format, at every place, with what their ends may look like.
    @Test(arguments: ["text", "json", "csv", "escaped", "plain"], 0..<8)
    func recordsThatAreTooLongArePassedOver(name: String, seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed) &+ 50)
        let made = format(name, random)
        let long = String(repeating: "y", count: 4_500 + Int(random.next(below: 3_000)))
        let inner = name == "csv" || name == "escaped" ? ["1,\"\(long)\n,\"\"\r\n\",x", "\"a\nb\",\(long)\",\"\n", "1,\"a\"\(long)\",2"] : [long, "{\(long)", "[\(long)\r\r]"]
        var records = (0..<20).map { _ in made.record() }
        for _ in 0..<3 {
            var text = inner[Int(random.next(below: UInt64(inner.count)))]
            if name == "escaped", seed % 2 == 0 { text = "a\\\n\\\r\"\\,\(long),\"\\\"\n\"" }
            if name == "csv" || name == "escaped" { text = text.hasSuffix("\n") ? text + "\"" : text }
            if name == "text" || name == "plain" { text = text.split(separator: "\r").joined() }
            records.insert(Planted(bytes: u(text), error: "longer than 2000 bytes"), at: Int(random.next(below: UInt64(records.count + 1))))
        }
        let file = PlantedFile([], records, ends: made.ends, hasLastEnd: seed % 3 != 0 || records.last!.bytes.isEmpty, endsAtReturn: made.endsAtReturn, random: random)
        let path = directory.write("in", file.bytes)
        let isSplit = name == "text" || name == "json" || name == "plain"
        for (chunk, range) in [(1, 1 << 30), (100, 700), (1_999, 1_500)] {
            let driver = try SourceDriver(
                source(path, made.format, three, limits: limits(chunk: chunk, range: range, record: 2_000)), parallelism: isSplit ? 3 : 1)
            let rows = try driver.batches().rows
            let letters = driver.letters.rows.sorted { Int($0[3])! < Int($1[3])! }
            #expect(rows.map { $0.joined(separator: "|") }.sorted() == file.rows.map { $0.joined(separator: "|") }.sorted(), "\(name) \(seed) \(chunk)")
            #expect(agree(letters, file.letters, of: path), "\(name) \(seed) \(chunk) \(letters.map { $0[..<6] }) \(file.letters.map { $0[..<5] })")
        }
    }

    @Test func aLineWithoutEndIsNotKept() throws {
        let path = directory.path + "/endless"
        let file = open(path, O_WRONLY | O_CREAT, 0o644)
        // So long that what the tests beside this one take is little against it.
        #expect(ftruncate(file, 2 << 30) == 0)
        close(file)
        let driver = try SourceDriver(source(path, .text, [], limits: limits(chunk: 1 << 20, record: 8 << 20)))
        let before = peakByteCount()
        #expect(try driver.batches().isEmpty)
        #expect(driver.letters.rows.map { Array($0[1...4]) } == [["1", "1", "0", "\(2 << 30)"]])
        #expect(driver.letters.rows.allSatisfy { $0[6].utf8.count == 65_536 + 3 })
        #expect(peakByteCount() - before < 512 << 20)
    }

    private func peakByteCount() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1_024
    }

    /// Where nobody can count the lines any more, the offset is still right.
    @Test func filesThatWereRemovedHaveNoLines() throws {
        let lines = (0..<400).map { $0 % 10 == 3 ? [0x62, 0xFF, 10] : u("\($0)\n") }
        let path = directory.write("in", lines.flatMap { $0 })
        let driver = try SourceDriver(source(path, .text, [], limits: limits(chunk: 50, range: 100)), parallelism: 2)
        _ = try driver.step(0)
        _ = try driver.step(1)
        // Both have a range; the second one's file goes before its first record is looked at.
        var second: [Batch] = []
        if case .batch(let batch, _) = try driver.step(1, rowLimit: 1) { second.append(batch) }
        unlink(path)
        while true {
            let step = try driver.step(1, rowLimit: 1)
            if case .batch(let batch, _) = step { second.append(batch) }
            if driver.letters.rows.count > 1 { break }
            if case .end = step { break }
        }
        let letters = driver.letters.rows
        #expect(!letters.isEmpty && letters.allSatisfy { $0[1] == "∅" && $0[2] == "1" })
        let bytes = lines.flatMap { $0 }
        #expect(letters.allSatisfy { bytes[Int($0[3])! + 1] == 0xFF })
    }
}
