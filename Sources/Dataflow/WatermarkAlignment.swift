import Columnar
import Synchronization

/// The alignment groups of one environment, by name.
public final class WatermarkAlignments: Sendable {
    private let groups = Guarded<[String: WatermarkAlignment]>([:])

    public init() {}

    public func group(_ name: String) -> WatermarkAlignment {
        groups.withLock { groups in
            if let known = groups[name] { return known }
            let made = WatermarkAlignment()
            groups[name] = made
            return made
        }
    }
}

/// Streams that stay within so much event time of each other: one that is ahead waits for the one that is furthest behind, so that what joins them need not
/// keep what the faster one brought meanwhile.
///
/// Idle members hold nobody back, nor do those that have left. A member without a watermark yet holds back all others.
public final class WatermarkAlignment: Sendable {
    private struct Member {
        var watermark = EventTime.min
        let drift: Int64
        var notify: @Sendable () -> Void = {}
        var isIdle = false
        var isWaiting = false
    }

    /// By the members' numbers; nil: it has left.
    private let members = Guarded<[Member?]>([])

    public init() {}

    /// A new member, which may be `drift` milliseconds ahead of the others.
    public func join(drift: Int64) -> Int {
        members.withLock { members in
            members.append(Member(drift: drift))
            return members.count - 1
        }
    }

    /// What is called, from any thread, when a member need not wait any more.
    public func setNotification(_ member: Int, _ notify: @escaping @Sendable () -> Void) { members.withLock { $0[member]?.notify = notify } }

    /// Whether a member is too far ahead. If so, it is notified once it is not.
    public func holdsBack(_ member: Int) -> Bool {
        members.withLock { members in
            guard let watermark = members[member]?.watermark, let drift = members[member]?.drift else { return false }
            let isAhead = Self.isAhead(watermark, drift, Self.lowest(members))
            members[member]?.isWaiting = isAhead
            return isAhead
        }
    }

    /// Whether a member waits since it was last told so.
    public func isWaiting(_ member: Int) -> Bool { members.withLock { $0[member]?.isWaiting ?? false } }

    public func advance(_ member: Int, to watermark: EventTime) { change { $0[member]?.watermark = watermark } }

    public func setIdle(_ member: Int, _ isIdle: Bool) { change { $0[member]?.isIdle = isIdle } }

    public func leave(_ member: Int) {
        change { members in
            if members.indices.contains(member) { members[member] = nil }
        }
    }

    private func change(_ body: (inout [Member?]) -> Void) {
        let released = members.withLock { members in
            body(&members)
            let lowest = Self.lowest(members)
            var released: [@Sendable () -> Void] = []
            for index in members.indices {
                guard let member = members[index], member.isWaiting, !Self.isAhead(member.watermark, member.drift, lowest) else { continue }
                members[index]?.isWaiting = false
                released.append(member.notify)
            }
            return released
        }
        for notify in released { notify() }
    }

    private static func lowest(_ members: [Member?]) -> EventTime {
        var found = EventTime.max
        for case .some(let member) in members where !member.isIdle && member.watermark < found { found = member.watermark }
        return found
    }

    private static func isAhead(_ watermark: EventTime, _ drift: Int64, _ lowest: EventTime) -> Bool {
        watermark != .max && watermark > EventTime(milliseconds: lowest.milliseconds.addingSaturating(drift))
    }
}
