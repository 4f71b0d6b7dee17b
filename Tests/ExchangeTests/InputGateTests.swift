import Columnar
import Dataflow
import Exchange
import Synchronization
import Testing

/// Writer, channels and gate together.
struct InputGateTests {
    final class Sleeper: Wakeable {
        let count = Atomic<Int>(0)
        func wake() { count.add(1, ordering: .relaxed) }
    }

    static func channels(_ count: Int, byteCountLimit: Int = 1 << 20) -> [Channel] {
        (0..<count).map { Channel(number: $0, byteCountLimit: byteCountLimit) }
    }

    static func batch(_ values: [Int64]) -> Batch { PartitionerTests.batch(values) }

    @Test("A channel wakes its consumer when it gets its first message, and its producer when it has room again")
    func wakes() {
        let channel = Channel(number: 0, byteCountLimit: 250)
        let producer = Sleeper()
        let consumer = Sleeper()
        channel.connect(producer: producer, consumer: consumer)
        for _ in 0..<3 { channel.send(.watermark(.min), byteCount: 100) }
        #expect(consumer.count.load(ordering: .relaxed) == 1)
        #expect(channel.isFull)
        _ = channel.receive()
        #expect(channel.isFull)
        #expect(producer.count.load(ordering: .relaxed) == 0)
        _ = channel.receive()
        #expect(!channel.isFull)
        #expect(producer.count.load(ordering: .relaxed) == 1)
        _ = channel.receive()
        #expect(channel.receive() == nil)
        channel.send(.endOfInput, byteCount: 64)
        #expect(consumer.count.load(ordering: .relaxed) == 2)
        channel.close()
        #expect(!channel.isReadable && channel.queuedCount == 0)
    }

    @Test("A producer that waits for room is woken when its consumer goes, and one that does not wait is left alone")
    func closing() {
        for isFull in [false, true] {
            let channel = Channel(number: 0, byteCountLimit: 250)
            let producer = Sleeper()
            channel.connect(producer: producer, consumer: Sleeper())
            for _ in 0..<(isFull ? 3 : 1) { channel.send(.watermark(.min), byteCount: 100) }
            #expect(channel.isFull == isFull)
            for _ in 0..<2 { channel.close() }
            #expect(!channel.isFull)
            #expect(producer.count.load(ordering: .relaxed) == (isFull ? 1 : 0))
            channel.send(.watermark(.min), byteCount: 1_000)
            #expect(!channel.isFull && channel.queuedCount == 0)
        }
    }

