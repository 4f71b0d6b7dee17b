import Columnar
import Plan

/// The functions of text, by kind: parts of a text (`TextParts`), letters (`TextCase`), searches (`TextSearch`), and new texts (`TextMaking`).
///
/// Lengths and places count code points throughout. (Flink counts UTF-16 units in LPAD, RPAD, OVERLAY and SPLIT, and can cut a character in two.)
enum TextFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .charLength:
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let text = TextArgument(arguments[0])
                return try TextLoops.numbers(arguments, count, type, as: Int32.self) { Int32(truncatingIfNeeded: TextPoints.count(text[$0])) }
            }
        case .upper: return TextCase.kernel(type, TextCase.upper)
        case .lower: return TextCase.kernel(type, TextCase.lower)
        case .initCap: return TextCase.kernel(type, TextCase.initCap)
        case .substring: return TextParts.substring(type)
        case .left: return TextParts.left(type)
        case .right: return TextParts.right(type)
        case .trim: return try TextParts.trim(request)
        case .ltrim: return TextParts.trim(type, .leading)
        case .rtrim: return TextParts.trim(type, .trailing)
        case .btrim: return TextParts.trim(type, .both)
        case .splitIndex: return TextParts.splitIndex(type)
        case .elt: return TextParts.elt(type)
        case .split: return TextParts.split(type)
        case .position: return TextSearch.position(type, needle: 0, text: 1)
        case .locate: return TextSearch.position(type, needle: 0, text: 1)
        case .instr: return TextSearch.instr(type)
        case .startsWith: return TextSearch.startsWith(type)
        case .endsWith: return TextSearch.endsWith(type)
        case .ascii: return TextSearch.ascii(type)
        case .concat, .concatenate: return TextMaking.concat(type)
        case .concatWithSeparator: return TextMaking.concatWithSeparator(type)
        case .lpad: return TextMaking.pad(type, atStart: true)
        case .rpad: return TextMaking.pad(type, atStart: false)
        case .repeat: return TextMaking.repeated(type)
        case .replace: return TextMaking.replace(type)
        case .reverse: return TextMaking.reverse(type)
        case .overlay: return TextMaking.overlay(type)
        case .translate: return TextMaking.translate(type)
        case .chr: return TextMaking.chr(type)
        case .printf: return TextPrintf.kernel(request)
        case .like: return try TextLike.prepare(request)
        default: return nil
        }
    }
}

/// What was compiled for the patterns of a batch, where they are no constant. Rows mostly repeat the pattern before.
final class TextPatternCache<Compiled> {
    private static var countMax: Int { 256 }
    private var known: [[UInt8]: Compiled] = [:]
    private var last: [UInt8] = []
    private var lastCompiled: Compiled?

    func compiled(_ pattern: UnsafeRawBufferPointer, _ compile: (UnsafeRawBufferPointer) throws(MillstreamError) -> Compiled) throws(MillstreamError) -> Compiled {
        if let lastCompiled, last.withUnsafeBytes({ TextPoints.isEqual($0, pattern) }) { return lastCompiled }
        let key = Array(pattern)
        let compiled: Compiled
        if let found = known[key] {
            compiled = found
        } else {
            compiled = try compile(pattern)
            if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
            known[key] = compiled
        }
        last = key
        lastCompiled = compiled
        return compiled
    }
}
