import Checkpoint
import Columnar
import Dataflow
import Testing

@Suite struct ManifestTests {
    private let manifest = Manifest(
        jobName: "zählen", id: CheckpointID(7), isSavepoint: false, triggered: ProcessingTime(milliseconds: -5),
        operators: [
            Manifest.OperatorState(
                id: OperatorID("count"), name: "count", parallelism: 2, maxParallelism: 128,
                files: [
                    Manifest.SubtaskFile(
                        subtask: SubtaskIndex(1), file: StateFile.Summary(name: "chk-7/count-1", byteCount: 80, rowCount: 3, checksum: .max)),
                ], coordinator: [1, 2, 3]),
            Manifest.OperatorState(id: OperatorID(""), name: "", parallelism: 1, maxParallelism: 1),
        ],
        properties: [Manifest.Property("python", "3.11"), Manifest.Property("engine", "0.1")])

    @Test func whatIsWrittenIsRead() throws {
        let read = try Manifest(decoding: try manifest.encode(), path: "/m")
        #expect(read == manifest)
        #expect(read.properties.map(\.name) == ["engine", "python"])
    }

    @Test func damageIsSeen() throws {
        let whole = try manifest.encode()
        for place in whole.indices {
            var damaged = whole
            damaged[place] ^= UInt8(1 << (place % 8))
            #expect(throws: MillstreamError.self, "byte \(place)") { try Manifest(decoding: damaged, path: "/m") }
        }
        for count in whole.indices {
            #expect(throws: MillstreamError.self, "cut at \(count)") { try Manifest(decoding: Array(whole.prefix(count)), path: "/m") }
        }
    }

    @Test func aNewerVersionSaysSo() throws {
        var bytes = try manifest.encode()
        bytes[6] = 2
        let error = #expect(throws: MillstreamError.self) { try Manifest(decoding: bytes, path: "/m") }
        #expect(error?.message == "'/m' has the format version 2, this Millstream reads version 1")
    }
}
