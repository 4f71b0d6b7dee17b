import Columnar
import Plan

/// The folders `key=value` of a partitioned table: what is in their names, and which of them are asked for.
struct PartitionFolders {
    let keys: [String]
    let defaultName: String
    /// The values asked for, a nil for NULL; nil: all.
    private let wanted: [[String?]]?

    /// nil for a table that is not partitioned.
    init?(_ description: FileSourceDescription) {
        guard !description.partitionKeys.isEmpty else { return nil }
        keys = description.partitionKeys
        defaultName = description.defaultPartitionName
        wanted = description.partitions
    }

    /// Whether a folder with this name may lead to a wanted file: only a key's folder with another value does not.
    func mayBeWanted(folder name: String) -> Bool {
        guard let wanted, let (key, value) = PartitionFolders.split(name), let place = keys.firstIndex(where: { equal($0, key) }) else { return true }
        return wanted.contains { isEqual($0[place], value) }
    }

    /// Whether a file is in folders of all keys, with values that are asked for.
    func isWanted(_ path: String) -> Bool {
        let found = values(of: path)
        guard !found.contains(where: { $0 == nil }) else { return false }
        guard let wanted else { return true }
        return wanted.contains { partition in zip(partition, found).allSatisfy { isEqual($0, $1 ?? "") } }
    }

    /// The text of each key's value in a path; nil where there is no folder for the key. The innermost folder counts.
    func values(of path: String) -> [String?] {
        var found: [String?] = Array(repeating: nil, count: keys.count)
        for component in path.utf8.split(separator: 0x2F).dropLast() {
            guard let (key, value) = PartitionFolders.split(String(decoding: component, as: UTF8.self)) else { continue }
            if let place = keys.firstIndex(where: { equal($0, key) }) { found[place] = value }
        }
        return found
    }

    private func isEqual(_ wanted: String?, _ value: String) -> Bool { equal(wanted ?? defaultName, value) }

    /// By bytes: other than Swift's own comparison, no two texts are the same that look so.
    private func equal(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    /// `key=value` of a folder's name, both without escapes.
    private static func split(_ name: String) -> (String, String)? {
        guard let sign = name.utf8.firstIndex(of: 0x3D), sign != name.utf8.startIndex else { return nil }
        let value = name.utf8[name.utf8.index(after: sign)...]
        guard !value.isEmpty else { return nil }
        return (unescaped(name.utf8[..<sign]), unescaped(value))
    }

    private static func unescaped(_ bytes: Substring.UTF8View) -> String {
        var result: [UInt8] = []
        var rest = Array(bytes)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2, let high = hexValue(rest[rest.startIndex]), let low = hexValue(rest[rest.startIndex + 1]) {
                result.append(high << 4 | low)
                rest.removeFirst(2)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension TextBuffer {
    /// A key or value as a part of a folder's name, with `%XX` for what a path cannot hold; Flink's set of characters.
    func append(pathName bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if byte < 0x20 || byte == 0x7F || "\"#%'*/:=?\\{[]^".utf8.contains(byte) {
                append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] { append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") - 10 + digit) }
            } else {
                append(byte)
            }
        }
    }
}

/// The columns of a file's path and attributes, which are the same for all of its rows.
final class PathColumns {
    private let columns: [PathColumn]
    private let schema: Schema
    private let folders: PartitionFolders?
    /// The columns of the file that was read last, with room for as many rows as a batch had so far; batches share their memory.
    private var made: [Column] = []
    private var path: String?
    private var capacity = 0

    init(_ description: FileSourceDescription, schema: Schema) {
        columns = description.pathColumns
        folders = PartitionFolders(description)
        self.schema = schema
    }

    /// The batch with the columns behind its own. Throws `decode` for a folder's value that is none of its column's type.
    func appending(to batch: Batch, _ split: FileSplit) throws(MillstreamError) -> Batch {
        let count = batch.physicalCount
        if path != split.path || capacity < count {
            capacity = max(count, path == split.path ? capacity &* 2 : count)
            path = split.path
            made = try make(split)
        }
        var result = batch
        result.schema = schema
        result.columns += made.map { $0.slice(0, count) }
        return result
    }

    private func make(_ split: FileSplit) throws(MillstreamError) -> [Column] {
        let values = folders?.values(of: split.path) ?? []
        var result: [Column] = []
        for column in columns {
            let scalar: Scalar
            switch column {
            case .partition(let key, let type):
                let place = folders?.keys.firstIndex { $0.utf8.elementsEqual(key.utf8) }
                scalar = try partitionValue(place.flatMap { values[$0] }, key: key, type, split)
            case .filePath: scalar = .string(split.path)
            case .fileName: scalar = .bytes(Array(split.path.utf8.split(separator: 0x2F).last ?? ""[...].utf8))
            case .fileSize: scalar = .int64(split.identity.byteCount)
            case .modificationTime: scalar = .int64(split.identity.modifiedNanoseconds.floorDivided(by: 1_000_000))
            }
            result.append(try Column.constant(scalar, type: column.type, count: capacity))
        }
        return result
    }

    private func partitionValue(_ text: String?, key: String, _ type: DataType, _ split: FileSplit) throws(MillstreamError) -> Scalar {
        guard let text, let folders else {
            throw MillstreamError(.decode, "'\(split.path)' is in no folder '\(key)=...'", domain: .external)
        }
        if text.utf8.elementsEqual(folders.defaultName.utf8) { return .null }
        guard let value = partitionScalar(text, type) else {
            throw MillstreamError(
                .decode, "'\(split.path)': the folder's value '\(text.prefix(200))' of '\(key)' is not a value of type \(type)", domain: .external)
        }
        return value
    }
}
