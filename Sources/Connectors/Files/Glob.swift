import Columnar
import Glibc

/// Paths with wildcards: `*` and `?` within a name, `[a-z]` and `[!a-z]` for one character, `**` for any number of directories.
enum Glob {
    static func isPattern(_ path: String) -> Bool { path.utf8.contains { $0 == 0x2A || $0 == 0x3F || $0 == 0x5B } }

    /// The paths that match, in no particular order. A wildcard matches no hidden name.
    static func expand(_ pattern: String) throws(MillstreamError) -> [String] {
        let parts = pattern.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        var found: [String] = []
        try walk(pattern.hasPrefix("/") ? "/" : "", parts[...], depth: 0, into: &found)
        return found
    }

    private static func walk(
        _ directory: String, _ parts: ArraySlice<String>, depth: Int, into found: inout [String]
    ) throws(MillstreamError) {
        guard let part = parts.first else {
            found.append(directory)
            return
        }
        let rest = parts.dropFirst()
        if part != "**", !isPattern(part) {
            let path = join(directory, part)
            if FileListing.status(path) != nil { try walk(path, rest, depth: depth, into: &found) }
            return
        }
        guard depth < FileListing.depthMax, isDirectory(directory) else { return }
        if part == "**", !rest.isEmpty { try walk(directory, rest, depth: depth, into: &found) }
        for name in try FileListing.names(directory.isEmpty ? "." : directory) {
            if FileListing.isHidden(name), FileListing.isHidden(part) == false { continue }
            let path = join(directory, name)
            if part == "**" {
                if isDirectory(path) {
                    try walk(path, parts, depth: depth + 1, into: &found)
                } else if rest.isEmpty {
                    found.append(path)
                }
            } else if matches(Array(part.unicodeScalars), Array(name.unicodeScalars)) {
                try walk(path, rest, depth: depth + 1, into: &found)
            }
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        guard let status = FileListing.status(path.isEmpty ? "." : path) else { return false }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    private static func join(_ directory: String, _ name: String) -> String {
        directory.isEmpty || directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    /// Whether a name matches a pattern. On a mismatch the last `*` takes one more character: no recursion, no explosion.
    static func matches(_ pattern: [Unicode.Scalar], _ name: [Unicode.Scalar]) -> Bool {
        var (place, index) = (0, 0)
        var star: (place: Int, index: Int)?
        while index < name.count {
            if place < pattern.count, pattern[place] == "*" {
                star = (place + 1, index)
                place += 1
            } else if let next = matchOne(pattern, place, name[index]) {
                place = next
                index += 1
            } else if let (starPlace, starIndex) = star {
                star = (starPlace, starIndex + 1)
                (place, index) = (starPlace, starIndex + 1)
            } else {
                return false
            }
        }
        while place < pattern.count, pattern[place] == "*" { place += 1 }
        return place == pattern.count
    }

    /// Where the pattern goes on if it takes the character here.
    private static func matchOne(_ pattern: [Unicode.Scalar], _ place: Int, _ character: Unicode.Scalar) -> Int? {
        guard place < pattern.count else { return nil }
        if pattern[place] == "?" { return place + 1 }
        guard pattern[place] == "[", let close = closing(pattern, place) else { return pattern[place] == character ? place + 1 : nil }
        var index = place + 1
        let isNegated = pattern[index] == "!" || pattern[index] == "^"
        if isNegated { index += 1 }
        var isFound = false
        while index < close {
            if index + 2 < close, pattern[index + 1] == "-" {
                if pattern[index] <= character, character <= pattern[index + 2] { isFound = true }
                index += 3
            } else {
                if pattern[index] == character { isFound = true }
                index += 1
            }
        }
        return isFound != isNegated ? close + 1 : nil
    }

    /// The `]` of a class; one right behind the opening (or the negation) is a member of it. nil: the `[` is itself.
    private static func closing(_ pattern: [Unicode.Scalar], _ place: Int) -> Int? {
        var index = place + 1
        if index < pattern.count, pattern[index] == "!" || pattern[index] == "^" { index += 1 }
        index += 1
        while index < pattern.count {
            if pattern[index] == "]" { return index }
            index += 1
        }
        return nil
    }
}
