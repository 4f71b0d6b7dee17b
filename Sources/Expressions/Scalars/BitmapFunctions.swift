import Columnar
import Plan

/// BITMAP_*: functions of Roaring bitmaps, whose columns are views of their serialized form.
enum BitmapFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .bitmapBuild, .bitmapAnd, .bitmapAndNot, .bitmapOr, .bitmapXor, .bitmapCardinality, .bitmapFromBytes, .bitmapToArray, .bitmapToBytes, .bitmapToString: break
        default: return nil
        }
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        switch request.function {
        case .bitmapBuild: return try build(request)
        case .bitmapAnd: return combined(.and, type)
        case .bitmapAndNot: return combined(.andNot, type)
        case .bitmapOr: return combined(.or, type)
        case .bitmapXor: return combined(.xor, type)
        case .bitmapCardinality:
            return { (arguments, count, _) throws(MillstreamError) in
                try TimeParsing.map(arguments, count, type) { row throws(MillstreamError) in
                    guard let cardinality = RoaringBitmap.cardinality(serialized: arguments[0].bytes(row)) else { throw damaged() }
                    return cardinality
                }
            }
        // The bytes are the bitmap.
        case .bitmapToBytes: return { (arguments, _, _) in arguments[0].typed(type) }
        case .bitmapFromBytes:
            return { (arguments, count, _) throws(MillstreamError) in
                try views(arguments, count, type) { row, builder throws(MillstreamError) in try append(try bitmap(arguments[0], row).serialized(), &builder) }
            }
        case .bitmapToString:
            return { (arguments, count, _) throws(MillstreamError) in
                try views(arguments, count, type) { row, builder throws(MillstreamError) in try append(try bitmap(arguments[0], row).text, &builder) }
            }
        default: return toArray(type)
        }
    }

    private static func damaged() -> MillstreamError {
        MillstreamError(.decode, "failed to deserialize a bitmap from bytes", hint: "Bitmaps of 32-bit numbers in Roaring's portable format are read.")
    }

    private static func bitmap(_ operand: Operand, _ row: Int) throws(MillstreamError) -> RoaringBitmap {
        guard let bitmap = RoaringBitmap(serialized: operand.bytes(row)) else { throw damaged() }
        return bitmap
    }

    private static func append(_ bytes: [UInt8], _ builder: inout ViewBuilder) throws(MillstreamError) {
        var failure: MillstreamError?
        bytes.withUnsafeBytes { bytes in
            do throws(MillstreamError) { try builder.append(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// A view for each row in which no argument is NULL.
    private static func views(
        _ arguments: [Operand], _ count: Int, _ type: DataType, _ body: (Int, inout ViewBuilder) throws(MillstreamError) -> Void
    ) throws(MillstreamError) -> Operand {
        if arguments.contains(where: \.isNullConstant) { return .null(type) }
        let isConstant = arguments.allSatisfy(\.isConstant)
        let count = isConstant ? 1 : count
        var builder = ViewBuilder()
        for row in 0..<count {
            if arguments.contains(where: { $0.isNull(row) }) { try builder.appendNull() } else { try body(row, &builder) }
        }
        return Operand(builder.finish(type: type), isConstant: isConstant)
    }

    private static func combined(_ operation: RoaringBitmap.Operation, _ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            // One side is often the same for all rows.
            var constants: [RoaringBitmap?] = []
            for operand in arguments { constants.append(operand.isConstant && !operand.isNullConstant ? try bitmap(operand, 0) : nil) }
            return try views(arguments, count, type) { row, builder throws(MillstreamError) in
                let left = if let constant = constants[0] { constant } else { try bitmap(arguments[0], row) }
                let right = if let constant = constants[1] { constant } else { try bitmap(arguments[1], row) }
                try append(left.combined(operation, right).serialized(), &builder)
            }
        }
    }

    private static func build(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        guard case .array(let element)? = request.arguments.first?.kind, case .fixed(let width) = element.layout, width <= 4 else {
            throw MillstreamError(.plan, "BITMAP_BUILD takes an array of INT, not \(request.arguments.map(\.description).joined(separator: ", "))")
        }
        return { (arguments, count, _) throws(MillstreamError) in
            let lists = arguments[0]
            guard !lists.isNullConstant else { return .null(type) }
            let elements = Operand(lists.elements)
            return try views(arguments, count, type) { row, builder throws(MillstreamError) in
                var bitmap = RoaringBitmap()
                for index in lists.list(row) where !elements.isNull(index) { bitmap.insert(UInt32(truncatingIfNeeded: elements.integer(index))) }
                try append(bitmap.serialized(), &builder)
            }
        }
    }

    private static func toArray(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let count = arguments[0].isConstant ? 1 : count
            var lists = ListAssembly(count: count)
            var numbers = FixedWidthBuilder<Int32>()
            for row in 0..<count {
                if arguments[0].isNull(row) {
                    lists.endNull()
                    continue
                }
                var failure: MillstreamError?
                try bitmap(arguments[0], row).forEach { number in
                    do throws(MillstreamError) { try numbers.append(Int32(bitPattern: number)) } catch { failure = error }
                }
                if let failure { throw failure }
                try lists.end(numbers.count)
            }
            return Operand(lists.finish(type, child: numbers.finish(type: type.elementType ?? .int)), isConstant: arguments[0].isConstant)
        }
    }
}
