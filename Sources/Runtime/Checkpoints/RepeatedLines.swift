/// Bounds lines that may come again and again: the first ones are all said, later ones once in a while, with how many were left out.
struct RepeatedLines {
    private static let firstCount = 10

    private let pauseNanoseconds: Int64
    private var saidCount = 0
    private var lastTime: Int64 = 0
    private var leftOutCount = 0

    init(pauseNanoseconds: Int64) { self.pauseNanoseconds = pauseNanoseconds }

    /// How many were left out since the last one; nil: this one is left out too. `now` is a monotonic clock's, in nanoseconds.
    mutating func next(now: Int64) -> Int? {
        let quiet = now &- lastTime
        // Behind a long pause it is another matter.
        if quiet >= pauseNanoseconds &* Int64(Self.firstCount) { saidCount = 0 }
        guard saidCount < Self.firstCount || quiet >= pauseNanoseconds else {
            leftOutCount += 1
            return nil
        }
        saidCount += 1
        lastTime = now
        defer { leftOutCount = 0 }
        return leftOutCount
    }
}
