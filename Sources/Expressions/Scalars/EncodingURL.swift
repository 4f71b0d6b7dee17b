import Columnar

/// URL_ENCODE, URL_DECODE and PARSE_URL, as java.net does them.
enum EncodingURL {
    static func encode(_ bytes: UnsafeRawBufferPointer, to result: TextColumn) {
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "_"): result.append(byte)
            case 0x20: result.append(UInt8(ascii: "+"))
            default:
                result.append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] { result.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            }
        }
    }

    /// False for what is no encoded text.
    static func decode(_ bytes: UnsafeRawBufferPointer, to result: TextColumn) -> Bool {
        var decoded: [UInt8] = []
        var place = 0
        while place < bytes.count {
            if bytes[place] == UInt8(ascii: "%") {
                guard place + 2 < bytes.count, let high = JSONDocument.hexadecimal(bytes[place + 1]), let low = JSONDocument.hexadecimal(bytes[place + 2]) else { return false }
                decoded.append(UInt8(truncatingIfNeeded: high << 4 | low))
                place += 3
            } else {
                decoded.append(bytes[place] == UInt8(ascii: "+") ? 0x20 : bytes[place])
                place += 1
            }
        }
        decoded.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in result.append(repairing: bytes) }
        return true
    }

    /// `(url, part)` or `(url, 'QUERY', key)`.
    static func parse(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (urls, parts) = (TextArgument(arguments[0]), TextArgument(arguments[1]))
            let keys = arguments.count > 2 ? TextArgument(arguments[2]) : nil
            return try TextLoops.text(arguments, count, type) { (row, result) in
                guard let url = ParsedURL(urls[row]) else { return false }
                let part = String(decoding: parts[row], as: UTF8.self)
                if let keys {
                    guard part == "QUERY", let query = url.query, let value = find(keys[row], in: query) else { return false }
                    result.append(Array(value))
                    return true
                }
                let found: ArraySlice<UInt8>?
                switch part {
                case "HOST": found = url.host
                case "PATH": found = url.path[...]
                case "QUERY": found = url.query
                case "REF": found = url.reference
                case "PROTOCOL": found = url.scheme[...]
                case "FILE": found = url.path + (url.query.map { [UInt8(ascii: "?")] + $0 } ?? [])
                case "AUTHORITY": found = url.authority
                case "USERINFO": found = url.userInfo
                default: found = nil
                }
                guard let found else { return false }
                Array(found).withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in result.append(repairing: bytes) }
                return true
            }
        }
    }

    /// The value behind the first `key=` at the start or after a `&`.
    private static func find(_ key: UnsafeRawBufferPointer, in query: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var start = query.startIndex
        while start <= query.endIndex {
            let rest = query[start...]
            if rest.count > key.count, rest.prefix(key.count).elementsEqual(key), rest[start + key.count] == UInt8(ascii: "=") {
                return rest.dropFirst(key.count + 1).prefix { $0 != UInt8(ascii: "&") }
            }
            guard let next = rest.firstIndex(of: UInt8(ascii: "&")) else { return nil }
            start = next + 1
        }
        return nil
    }
}

/// A URL cut up as java.net.URL does it: the protocols that Java knows alone; the path stays as it is.
struct ParsedURL {
    let scheme: [UInt8]
    let authority: ArraySlice<UInt8>?
    let userInfo: ArraySlice<UInt8>?
    let host: ArraySlice<UInt8>
    let path: [UInt8]
    let query: ArraySlice<UInt8>?
    let reference: ArraySlice<UInt8>?

    private static let schemes = ["http", "https", "ftp", "file", "jar", "mailto", "jrt", "jmod"].map { Array($0.utf8) }

    init?(_ text: UnsafeRawBufferPointer) {
        var text = Array(text)[...]
        while let last = text.last, last <= 0x20 { text.removeLast() }
        while let first = text.first, first <= 0x20 { text.removeFirst() }
        if text.prefix(4).map({ $0 | 0x20 }) == Array("url:".utf8) { text.removeFirst(4) }
        guard let colon = text.firstIndex(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") }), text[colon] == UInt8(ascii: ":") else { return nil }
        let scheme = text[..<colon].map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
        guard Self.schemes.contains(scheme) else { return nil }
        self.scheme = scheme
        var rest = text[(colon + 1)...]
        if let hash = rest.firstIndex(of: UInt8(ascii: "#")) {
            reference = rest[(hash + 1)...]
            rest = rest[..<hash]
        } else {
            reference = nil
        }
        if let mark = rest.firstIndex(of: UInt8(ascii: "?")) {
            query = rest[(mark + 1)...]
            rest = rest[..<mark]
        } else {
            query = nil
        }
        var (authority, userInfo, host): (ArraySlice<UInt8>?, ArraySlice<UInt8>?, ArraySlice<UInt8>) = (nil, nil, [])
        if rest.starts(with: "//".utf8), !rest.starts(with: "////".utf8) {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            let whole = rest[..<end]
            rest = rest[end...]
            authority = whole
            var name: ArraySlice<UInt8>? = whole
            let marks = whole.indices.filter { whole[$0] == UInt8(ascii: "@") }
            if marks.count == 1 {
                userInfo = whole[..<marks[0]]
                name = whole[(marks[0] + 1)...]
            } else if marks.count > 1 {
                name = nil
            }
            if let name {
                guard let plain = Self.withoutPort(name) else { return nil }
                host = plain
            }
        }
        (self.authority, self.userInfo, self.host) = (authority, userInfo, host)
        var path = Array(rest)
        if let first = path.first, first != UInt8(ascii: "/"), authority != nil { path.insert(UInt8(ascii: "/"), at: 0) }
        self.path = path
    }

    /// nil for a port that is no number, or an address in brackets that is none.
    private static func withoutPort(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var port: ArraySlice<UInt8>
        let host: ArraySlice<UInt8>
        if name.first == UInt8(ascii: "[") {
            guard let end = name.firstIndex(of: UInt8(ascii: "]")), end > name.startIndex + 2 else { return nil }
            guard name[(name.startIndex + 1)..<end].allSatisfy({ JSONDocument.hexadecimal($0) != nil || $0 == 0x3A || $0 == 0x2E || $0 == 0x25 }) else { return nil }
            host = name[...end]
            port = name[(end + 1)...]
            if port.isEmpty { return host }
            guard port.first == UInt8(ascii: ":") else { return nil }
            port = port.dropFirst()
        } else {
            guard let colon = name.firstIndex(of: UInt8(ascii: ":")) else { return name }
            host = name[..<colon]
            port = name[(colon + 1)...]
        }
        if port.isEmpty { return host }
        guard let number = Int32(String(decoding: port, as: UTF8.self)), number >= -1 else { return nil }
        return host
    }
}
