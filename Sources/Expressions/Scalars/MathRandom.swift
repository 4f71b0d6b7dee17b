import Columnar
import Plan

/// RAND, RAND_INTEGER and UUID.
///
/// A seed gives the first number that `java.util.Random` gives for it, in every row: as Flink has it, and the same after a restore.
enum MathRandom {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .rand: try rand(request)
        case .randInteger: try randInteger(request)
        case .uuid: { (_, count, context) throws(MillstreamError) in try uuids(count, context, request.type) }
        default: nil
        }
    }

    private static func rand(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        guard let seedType = request.arguments.first else {
            return { (_, count, context) in filled(count, type, nil) { _ in Double(context.random() >> 11) * 0x1p-53 } }
        }
        if seedType.kind == .null { return { (_, _, _) in .null(type) } }
        let step = seedType.kind == .int ? nil : try Casts.step(from: seedType, to: .int)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let seeds = try Alignment.apply(step, arguments[0], count, context)
            let values = Values<Int32>(seeds)
            let rows = seeds.isConstant ? 1 : count
            let result = filled(rows, type, Validity.ofAll([seeds], count: rows)) { row in JavaRandom(seed: Int64(values[row])).nextDouble() }
            return Operand(result.column, isConstant: seeds.isConstant)
        }
    }

    private static func randInteger(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        let steps: [CastStep?] = try request.arguments.map { argument throws(MillstreamError) in argument.kind == .int ? nil : try Casts.step(from: argument, to: .int) }
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            var operands: [Operand] = []
            for (step, argument) in zip(steps, arguments) { operands.append(try Alignment.apply(step, argument, count, context)) }
            let bounds = Values<Int32>(operands[operands.count - 1])
            let validity = Validity.ofAll(operands, count: count)
            for row in 0..<count where bounds[row] <= 0 {
                if let validity, !Bits.get(validity.base, row) { continue }
                throw MillstreamError(
                    .invalidArgument, "RAND_INTEGER gives numbers below its bound, which must be positive, not \(bounds[row])", recordIndex: Int64(row))
            }
            // A bound behind a null may be anything.
            func bound(_ row: Int) -> Int32 { max(1, bounds[row]) }
            if operands.count == 1 {
                let random = JavaRandom(seed: Int64(bitPattern: context.random()))
                return filled(count, type, validity) { row in random.nextInt(bound(row)) }
            }
            let seeds = Values<Int32>(operands[0])
            return filled(count, type, validity) { row in JavaRandom(seed: Int64(seeds[row])).nextInt(bound(row)) }
        }
    }

    private static func filled<Value: BitwiseCopyable>(_ count: Int, _ type: DataType, _ validity: Buffer?, _ body: (Int) -> Value) -> Operand {
        let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
        let values = buffer.pointer(as: Value.self)
        for row in 0..<count { values[row] = body(row) }
        return Operand(Column(type: type, count: count, validity: validity, values: buffer))
    }

    /// Random identifiers of RFC 4122's version 4.
    private static func uuids(_ count: Int, _ context: EvaluationContext, _ type: DataType) throws(MillstreamError) -> Operand {
        var writer = TextWriter()
        var builder = ViewBuilder()
        try builder.reserve(count)
        for _ in 0..<count {
            let high = context.random() & ~0xF000 | 0x4000
            let low = context.random() & ~(3 << 62) | 2 << 62
            writer.clear()
            writer.append(hex: high >> 32, digits: 8)
            writer.append(UInt8(ascii: "-"))
            writer.append(hex: high >> 16, digits: 4)
            writer.append(UInt8(ascii: "-"))
            writer.append(hex: high, digits: 4)
            writer.append(UInt8(ascii: "-"))
            writer.append(hex: low >> 48, digits: 4)
            writer.append(UInt8(ascii: "-"))
            writer.append(hex: low, digits: 12)
            try builder.append(writer.bytes)
        }
        return Operand(builder.finish(type: type))
    }
}

/// The generator that `java.util.Random` specifies: 48 bits of a linear congruence.
final class JavaRandom {
    private var state: UInt64 = 0

    init(seed: Int64) { reset(seed: seed) }

    func reset(seed: Int64) { state = (UInt64(bitPattern: seed) ^ 0x5_DEEC_E66D) & (1 << 48 - 1) }

    private func next(_ bits: UInt64) -> Int32 {
        state = (state &* 0x5_DEEC_E66D &+ 0xB) & (1 << 48 - 1)
        return Int32(truncatingIfNeeded: state >> (48 - bits))
    }

    /// 0 ≤ x < 1
    func nextDouble() -> Double { Double(Int64(next(26)) << 27 + Int64(next(27))) * 0x1p-53 }

    /// 0 ≤ x < bound; the bound is positive.
    func nextInt(_ bound: Int32) -> Int32 {
        let mask = bound &- 1
        var bits = next(31)
        if bound & mask == 0 { return Int32(truncatingIfNeeded: (Int64(bound) &* Int64(bits)) >> 31) }
        var value = bits % bound
        // Numbers of the last, incomplete span would come too often.
        while bits &- value &+ mask < 0 {
            bits = next(31)
            value = bits % bound
        }
        return value
    }
}
