import Columnar
import Dataflow
import Synchronization
import Testing

struct WatermarkAlignmentTests {
    private func time(_ milliseconds: Int64) -> EventTime { EventTime(milliseconds: milliseconds) }

    @Test func whoeverIsAheadWaitsAndIsToldWhenItNeedNot() {
        let alignment = WatermarkAlignment()
        let calls = Atomic<Int>(0)
        let fast = alignment.join(drift: 100)
        let slow = alignment.join(drift: 0)
        alignment.setNotification(fast) { calls.add(1, ordering: .relaxed) }
        #expect(!alignment.holdsBack(fast), "without a watermark nobody is ahead")
        alignment.advance(fast, to: time(1_000))
        #expect(alignment.holdsBack(fast) && alignment.isWaiting(fast), "the other one has none yet")
        alignment.advance(slow, to: time(899))
        #expect(alignment.isWaiting(fast) && calls.load(ordering: .relaxed) == 0)
        alignment.advance(slow, to: time(900))
        #expect(!alignment.isWaiting(fast) && calls.load(ordering: .relaxed) == 1 && !alignment.holdsBack(fast))
        alignment.advance(slow, to: time(950))
        #expect(calls.load(ordering: .relaxed) == 1, "whoever does not wait is not told")
    }

    @Test func idleOnesAndThoseThatLeftHoldNobodyBack() {
        for leaves in [false, true] {
            let alignment = WatermarkAlignment()
            let fast = alignment.join(drift: 0)
            let slow = alignment.join(drift: 0)
            alignment.advance(fast, to: time(10))
            #expect(alignment.holdsBack(fast))
            if leaves { alignment.leave(slow) } else { alignment.setIdle(slow, true) }
            #expect(!alignment.isWaiting(fast) && !alignment.holdsBack(fast))
            if !leaves {
                alignment.setIdle(slow, false)
                #expect(alignment.holdsBack(fast))
            }
        }
    }

    @Test func timesAtTheLimits() {
        let alignment = WatermarkAlignment()
        let one = alignment.join(drift: .max)
        let other = alignment.join(drift: 0)
        alignment.advance(one, to: time(.max - 1))
        alignment.advance(other, to: time(.min + 1))
        #expect(alignment.holdsBack(one), "the distance is larger than any number")
        alignment.advance(other, to: time(0))
        #expect(!alignment.holdsBack(one))
        alignment.advance(one, to: .max)
        #expect(!alignment.holdsBack(one), "the end waits for nobody")
    }

    @Test func groupsAreToldApartByName() {
        let alignments = WatermarkAlignments()
        #expect(alignments.group("a") === alignments.group("a") && alignments.group("a") !== alignments.group("b"))
    }
}
