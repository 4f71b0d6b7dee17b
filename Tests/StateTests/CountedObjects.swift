import Columnar

/// Host values for tests: boxes with a reference count, equal by value and hashed as integers.
struct CountedBox {
    var references: Int
    var value: Int64
}

func makeBox(_ value: Int64) -> HostObjects.Handle {
    let box = UnsafeMutablePointer<CountedBox>.allocate(capacity: 1)
    box.initialize(to: CountedBox(references: 1, value: value))
    return UnsafeMutableRawPointer(box)
}

func box(_ handle: HostObjects.Handle) -> UnsafeMutablePointer<CountedBox> { handle.assumingMemoryBound(to: CountedBox.self) }

/// A comparison with this value fails.
let incomparableValue: Int64 = -999

let countedObjects = HostObjects(
    retain: { handles, count in
        for index in 0..<count { if let handle = handles[index] { box(handle).pointee.references += 1 } }
    },
    release: { handles, count in
        for index in 0..<count { if let handle = handles[index] { box(handle).pointee.references -= 1 } }
    },
    hash: { handles, count, hashes in
        for index in 0..<count { hashes[index] = handles[index].map { StableHash.hash(box($0).pointee.value) } ?? StableHash.null }
        return -1
    },
    equal: { left, right in
        guard let left, let right else { return left == right ? 1 : 0 }
        if box(left).pointee.value == incomparableValue || box(right).pointee.value == incomparableValue { return -1 }
        return box(left).pointee.value == box(right).pointee.value ? 1 : 0
    },
    compare: { left, right in
        guard let left, let right else { return 2 }
        let (a, b) = (box(left).pointee.value, box(right).pointee.value)
        return a < b ? -1 : a > b ? 1 : 0
    },
    describe: { handle, text, capacity in
        let description = Array("box \(handle.map { box($0).pointee.value } ?? 0)".utf8.prefix(capacity))
        for (index, byte) in description.enumerated() { text[index] = byte }
        return description.count
    })

/// A column of handles that takes over the references; nil is null.
func objectColumn(_ handles: [HostObjects.Handle?]) throws -> Column {
    var builder = HandleBuilder(objects: countedObjects)
    for handle in handles { if let handle { try builder.append(owned: handle) } else { try builder.appendNull() } }
    return builder.finish()
}
