import Expressions

extension NearestName {
    /// Names longer than this are not compared: what is that long is no slip of the finger.
    private static let byteCountMax = 128

    /// All known names that are as near to a wrong one as the nearest, at most three, in their own order.
    /// Of long names, as options have, a quarter may be wrong.
    static func all(_ wrong: String, among known: [String]) -> [String] {
        let length = wrong.utf8.count
        guard length <= byteCountMax else { return [] }
        // Of one or two letters only their case can be wrong.
        var best = length <= 2 ? 0 : length == 3 ? 1 : max(2, length / 4)
        var nearest: [String] = []
        for name in known where name.utf8.count <= byteCountMax && abs(name.utf8.count - length) <= best {
            let distance = distance(wrong, name)
            if distance < best || distance == best && nearest.isEmpty {
                best = distance
                nearest = [name]
            } else if distance == best, nearest.count < 3 {
                nearest.append(name)
            }
        }
        return nearest
    }

    /// `Did you mean 'a'?`, or nil.
    static func hint(_ wrong: String, among known: [String]) -> String? {
        let nearest = all(wrong, among: known)
        guard !nearest.isEmpty else { return nil }
        return "Did you mean " + nearest.map { "'\($0)'" }.joined(separator: " or ") + "?"
    }
}
