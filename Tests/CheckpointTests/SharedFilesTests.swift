import Checkpoint
import Columnar
import Dataflow
import State
import Testing

@Suite struct SharedFilesTests {
    private func file(_ name: String, _ object: String) -> StoredFile {
        StoredFile(name: name, object: object, isShared: true, byteCount: 10, checksum: StableHash.hash(bytes: UnsafeRawBufferPointer(start: nil, count: 0)) &+ UInt64(object.utf8.count))
    }

    @Test("A file goes with the last checkpoint that needs it, and is written once")
    func counting() {
        let random = SeededRandom(seed: 3)
        var shared = SharedFiles()
        // The model: what each checkpoint that is not gone needs.
        var needs: [CheckpointID: Set<String>] = [:]
        var there: Set<String> = []
        for number in 1...400 {
            let checkpoint = CheckpointID(Int64(number))
            var own: Set<String> = []
            for store in 0..<2 as Range<UInt64> {
                // A store's files are a window over its numbers, as compactions make new ones of old ones.
                for name in (number / 3)..<(number / 3 + 5) where random.next(below: 8) > 0 {
                    let wanted = StoreFile(name: "\(name).sst", byteCount: 10, isShared: true)
                    if let known = shared.take(wanted, of: store, for: checkpoint) {
                        #expect(there.contains(known.object))
                        own.insert(known.object)
                    } else {
                        let object = "shared/\(number)-\(store)-\(name)"
                        #expect(there.insert(object).inserted)
                        shared.add(file(wanted.name, object), of: store, for: checkpoint)
                        own.insert(object)
                    }
                }
            }
            needs[checkpoint] = own
            // Subsumed in order, or aborted out of it.
            while needs.count > 3 {
                guard let gone = needs.keys.sorted().dropLast(Int(random.next(below: 2))).first else { break }
                needs[gone] = nil
                for object in shared.remove(gone) {
                    #expect(!needs.values.contains { $0.contains(object) })
                    // One deletion in three fails, and is asked for again.
                    if random.next(below: 3) > 0 {
                        shared.onDeleted(object)
                        there.remove(object)
                    }
                }
            }
            #expect(needs.values.allSatisfy { $0.isSubset(of: there) })
        }
        for checkpoint in needs.keys.sorted() {
            for object in shared.remove(checkpoint) {
                shared.onDeleted(object)
                there.remove(object)
            }
        }
        #expect(there.isEmpty && shared.isEmpty)
    }

    @Test("An object of another job of the same name is not taken for one's own")
    func strangers() {
        var shared = SharedFiles()
        let own = file("1.sst", "shared/1-a")
        shared.add(own, of: 1, for: CheckpointID(1))
        var restored = StoreFile(name: "1.sst", byteCount: 10, isShared: true, stored: own)
        #expect(shared.take(restored, of: 2, for: CheckpointID(2)) == own)
        restored.stored?.checksum += 1
        #expect(shared.take(restored, of: 3, for: CheckpointID(2)) == nil)
        #expect(shared.remove(CheckpointID(1)).isEmpty)
        #expect(shared.remove(CheckpointID(2)) == ["shared/1-a"])
    }
}
