import Glibc

/// Names of time zones.
enum TimeZoneName {
    /// Whether a session can be in it: `UTC`, `GMT+02:00`, `+02:00`, or a name that the system's database of time zones has.
    static func isKnown(_ name: String) -> Bool {
        if ["UTC", "GMT", "UT", "Z"].contains(name) { return true }
        for prefix in ["UTC", "GMT", "UT", ""] where name.hasPrefix(prefix) {
            if isOffset(Array(name.utf8.dropFirst(prefix.utf8.count))) { return true }
        }
        return hasFile(name)
    }

    /// `+2`, `+02`, `+0200`, `+02:00`, `-08:30:15`, up to 18 hours.
    private static func isOffset(_ text: [UInt8]) -> Bool {
        guard let sign = text.first, sign == 43 || sign == 45 else { return false }
        let parts = text.dropFirst().split(separator: 58, omittingEmptySubsequences: false).map(Array.init)
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 >= 48 && $0 <= 57 } }) else { return false }
        let digits = parts.map { Int(String(decoding: $0, as: UTF8.self)) ?? 99_999 }
        if parts.count > 1 {
            return parts.allSatisfy { $0.count == 2 } && digits[0] <= 18 && digits[1] <= 59 && (digits.count == 2 || digits[2] <= 59)
        }
        switch parts[0].count {
        case 1, 2: return digits[0] <= 18
        case 4: return digits[0] / 100 <= 18 && digits[0] % 100 <= 59
        default: return false
        }
    }

    private static func hasFile(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count < 64, bytes[0] != 47 else { return false }
        // A name, not a way out of the folder.
        let isName = bytes.allSatisfy { $0 >= 48 && $0 <= 57 || $0 >= 65 && $0 <= 90 || $0 >= 97 && $0 <= 122 || [43, 45, 47, 95].contains($0) }
        guard isName else { return false }
        let folder = getenv("TZDIR").map { String(cString: $0) } ?? "/usr/share/zoneinfo"
        var status = stat()
        return stat("\(folder)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}
