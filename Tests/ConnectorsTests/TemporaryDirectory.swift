import Columnar
import Glibc

/// A directory of a test's own, gone with it.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/millstream-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { TemporaryDirectory.remove(path) }

    /// Writes a file, with the directories above it, and returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) -> String {
        let target = path + "/" + name
        var parent = path
        for part in name.split(separator: "/").dropLast() {
            parent += "/" + part
            mkdir(parent, 0o755)
        }
        let file = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        var done = 0
        while done < bytes.count { done += bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress! + done, bytes.count - done) } }
        close(file)
        return target
    }

    @discardableResult
    func write(_ name: String, _ text: String) -> String { write(name, Array(text.utf8)) }

    static func remove(_ path: String) {
        guard let stream = opendir(path) else {
            unlink(path)
            return
        }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        closedir(stream)
        for name in names where name != "." && name != ".." { remove(path + "/" + name) }
        rmdir(path)
    }

    static func read(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var result: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = Glibc.read(file, &part, part.count), count > 0 { result += part[..<count] }
        return result
    }
}

/// A cell as text, "∅" for null: what the tests compare.
func cellText(_ column: Column, _ row: Int) -> String {
    switch column.scalar(at: row) {
    case .null: "∅"
    case .boolean(let value): "\(value)"
    case .int64(let value): "\(value)"
    case .double(let value): "\(value)"
    case .decimal(let value): "\(value)"
    case .bytes(let value): String(decoding: value, as: UTF8.self)
    case .list(let values): "[" + values.map { "\($0)" }.joined(separator: ",") + "]"
    case let other: "\(other)"
    }
}

extension Array where Element == Batch {
    /// All rows that count, as texts.
    var rows: [[String]] {
        flatMap { batch in
            (0..<batch.count).map { place in
                let row = batch.selection.map { $0[place] } ?? place
                return batch.columns.map { cellText($0, row) }
            }
        }
    }
}
