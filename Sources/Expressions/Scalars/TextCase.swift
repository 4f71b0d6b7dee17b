import Columnar

/// UPPER, LOWER and INITCAP.
enum TextCase {
    static func kernel(_ type: DataType, _ change: @escaping (UnsafeRawBufferPointer, TextColumn) -> Void) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let text = TextArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) in
                change(text[row], result)
                return true
            }
        }
    }

    /// Unicode's full mapping: 'ß' becomes 'SS'.
    static func upper(_ bytes: UnsafeRawBufferPointer, _ result: TextColumn) {
        if UTF8Validation.isASCII(bytes) { return ascii(bytes, result, from: 0x61, flipping: 0x20) }
        mapped(bytes, result) { $0.properties.uppercaseMapping }
    }

    static func lower(_ bytes: UnsafeRawBufferPointer, _ result: TextColumn) {
        if UTF8Validation.isASCII(bytes) { return ascii(bytes, result, from: 0x41, flipping: 0x20) }
        var place = 0
        while place < bytes.count {
            let (point, length) = TextPoints.decode(bytes, at: place)
            if point == 0x3A3 {
                // A sigma at the end of a word has a form of its own.
                result.append(point: isFinal(bytes, place, length) ? 0x3C2 : 0x3C3)
            } else {
                append(point, result) { $0.properties.lowercaseMapping }
            }
            place &+= length
        }
    }

    /// ASCII words alone: Flink takes all other characters for what separates them.
    static func initCap(_ bytes: UnsafeRawBufferPointer, _ result: TextColumn) {
        result.write(room: bytes.count) { target in
            var isStart = true
            for (place, byte) in bytes.enumerated() {
                var changed = byte
                switch byte {
                case 0x30...0x39: isStart = false
                case 0x41...0x5A:
                    if !isStart { changed = byte | 0x20 }
                    isStart = false
                case 0x61...0x7A:
                    if isStart { changed = byte & 0xDF }
                    isStart = false
                default: isStart = true
                }
                target[place] = changed
            }
            return bytes.count
        }
    }

    /// Flips a bit of the 26 letters from `first` on. No branch in the loop, so that it is vectorised.
    private static func ascii(_ bytes: UnsafeRawBufferPointer, _ result: TextColumn, from first: UInt8, flipping bit: UInt8) {
        result.write(room: bytes.count) { target in
            for place in 0..<bytes.count {
                let byte = bytes[place]
                target[place] = byte ^ (byte &- first < 26 ? bit : 0)
            }
            return bytes.count
        }
    }

    private static func mapped(_ bytes: UnsafeRawBufferPointer, _ result: TextColumn, _ mapping: (Unicode.Scalar) -> String) {
        var place = 0
        while place < bytes.count {
            let (point, length) = TextPoints.decode(bytes, at: place)
            append(point, result, mapping)
            place &+= length
        }
    }

    @inline(__always)
    private static func append(_ point: UInt32, _ result: TextColumn, _ mapping: (Unicode.Scalar) -> String) {
        guard let scalar = Unicode.Scalar(point) else { return result.append(point: 0xFFFD) }
        result.append(mapping(scalar))
    }

    /// Unicode's condition Final_Sigma: a cased letter before, none behind, whatever can be ignored lies between.
    private static func isFinal(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ length: Int) -> Bool {
        var before = place
        var hasLetter = false
        while before > 0 {
            before &-= 1
            while before > 0, bytes[before] & 0xC0 == 0x80 { before &-= 1 }
            guard let properties = Unicode.Scalar(TextPoints.decode(bytes, at: before).point)?.properties else { break }
            if properties.isCaseIgnorable { continue }
            hasLetter = properties.isCased
            break
        }
        guard hasLetter else { return false }
        var behind = place &+ length
        while behind < bytes.count {
            let (point, length) = TextPoints.decode(bytes, at: behind)
            guard let properties = Unicode.Scalar(point)?.properties else { return true }
            if !properties.isCaseIgnorable { return !properties.isCased }
            behind &+= length
        }
        return true
    }
}
