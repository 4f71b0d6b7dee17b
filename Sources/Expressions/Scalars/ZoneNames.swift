import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// What names stand for which time zone, and where the system keeps them.
enum ZoneNames {
    /// The tz database's folder is one of these.
    private static let folders = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"]
    /// Bounds what a damaged folder can make us read: the largest file has a few KB.
    private static let fileByteCountMax = 1 << 20

    /// Java's three-letter names of `java.util.TimeZone`.
    static let aliases: [String: String] = [
        "ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo", "AST": "America/Anchorage",
        "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare", "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai",
        "EAT": "Africa/Addis_Ababa", "ECT": "Europe/Paris", "EST": "-05:00", "HST": "-10:00", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata",
        "JST": "Asia/Tokyo", "MIT": "Pacific/Apia", "MST": "-07:00", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
        "PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
    ]

    // MARK: Fixed offsets

    /// UTC and offsets, as `java.time.ZoneId` reads them; nil for anything else.
    static func fixed(_ name: String) -> Zone? {
        if name == "UTC" { return .utc }
        if ["Z", "GMT", "UT"].contains(name) { return Zone(name: name, offset: 0) }
        let text = Array(name.utf8)
        if text.first == 0x2B || text.first == 0x2D { return offset(text[...]).map { Zone(name: name, offset: $0) } }
        for prefix in ["UTC", "GMT", "UT"] where name.hasPrefix(prefix) {
            let rest = text.dropFirst(prefix.utf8.count)
            guard let sign = rest.first, sign == 0x2B || sign == 0x2D else { continue }
            return offset(rest).map { Zone(name: name, offset: $0) }
        }
        return nil
    }

    /// `+h`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss` or `+hhmmss`, up to 18 hours, in seconds.
    static func offset(_ text: ArraySlice<UInt8>) -> Int64? {
        guard let sign = text.first else { return nil }
        let rest = Array(text.dropFirst())
        var digits: [Int64] = []
        for (index, byte) in rest.enumerated() {
            if byte == 0x3A, rest.count == 5 || rest.count == 8, index == 2 || index == 5 { continue }
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            digits.append(Int64(byte - 0x30))
        }
        let hasColons = rest.count != digits.count
        guard hasColons ? digits.count == 4 || digits.count == 6 : [1, 2, 4, 6].contains(digits.count) else { return nil }
        if hasColons, rest.count != digits.count + digits.count / 2 - 1 { return nil }
        let hours = digits.count == 1 ? digits[0] : digits[0] * 10 + digits[1]
        let minutes = digits.count >= 4 ? digits[2] * 10 + digits[3] : 0
        let seconds = digits.count == 6 ? digits[4] * 10 + digits[5] : 0
        guard minutes < 60, seconds < 60 else { return nil }
        let total = hours * 3600 + minutes * 60 + seconds
        guard total <= 18 * 3600 else { return nil }
        return sign == 0x2D ? -total : total
    }

    /// `GMT+h`, `GMT+hh`, `GMT+hmm`, `GMT+hhmm` or `GMT+h:mm`, up to 23:59, as `java.util.TimeZone` reads them.
    static func custom(_ name: String) -> Zone? {
        let text = Array(name.utf8.dropFirst(3))
        guard text.count >= 2, text[0] == 0x2B || text[0] == 0x2D else { return nil }
        let parts = text.dropFirst().split(separator: 0x3A, omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ $0.count >= 1 && $0.count <= 4 && $0.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }) else { return nil }
        let numbers = parts.map { $0.reduce(0) { $0 * 10 + Int64($1 - 0x30) } }
        var hours = numbers[0]
        var minutes: Int64 = 0
        if parts.count == 2 {
            guard parts[0].count <= 2, parts[1].count == 2 else { return nil }
            minutes = numbers[1]
        } else if parts[0].count > 2 {
            (hours, minutes) = (hours / 100, hours % 100)
        }
        guard hours <= 23, minutes <= 59 else { return nil }
        let total = hours * 3600 + minutes * 60
        return Zone(name: name, offset: text[0] == 0x2D ? -total : total)
    }

    // MARK: The system's database

    /// The zone in the file of a name; nil where there is none. Throws `io` where there is no database at all.
    static func load(_ name: String) throws(MillstreamError) -> Zone? {
        guard let folder = folders.first(where: { access($0, R_OK) == 0 }) else {
            throw MillstreamError(
                .io, "the time zone '\(name)' cannot be looked up: the system has no tz database at \(folders[0])",
                hint: "Install the system's package tzdata, or use UTC or an offset such as GMT+02:00.", domain: .external)
        }
        guard isPlausible(name), let bytes = read(folder + "/" + name) else { return nil }
        return bytes.withUnsafeBytes { ZoneFile.zone(name: name, $0) }
    }

    /// Names are paths within the folder: letters, digits and `_+-.~` in parts between slashes. `right` (with leap seconds) and other folders in lower case are no zones.
    private static func isPlausible(_ name: String) -> Bool {
        let text = Array(name.utf8)
        guard text.count >= 2, text.count <= 100, let first = text.first, first >= 0x41, first <= 0x5A else { return false }
        let isNamed = text.allSatisfy { byte in
            (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39) || [0x5F, 0x2B, 0x2D, 0x2E, 0x2F, 0x7E].contains(byte)
        }
        return isNamed && text.split(separator: 0x2F, omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && $0.first != 0x2E }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= fileByteCountMax else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress.unsafelyUnwrapped + done, $0.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            done += count
        }
        return bytes
    }

    /// All names of the database, in order.
    static func all() -> [String] {
        guard let folder = folders.first(where: { access($0, R_OK) == 0 }) else { return ["UTC"] }
        return list(folder, prefix: "", depth: 0).sorted()
    }

    private static func list(_ folder: String, prefix: String, depth: Int) -> [String] {
        guard depth < 4, let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
            }
            guard isPlausible(prefix + name) else { continue }
            if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
                names += list(folder + "/" + name, prefix: prefix + name + "/", depth: depth + 1)
            } else {
                names.append(prefix + name)
            }
        }
        return names
    }

    /// The error for a name that is none.
    static func unknown(_ name: String) -> MillstreamError {
        let names = all()
        // The same city without or under another continent, then what differs by a letter or two.
        let place = name.utf8.split(separator: 0x2F).last.map { String(decoding: $0, as: UTF8.self).lowercased() } ?? ""
        var near = names.filter { $0.split(separator: "/").last?.lowercased() == place }
        if let nearest = NearestName.of(name, among: names), !near.contains(nearest) { near.append(nearest) }
        let shown = near.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        return MillstreamError(
            .plan, "there is no time zone '\(name)'",
            hint: (shown.isEmpty ? "" : "Did you mean \(shown)? ")
                + "A time zone is a name of the tz database such as 'America/Los_Angeles', an offset such as 'GMT+02:00', or 'UTC'.")
    }
}
