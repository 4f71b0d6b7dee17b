/// Finds the name that a user probably meant.
public enum NearestName {
    /// Names longer than this are not compared: the distance costs the product of the lengths.
    private static let byteCountLimit = 128

    /// The first of the names with the smallest edit distance to `name`, if that is at most 2 (or 1 for names of up to 3 letters).
    public static func of(_ name: String, among names: [String]) -> String? {
        let wanted = Array(name.utf8.prefix(byteCountLimit))
        var best: (distance: Int, name: String)?
        for candidate in names where candidate.utf8.count <= byteCountLimit {
            let distance = editDistance(wanted.map(lowercase), candidate.utf8.map(lowercase))
            if distance <= (wanted.count <= 3 ? 1 : 2), distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.name
    }

    /// How many letters were left out, added or changed; small and capital ones are one.
    public static func distance(_ left: String, _ right: String) -> Int { editDistance(left.utf8.map(lowercase), right.utf8.map(lowercase)) }

    private static func lowercase(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

    /// Levenshtein's distance, one row of the table at a time.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (leftIndex, leftByte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = leftIndex + 1
            for (rightIndex, rightByte) in right.enumerated() {
                let substituted = diagonal + (leftByte == rightByte ? 0 : 1)
                diagonal = row[rightIndex + 1]
                row[rightIndex + 1] = min(substituted, min(row[rightIndex], diagonal) + 1)
            }
        }
        return row[right.count]
    }
}
