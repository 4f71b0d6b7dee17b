/// The name that was probably meant.
enum NearestName {
    /// Names longer than this are not compared: what is that long is no slip of the finger.
    private static let lengthMax = 96

    /// The known name that is nearest to a wrong one, by how many letters were left out, added, changed or swapped; nil where none is near.
    static func of(_ wrong: String, among known: [String]) -> String? { all(wrong, among: known).first }

    /// All that are as near as the nearest, at most three, in their own order.
    static func all(_ wrong: String, among known: [String]) -> [String] {
        let letters = Array(wrong.lowercased().unicodeScalars)
        guard !letters.isEmpty, letters.count <= lengthMax else { return [] }
        // A third of the letters may be wrong; of short names one.
        var best = max(1, letters.count / 3)
        var nearest: [String] = []
        for name in known {
            let other = Array(name.lowercased().unicodeScalars)
            guard other.count <= lengthMax, abs(other.count - letters.count) <= best else { continue }
            let distance = distance(letters, other)
            if distance < best || distance == best && nearest.isEmpty {
                best = distance
                nearest = [name]
            } else if distance == best, nearest.count < 3 {
                nearest.append(name)
            }
        }
        return nearest
    }

    /// How many letters differ.
    static func distance(_ left: String, _ right: String) -> Int { distance(Array(left.lowercased().unicodeScalars), Array(right.lowercased().unicodeScalars)) }

    /// Damerau's distance, of neighbours swapped.
    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                var cost = min(previous[column + 1] + 1, current[column] + 1, previous[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] { cost = min(cost, before[column - 1] + 1) }
                current.append(cost)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }

    /// `did you mean 'a'?`, or nil.
    static func hint(_ wrong: String, among known: [String]) -> String? {
        let nearest = all(wrong, among: known)
        guard !nearest.isEmpty else { return nil }
        return "Did you mean " + nearest.map { "'\($0)'" }.joined(separator: " or ") + "?"
    }
}
