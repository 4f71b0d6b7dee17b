import Columnar
import TestColumns
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct HashTests {
    @Test func goldenVectors() throws {
        let vectors = try goldenLines("hash_vectors.txt")
        #expect(vectors.count > 150)
        for line in vectors {
            let parts = line.split(separator: "\t")
            let expression = Expression(parts[0])
            let expected = try #require(UInt64(parts[1], radix: 16))
            #expect(try expression.hash() == expected, "\(line)")
        }
    }

    @Test(arguments: 0..<80) func slicesAndSelectionsHashAsDenseColumns(seed: Int) throws {
        var columns = RandomColumns(seed)
        let count = columns.random.int(0..<150)
        let key = try (0..<columns.random.int(1..<4)).map { _ in try columns.column(columns.type(), count) }
        let all = try hashes(key, count, nil)
        let indices = (0..<count).filter { _ in columns.random.chance(60) }.map { Int32($0) }
        let selection = Selection(indices)
        let chosen = try hashes(key, count, selection)
        #expect(chosen == indices.map { all[Int($0)] })
        let dense = try key.map { try $0.taking(selection) }
        #expect(try hashes(dense, indices.count, nil) == chosen, "\(key.map(\.type))")
    }

    @Test func keyedBatchesHashTheRowsThatCount() throws {
        var columns = RandomColumns(3)
        let column = try columns.column(.string, 100)
        let batch = Batch(schema: .scalar(.string), columns: [column], count: 100, selection: Selection([5, 3, 99]))
        let keyed = try batch.keyed(by: [column])
        let hashColumn = try #require(keyed.keyHashes)
        let expected = try hashes([column], 100, nil)
        for row in [5, 3, 99] { #expect(hashColumn.pointer(as: UInt64.self)[row] == expected[row]) }
    }

    @Test func hostValuesThatAreNoKeysAreNamed() throws {
        var builder = HandleBuilder(objects: testObjects)
        liveHandles.add(3, ordering: .relaxed)
        try builder.append(owned: HostObjects.Handle(bitPattern: 1000))
        try builder.appendNull()
        try builder.append(owned: HostObjects.Handle(bitPattern: 666))
        try builder.append(owned: HostObjects.Handle(bitPattern: 1001))
        let column = builder.finish()
        let error = #expect(throws: MillstreamError.self) { try hashes([column], 4, nil) }
        #expect(error?.code == .key && error?.recordIndex == 2)
        let rest = try hashes([column], 4, Selection([1, 3, 0]))
        #expect(rest == [StableHash.null, StableHash.hash(Int64(1001)), StableHash.hash(Int64(1000))])
    }

    private func hashes(_ key: [Column], _ count: Int, _ selection: Selection?) throws -> [UInt64] {
        // Not without initial values: for none of them the library writes into the one empty array that all threads share, which ThreadSanitizer sees.
        var result = [UInt64](repeating: 0, count: selection?.count ?? count)
        try result.withUnsafeMutableBufferPointer { buffer in
            guard let target = buffer.baseAddress else { return }
            try Columnar.hash(columns: key, count: count, selection: selection, into: target)
        }
        return result
    }
}

/// The lines of a file in Golden.
func goldenLines(_ name: String) throws -> [Substring] {
    let path = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/")!)) + "/Golden/" + name
    let file = try #require(fopen(path, "r"), "\(path)")
    defer { fclose(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk[0..<count] }
    return String(decoding: text, as: UTF8.self).split(separator: "\n")
}

/// A vector's left side, e.g. `(row (bigint 1) (bytes x6162))`.
private struct Expression {
    var kind = ""
    var argument = ""
    var parts: [Expression] = []

    init(_ text: Substring) {
        var rest = text[...]
        self.init(parsing: &rest)
    }

    private init(parsing rest: inout Substring) {
        rest.removeFirst()
        kind = String(rest.prefix { $0 != " " && $0 != ")" })
        rest = rest.dropFirst(kind.count)
        while rest.first == " " {
            rest.removeFirst()
            if rest.first == "(" {
                parts.append(Expression(parsing: &rest))
            } else {
                argument = String(rest.prefix { $0 != ")" })
                rest = rest.dropFirst(argument.count)
            }
        }
        rest.removeFirst()
    }

    func hash() throws -> UInt64 {
        let key = kind == "key" ? try parts.map { try $0.column() } : [try column()]
        var result: UInt64 = 0
        try Columnar.hash(columns: key, count: 1, selection: nil, into: &result)
        return result
    }

    private func column() throws -> Column {
        let builder = try ColumnBuilder.make(for: type)
        try builder.append(scalar)
        return builder.finish()
    }

    private var type: DataType {
        switch kind {
        case "boolean": .boolean
        case "tinyint": .tinyInt
        case "smallint": .smallInt
        case "int": .int
        case "bigint": .bigInt
        case "float": .float
        case "double": .double
        case "decimal": DataType(.decimal(precision: 38, scale: 0))
        case "bytes": .bytes
        case "row": DataType(.row(parts.enumerated().map { Field("f\($0)", $1.type) }))
        case "array": DataType(.array(parts.first?.type ?? .null))
        case "map":
            DataType(
                .map(
                    key: parts.first?.type ?? .null,
                    value: (1..<max(1, parts.count)).lazy.map { parts[$0].type }.first { $0 != .null && $0 != .bigInt } ?? .null))
        default: .null
        }
    }

    private var scalar: Scalar {
        switch kind {
        case "boolean": .boolean(argument == "1")
        case "float": .double(Double(Float(bitPattern: UInt32(argument)!)))
        case "double": .double(Double(bitPattern: UInt64(argument)!))
        case "decimal": .decimal(Int128(argument)!)
        case "bytes": .bytes(bytes)
        case "row": .row(parts.map(\.scalar))
        case "array": .list(parts.map(\.scalar))
        case "map":
            .map(
                keys: stride(from: 0, to: parts.count, by: 2).map { parts[$0].scalar },
                values: stride(from: 1, to: parts.count, by: 2).map { parts[$0].scalar })
        case "null": .null
        default: .int64(Int64(argument)!)
        }
    }

    private var bytes: [UInt8] {
        let digits = Array(argument.dropFirst())
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
    }
}
