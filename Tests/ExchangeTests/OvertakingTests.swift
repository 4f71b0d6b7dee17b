import Columnar
import Dataflow
import Exchange
import Testing

/// Barriers that go ahead of the rows, and those that are counted.
struct OvertakingTests {
    static func barrier(_ id: Int64, _ alignment: CheckpointBarrier.Alignment) -> CheckpointBarrier {
        CheckpointBarrier(id: CheckpointID(id), triggered: ProcessingTime(milliseconds: 0), alignment: alignment, isSavepoint: false)
    }

    static func rows(_ values: Int64...) -> Message { .batch(PartitionerTests.batch(values)) }

    static func values(_ messages: [Message]) -> [Int64] {
        messages.flatMap { message -> [Int64] in if case .batch(let batch) = message { PartitionerTests.values(batch) } else { [] } }
    }

    private static func text(_ event: GateEvent?) -> String {
        switch event {
        case .batch(let batch, _, _): "rows \(PartitionerTests.values(batch))"
        case .watermark(let watermark): "watermark \(watermark.milliseconds)"
        case .status(let status): "\(status)"
        case .barrier(let barrier): "barrier \(barrier.id.value) \(barrier.alignment)"
        case .inFlight(let id, let channels): "in flight \(id.value) \(channels.map { "\(values($0.messages)) of \($0.messages.count), \($0.readCount) read" })"
        case .endOfInput(let input): "end of \(input)"
        case nil: "nothing"
        }
    }

    @Test("An unaligned barrier is read ahead of the rows, which stay and belong to the checkpoint")
    func ahead() throws {
        let channels = InputGateTests.channels(2)
        let consumer = InputGateTests.Sleeper()
        channels[0].connect(producer: InputGateTests.Sleeper(), consumer: consumer)
        let gate = InputGate(inputs: [channels])
        for value in 0..<3 as Range<Int64> { channels[0].send(Self.rows(value), byteCount: 64) }
        channels[0].send(.watermark(EventTime(milliseconds: 7)), byteCount: 64)
        channels[1].send(Self.rows(10), byteCount: 64)
        #expect(!gate.hasBarrierAhead)
        channels[0].send(.barrier(Self.barrier(1, .unaligned)), byteCount: 64)
        // Woken once more, though it had something to read.
        #expect(consumer.count.load(ordering: .relaxed) == 2)
        channels[0].send(Self.rows(3), byteCount: 64)
        #expect(gate.hasBarrierAhead)
        #expect(Self.text(try gate.readAhead()) == "barrier 1 unaligned")
        #expect(!gate.hasBarrierAhead)
        #expect(Self.text(try gate.readAhead()) == "nothing")
        // What the other channel brings before its barrier is read, and kept; the first channel's rows are not kept twice.
        #expect(Self.text(try gate.read()) == "rows [0]")
        #expect(Self.text(try gate.read()) == "rows [10]")
        channels[1].send(.endOfInput, byteCount: 64)
        channels[1].send(Self.rows(11), byteCount: 64)
        channels[1].send(.barrier(Self.barrier(1, .unaligned)), byteCount: 64)
        #expect(Self.text(try gate.readAhead()) == "in flight 1 [\"[0, 1, 2] of 4, 0 read\", \"[10, 11] of 2, 1 read\"]")
        var rest: [Int64] = []
        while let event = try gate.read() { if case .batch(let batch, _, _) = event { rest += PartitionerTests.values(batch) } }
        #expect(rest.sorted() == [1, 2, 3, 11])
        #expect(channels[0].queuedByteCount == 0 && channels[0].queuedCount == 0)
    }

    @Test("An aligned barrier overtakes from the moment that it is told to, wherever it is")
    func timeout() throws {
        let channels = InputGateTests.channels(3)
        let gate = InputGate(inputs: [channels])
        let barrier = Self.barrier(4, .exactlyOnce)
        channels[0].send(.barrier(barrier), byteCount: 64)
        channels[0].send(Self.rows(1), byteCount: 64)
        channels[1].send(Self.rows(2), byteCount: 64)
        channels[1].send(.barrier(barrier), byteCount: 64)
        // The first channel is blocked, the second one is read in turn.
        #expect(Self.text(try gate.read()) == "rows [2]")
        #expect(Self.text(try gate.read()) == "nothing")
        channels[2].send(Self.rows(3), byteCount: 64)
        channels[2].send(Self.rows(4), byteCount: 64)
        #expect(Self.text(try gate.read()) == "rows [3]")
        gate.overtake(CheckpointID(4))
        #expect(gate.hasBarrierAhead)
        #expect(Self.text(try gate.readAhead()) == "barrier 4 unaligned")
        // One that is sent later overtakes as well, though it does not say so.
        channels[2].send(.barrier(barrier), byteCount: 64)
        #expect(Self.text(try gate.readAhead()) == "in flight 4 [\"[] of 0, 0 read\", \"[] of 0, 0 read\", \"[4] of 1, 0 read\"]")
        // In turn again: the channel that was blocked, then the one that was read last.
        #expect(Self.text(try gate.read()) == "rows [1]")
        #expect(Self.text(try gate.read()) == "rows [4]")
    }

