import Dataflow
import State
import Testing

@Suite struct TimerServiceTests {
    /// Random registrations and deletions agree with a sorted list.
    @Test func agreesWithAModel() {
        let random = SeededRandom(seed: 3)
        let timers = TimerService()
        // In the order of registration.
        var model: [(slot: Int32, time: Int64)] = []
        for step in 0..<20_000 {
            let slot = Int32(random.next(below: 50))
            let time = Int64(random.next(below: 400)) - 20
            switch random.next(below: 10) {
            case 0..<6:
                let isNew = !model.contains { $0 == (slot, time) }
                #expect(timers.register(slot: Int(slot), at: time) == isNew)
                if isNew { model.append((slot, time)) }
            case 6..<9:
                let isThere = model.contains { $0 == (slot, time) }
                #expect(timers.delete(slot: Int(slot), at: time) == isThere)
                model.removeAll { $0 == (slot, time) }
            default:
                guard step % 7 == 0 else { continue }
                let due = timers.takeDue(upTo: time, limit: 10)
                var expected: [(slot: Int32, time: Int64)] = []
                // `sorted` keeps the order of equal elements.
                for timer in model.sorted(by: { $0.time < $1.time }) {
                    guard timer.time <= time, expected.count < 10, !expected.contains(where: { $0.slot == timer.slot }) else { break }
                    expected.append(timer)
                }
                #expect(due.slots == expected.map(\.slot) && due.times == expected.map(\.time))
                model.removeAll { timer in expected.contains { $0 == timer } }
            }
        }
        #expect(timers.count == model.count)
        #expect(timers.next() == model.map(\.time).min())
    }

    @Test func boundsOfTimeAreTimesToo() {
        let timers = TimerService()
        timers.register(slot: 1, at: .max)
        timers.register(slot: 0, at: .min)
        #expect(timers.takeDue(upTo: .min).slots == [0])
        #expect(timers.takeDue(upTo: .max - 1).slots.isEmpty)
        #expect(timers.takeDue(upTo: .max).slots == [1])
        #expect(timers.next() == nil)
    }
}