    @Test("A checkpoint with AT_LEAST_ONCE has each channel as far as it was at its barrier, whatever was read behind it")
    func progressAtBarriers() throws {
        func barrier(_ id: Int64) -> CheckpointBarrier { CheckpointBarrier(id: CheckpointID(id), triggered: ProcessingTime(milliseconds: 0), alignment: .atLeastOnce, isSavepoint: false) }
        func watermark(_ time: Int64) -> Message { .watermark(EventTime(milliseconds: time)) }
        let channels = Self.channels(3)
        let gate = InputGate(inputs: [[channels[0], channels[1]], [channels[2]]])
        for message in [watermark(10), .barrier(barrier(1)), watermark(50), .barrier(barrier(2)), watermark(70)] { channels[0].send(message, byteCount: 1) }
        for message in [watermark(60), .barrier(barrier(1)), .status(.idle), .barrier(barrier(2))] { channels[1].send(message, byteCount: 1) }
        for message in [watermark(20), watermark(30), watermark(40), .barrier(barrier(1)), watermark(90), .barrier(barrier(2))] { channels[2].send(message, byteCount: 1) }
        var progress: [Int64: [InputProgress]] = [:]
        var now: [Int64: [InputProgress]] = [:]
        while let event = try gate.read() {
            guard case .barrier(let barrier) = event else { continue }
            now[barrier.id.value] = gate.progress
            progress[barrier.id.value] = gate.progress(at: barrier)
            // Once: it is forgotten with those before it.
            #expect(gate.progress(at: barrier) == gate.progress)
        }
        func at(_ output: Int64, _ channels: [(Int64, Bool)]) -> InputProgress {
            InputProgress(
                output: EventTime(milliseconds: output), channels: channels.map { .init(watermark: EventTime(milliseconds: $0.0), isIdle: $0.1) })
        }
        #expect(progress[1] == [at(10, [(10, false), (60, false)]), at(40, [(40, false)])])
        #expect(progress[2] == [at(50, [(50, false), (60, true)]), at(90, [(90, false)])])
        // What was read behind the barriers would have been in it otherwise.
        #expect(now[1] != progress[1])
        // A gate that goes on from there lets no watermark through that its second channel has not come to again.
        let restored = Self.channels(3)
        let next = InputGate(inputs: [[restored[0], restored[1]], [restored[2]]])
        next.restore(try #require(progress[1]))
        restored[1].send(watermark(70), byteCount: 1)
        restored[2].send(watermark(100), byteCount: 1)
        if try next.read() != nil { Issue.record("the second channel was ahead of its barrier") }
        restored[0].send(watermark(20), byteCount: 1)
        guard case .watermark(let passed)? = try next.read() else {
            Issue.record("no watermark")
            return
        }
        #expect(passed.milliseconds == 20)
    }

    @Test("Small parts are gathered into full batches, and everything leaves before a watermark")
    func gathers() throws {
        let channels = Self.channels(4)
        let clock = SimulatedClock()
        let writer = ExchangeWriter(
            channels: channels, partitioner: RoundRobinPartitioner(startingAt: 0), clock: clock, rowCountLimit: 100,
            bufferTimeoutMilliseconds: 10)
        for start in 0..<40 { try writer.write(Self.batch((0..<40).map { Int64(start * 40 + $0) })) }
        // 400 rows to each channel, 10 at a time: gathered by the hundred.
        for channel in channels { #expect(channel.queuedCount == 4) }
        #expect(writer.flushDeadline != nil)
        try writer.write(Self.batch([1, 2, 3]))
        try writer.flush(at: clock.monotonicNanoseconds())
        #expect(channels[0].queuedCount == 4)
        clock.advance(milliseconds: 10)
        try writer.flush(at: clock.monotonicNanoseconds())
        #expect(channels[0].queuedCount == 5 && channels[3].queuedCount == 4)
        #expect(writer.flushDeadline == nil)
        try writer.write(Self.batch([4]))
        try writer.broadcast(.watermark(EventTime(milliseconds: 9)))
        let gate = InputGate(inputs: [channels])
        var rows = 0
        var last: EventTime?
        while let event = try gate.read() {
            switch event {
            case .batch(let batch, _, _): rows += batch.count
            case .watermark(let watermark): last = watermark
            default: break
            }
            if last != nil { #expect(rows == 1_604) }
        }
        #expect(last == EventTime(milliseconds: 9))
    }

    @Test("Timeout 0 sends every part at once")
    func noTimeout() throws {
        let channels = Self.channels(1)
        let writer = ExchangeWriter(
            channels: channels, partitioner: SingleChannelPartitioner(), clock: SimulatedClock(), rowCountLimit: 100, bufferTimeoutMilliseconds: 0)
        for value in 0..<5 { try writer.write(Self.batch([Int64(value)])) }
        #expect(channels[0].queuedCount == 5)
    }

    @Test("Inputs end one by one, each when all its channels have ended")
    func ends() throws {
        let channels = Self.channels(3)
        let gate = InputGate(inputs: [[channels[0], channels[1]], [channels[2]]])
        channels[0].send(.endOfInput, byteCount: 64)
        #expect(try gate.read() == nil)
        channels[2].send(.endOfInput, byteCount: 64)
        guard case .endOfInput(1) = try gate.read() else {
            Issue.record("input 1 did not end")
            return
        }
        channels[1].send(.endOfInput, byteCount: 64)
        guard case .endOfInput(0) = try gate.read() else {
            Issue.record("input 0 did not end")
            return
        }
    }

    @Test("A channel that has an aligned barrier is not read until the others have it")
    func aligns() throws {
        let channels = Self.channels(3)
        let gate = InputGate(inputs: [channels])
        let barrier = CheckpointBarrier(
            id: CheckpointID(1), triggered: ProcessingTime(milliseconds: 0), alignment: .exactlyOnce, isSavepoint: false)
        channels[0].send(.barrier(barrier), byteCount: 64)
        channels[0].send(.batch(Self.batch([1])), byteCount: 64)
        #expect(try gate.read() == nil)
        channels[1].send(.barrier(barrier), byteCount: 64)
        #expect(try gate.read() == nil)
        // A channel that has ended is waited for as well: its producer lives until the last checkpoint.
        channels[2].send(.endOfInput, byteCount: 64)
        #expect(try gate.read() == nil)
        channels[2].send(.barrier(barrier), byteCount: 64)
        guard case .barrier(barrier) = try gate.read() else {
            Issue.record("no barrier")
            return
        }
        guard case .batch = try gate.read() else {
            Issue.record("the blocked channel is not read")
            return
        }
        #expect(try gate.read() == nil)
    }

    @Test("Channels are read in turn")
    func fair() throws {
        let channels = Self.channels(3)
        for channel in channels { for value in 0..<4 { channel.send(.batch(Self.batch([Int64(channel.number * 10 + value)])), byteCount: 64) } }
        let gate = InputGate(inputs: [channels])
        var order: [Int64] = []
        while case .batch(let batch, _, _) = try gate.read() { order += PartitionerTests.values(batch) }
        #expect(order == [0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23])
    }
}