    @Test("A checkpoint that is given up keeps nothing, and its late barriers mean nothing")
    func abort() throws {
        let channels = InputGateTests.channels(2)
        let gate = InputGate(inputs: [channels])
        channels[0].send(.barrier(Self.barrier(1, .unaligned)), byteCount: 64)
        #expect(Self.text(try gate.readAhead()) == "barrier 1 unaligned")
        gate.abort(CheckpointID(1))
        channels[1].send(Self.rows(1), byteCount: 64)
        channels[1].send(.barrier(Self.barrier(1, .unaligned)), byteCount: 64)
        #expect(Self.text(try gate.read()) == "rows [1]")
        #expect(Self.text(try gate.read()) == "nothing")
        // The same for one that blocks.
        channels[0].send(.barrier(Self.barrier(2, .exactlyOnce)), byteCount: 64)
        channels[0].send(Self.rows(2), byteCount: 64)
        #expect(Self.text(try gate.read()) == "nothing")
        gate.abort(CheckpointID(2))
        #expect(Self.text(try gate.read()) == "rows [2]")
        channels[1].send(.barrier(Self.barrier(2, .exactlyOnce)), byteCount: 64)
        channels[1].send(Self.rows(3), byteCount: 64)
        #expect(Self.text(try gate.read()) == "rows [3]")
        // And the next one is a checkpoint like any other.
        for channel in channels { channel.send(.barrier(Self.barrier(3, .exactlyOnce)), byteCount: 64) }
        #expect(Self.text(try gate.read()) == "barrier 3 exactlyOnce")
    }

    @Test("Checkpoints that block nothing are counted one by one")
    func counted() throws {
        let channels = InputGateTests.channels(2)
        let gate = InputGate(inputs: [channels])
        for id in 1...3 as ClosedRange<Int64> { channels[0].send(.barrier(Self.barrier(id, .atLeastOnce)), byteCount: 64) }
        channels[0].send(Self.rows(1), byteCount: 64)
        #expect(Self.text(try gate.read()) == "rows [1]")
        channels[1].send(.barrier(Self.barrier(1, .atLeastOnce)), byteCount: 64)
        #expect(Self.text(try gate.read()) == "barrier 1 atLeastOnce")
        // The second one was given up on the way: the third one is whole all the same, and the second never will be.
        channels[1].send(.barrier(Self.barrier(3, .atLeastOnce)), byteCount: 64)
        #expect(Self.text(try gate.read()) == "barrier 3 atLeastOnce")
        channels[1].send(.barrier(Self.barrier(2, .atLeastOnce)), byteCount: 64)
        #expect(Self.text(try gate.read()) == "nothing")
    }

    @Test("What was in flight comes first: before what is new in its channel, or before everything", arguments: [false, true])
    func replay(isFirst: Bool) throws {
        let channels = InputGateTests.channels(2)
        // The producer was faster than the consumer.
        channels[0].send(Self.rows(5), byteCount: 64)
        channels[1].send(Self.rows(6), byteCount: 64)
        channels[1].send(.barrier(Self.barrier(9, .unaligned)), byteCount: 64)
        let gate = InputGate(inputs: [channels])
        gate.replay([[Self.rows(1), .watermark(EventTime(milliseconds: 3)), Self.rows(2)], []], first: isFirst)
        var order: [String] = []
        while let event = try gate.read() { order.append(Self.text(event)) }
        if isFirst {
            #expect(order.prefix(3) == ["rows [1]", "rows [2]", "barrier 9 unaligned"] && order.dropFirst(3).sorted() == ["rows [5]", "rows [6]"])
        } else {
            #expect(order.first == "barrier 9 unaligned" && order.filter { $0 != "rows [6]" }.dropFirst() == ["rows [1]", "rows [2]", "rows [5]"])
        }
    }

    @Test("A queue of messages keeps its order, whatever is put before it or taken out of it")
    func order() {
        let random = SeededRandom(seed: 3)
        for _ in 0..<200 {
            let channel = Channel(number: 0, byteCountLimit: 1 << 20)
            var model: [Int64] = []
            var next: Int64 = 0
            for _ in 0..<random.next(below: 60) {
                switch random.next(below: 6) {
                case 0...2:
                    channel.send(Self.rows(next), byteCount: 64)
                    model.append(next)
                case 3:
                    guard !model.isEmpty, case .batch(let batch)? = channel.receive()?.message else { break }
                    #expect(PartitionerTests.values(batch) == [model.removeFirst()])
                case 4:
                    channel.prepend([Self.rows(next), Self.rows(next + 1)])
                    model = [next, next + 1] + model
                default:
                    channel.send(.barrier(Self.barrier(next, .unaligned)), byteCount: 64)
                    channel.send(Self.rows(next), byteCount: 64)
                    #expect(channel.receiveAhead().map { Self.values($0.overtaken.map(\.message)) } == model)
                    model.append(next)
                }
                next += 2
            }
            var rest: [Message] = []
            while let entry = channel.receive() { rest.append(entry.message) }
            #expect(Self.values(rest) == model && channel.queuedByteCount == 0 && !channel.hasBarrierAhead)
        }
    }
}
