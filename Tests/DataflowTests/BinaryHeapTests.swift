import Dataflow
import Testing

struct BinaryHeapTests {
    @Test("Elements come out as a sorted array gives them", arguments: 0..<50)
    func isSorted(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        var heap = BinaryHeap<UInt64>()
        var model: [UInt64] = []
        for _ in 0..<500 {
            switch random.next(below: 5) {
            case 0, 1, 2:
                let value = random.next(below: 100)
                heap.push(value)
                model = (model + [value]).sorted()
            case 3:
                #expect(heap.first == model.first)
                #expect(heap.popFirst() == model.first)
                if !model.isEmpty { model.removeFirst() }
            default:
                let value = random.next(below: 100)
                heap.removeAll { $0 == value }
                model.removeAll { $0 == value }
            }
            #expect(heap.count == model.count)
        }
    }
}
