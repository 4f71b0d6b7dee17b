import Dataflow

/// Decides how many rows are due: row k is due k / rate after the start.
///
/// Pure arithmetic on a monotonic clock, so that the mean rate is exact. After a pause longer than `catchUpNanosecondsMax` (a full exchange) the
/// rest of the backlog is forgiven: a replay at a rate should not turn into a burst.
struct RatePacer {
    static let catchUpNanosecondsMax: Int64 = 1_000_000_000
    /// Rows are bundled into ticks of at least this length, because a batch per row costs more than it gives.
    static let tickNanoseconds: Double = 1_000_000

    private let rowsPerSecond: Double
    private var start: Int64?
    private var emitted: Double = 0

    init(rowsPerSecond: Double) { self.rowsPerSecond = rowsPerSecond }

    /// How many rows may go out now, at most `limit`.
    mutating func due(at now: Int64, limit: Int) -> Int {
        let start = self.start ?? now
        if self.start == nil { self.start = now }
        let total = (Double(now &- start) * rowsPerSecond / 1e9).rounded(.down) + 1
        let backlogMax = max(1, rowsPerSecond * Double(RatePacer.catchUpNanosecondsMax) / 1e9)
        if total - emitted > backlogMax {
            self.start = start &+ Int64((total - emitted - backlogMax) / rowsPerSecond * 1e9)
            return min(limit, Int(backlogMax))
        }
        return max(0, Int(min(total - emitted, Double(limit))))
    }

    mutating func didEmit(_ count: Int) { emitted += Double(count) }

    /// Nanoseconds from `now` until the next tick with at least one row.
    func delay(from now: Int64) -> Int64 {
        guard let start else { return 0 }
        let rowsPerTick = max(1, (rowsPerSecond * RatePacer.tickNanoseconds / 1e9).rounded(.down))
        let due = Double(start) + (emitted + rowsPerTick - 1) / rowsPerSecond * 1e9
        let wait = due - Double(now)
        return wait <= 0 ? 0 : Int64(min(wait.rounded(.up), 1e18))
    }
}
