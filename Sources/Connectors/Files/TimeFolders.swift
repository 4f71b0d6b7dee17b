import Columnar
import Dataflow
#if canImport(Glibc)
    import Glibc
#endif

/// Folders named after the time at which a row is written: Flink's DateTimeBucketAssigner.
struct TimeFolders {
    private enum Part {
        case text(String)
        /// A field of the calendar, with at least so many digits.
        case number(Unicode.Scalar, digits: Int)
    }

    private let parts: [Part]
    private let isUTC: Bool
    /// The name of the last second that was asked for: a batch asks once, and few batches are in another second.
    private var second = Int64.min
    private var name = ""

    /// `pattern` is Java's, of the letters y, u, M, d, D, H, m and s; other text may be quoted. Throws `configuration` for other letters, a quote that
    /// does not end, and a name that would lead out of the directory.
    init(pattern: String, isUTC: Bool) throws(MillstreamError) {
        self.isUTC = isUTC
        var parts: [Part] = []
        let scalars = Array(pattern.unicodeScalars)
        var place = 0
        while place < scalars.count {
            let letter = scalars[place]
            if letter == "'" {
                let (text, end) = try TimeFolders.quoted(scalars, from: place, pattern)
                parts.append(.text(text))
                place = end
            } else if letter.properties.isAlphabetic {
                guard "yuMdDHms".unicodeScalars.contains(letter) else {
                    throw MillstreamError(.configuration, "the pattern '\(pattern)' has the letter '\(letter)'; y, u, M, d, D, H, m and s can be used")
                }
                let start = place
                while place < scalars.count, scalars[place] == letter { place += 1 }
                parts.append(.number(letter, digits: place - start))
            } else {
                parts.append(.text(String(letter)))
                place += 1
            }
        }
        self.parts = parts
        let folders = makeName(at: 0).split(separator: "/", omittingEmptySubsequences: false)
        guard folders.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains(0) }) else {
            throw MillstreamError(.configuration, "the pattern '\(pattern)' gives no name of a folder")
        }
    }

    /// What stands between quotes, two of which are one, and the place behind.
    private static func quoted(_ scalars: [Unicode.Scalar], from start: Int, _ pattern: String) throws(MillstreamError) -> (String, Int) {
        var text = String.UnicodeScalarView()
        var place = start + 1
        while place < scalars.count {
            if scalars[place] != "'" {
                text.append(scalars[place])
                place += 1
            } else if place + 1 < scalars.count, scalars[place + 1] == "'" {
                text.append("'")
                place += 2
            } else {
                return (place == start + 1 ? "'" : String(text), place + 1)
            }
        }
        throw MillstreamError(.configuration, "the pattern '\(pattern)' has a quote that does not end")
    }

    /// The folder for a moment.
    mutating func name(at time: ProcessingTime) -> String {
        let seconds = time.milliseconds >= 0 ? time.milliseconds / 1_000 : (time.milliseconds &- 999) / 1_000
        if seconds != second || name.isEmpty {
            second = seconds
            name = makeName(at: seconds)
        }
        return name
    }

    private func makeName(at seconds: Int64) -> String {
        var moment = time_t(seconds)
        var fields = tm()
        if isUTC { gmtime_r(&moment, &fields) } else { localtime_r(&moment, &fields) }
        return parts.map { part in
            switch part {
            case .text(let text): text
            case .number(let letter, let digits): TimeFolders.text(letter, digits, fields)
            }
        }.joined()
    }

    private static func text(_ letter: Unicode.Scalar, _ digits: Int, _ fields: tm) -> String {
        let number: Int32
        switch letter {
        case "y", "u": number = digits == 2 ? (fields.tm_year &+ 1900) % 100 : fields.tm_year &+ 1900
        case "M": number = fields.tm_mon &+ 1
        case "d": number = fields.tm_mday
        case "D": number = fields.tm_yday &+ 1
        case "H": number = fields.tm_hour
        case "m": number = fields.tm_min
        default: number = fields.tm_sec
        }
        let text = String(number)
        return String(repeating: "0", count: max(0, min(digits, 64) - text.count)) + text
    }
}
