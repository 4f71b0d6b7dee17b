import Checkpoint
import Columnar

/// Writes a host value, which the tests have as a small integer, as its digits.
public final class DigitCoding: ObjectCoding {
    public init() {}

    public func encode(_ column: Column) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: .bytes)
        for index in 0..<column.count {
            if column.isNull(index) {
                try builder.appendNull()
            } else {
                let handle = column.pointer(as: HostObjects.Handle?.self)[index]
                try builder.append(.bytes(Array("\(Int(bitPattern: handle))".utf8)))
            }
        }
        return builder.finish()
    }

    public func decode(_ column: Column) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: .object, hostObjects: testObjects)
        for index in 0..<column.count {
            let number = column.isNull(index) ? nil : Int(String(decoding: column.bytes(index), as: UTF8.self))
            guard let number else {
                try builder.appendNull()
                continue
            }
            try builder.append(.object(ObjectScalar(handle: HostObjects.Handle(bitPattern: number), objects: testObjects, keeper: testObjects)))
        }
        return builder.finish()
    }
}
