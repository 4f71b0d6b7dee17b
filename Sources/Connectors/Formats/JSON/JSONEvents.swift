import CDecoding
import Columnar

/// One parsed JSON document as a flat list of events; simdjson reads it, and checks that it is JSON.
final class JSONEvents {
    /// Deeper nesting is refused.
    static let depthMax: UInt32 = 256

    private let json: OpaquePointer
    private(set) var events: UnsafePointer<decoding_json_event>
    private(set) var count = 0

    init() throws(MillstreamError) {
        guard let json = decoding_json_create(JSONEvents.depthMax) else {
            throw MillstreamError(.limitExceeded, "no memory for a JSON reader", domain: .external)
        }
        self.json = json
        events = UnsafePointer(JSONEvents.none)
    }

    private nonisolated(unsafe) static let none = UnsafeMutablePointer<decoding_json_event>.allocate(capacity: 1)

    deinit { decoding_json_free(json) }

    /// Reads one object. nil if it is one; otherwise what is wrong, and where. The padding of a chunk lies behind the text.
    func parse(_ text: UnsafePointer<UInt8>, _ count: Int) -> (reason: String, offset: Int)? {
        var found: UnsafePointer<decoding_json_event>?
        var (foundCount, offset) = (0, 0)
        if let reason = decoding_json_parse(json, text, count, &found, &foundCount, &offset) {
            return (String(cString: reason), offset)
        }
        guard let found else { return ("there is no value", 0) }
        events = found
        self.count = foundCount
        return nil
    }

    func kind(_ place: Int) -> decoding_json_kind { decoding_json_kind(events[place].kind) }

    /// The place behind a value.
    @inline(__always)
    func next(_ place: Int) -> Int {
        let event = events[place]
        let isNested = event.kind == decoding_json_object.rawValue || event.kind == decoding_json_array.rawValue
        return isNested ? Int(event.length) &+ 1 : place &+ 1
    }

    func text(_ place: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: events[place].text, count: Int(events[place].length))
    }

    /// A value as JSON text without spaces; the numbers as they were written.
    func write(_ place: Int, to text: TextBuffer) {
        var place = place
        let end = next(place)
        // Commas belong between values of one level: before anything but the first of a level, a key's value, and an end.
        var needsComma = false
        var closers: [UInt8] = []
        while place < end {
            let kind = kind(place)
            if kind == decoding_json_end {
                text.append(closers.popLast() ?? 0x5D)
                needsComma = true
                place += 1
                continue
            }
            if needsComma { text.append(UInt8(ascii: ",")) }
            needsComma = true
            switch kind {
            case decoding_json_object:
                text.append(UInt8(ascii: "{"))
                closers.append(UInt8(ascii: "}"))
                needsComma = false
            case decoding_json_array:
                text.append(UInt8(ascii: "["))
                closers.append(UInt8(ascii: "]"))
                needsComma = false
            case decoding_json_key:
                text.append(jsonString: UnsafeRawBufferPointer(self.text(place)))
                text.append(UInt8(ascii: ":"))
                needsComma = false
            case decoding_json_string: text.append(jsonString: UnsafeRawBufferPointer(self.text(place)))
            default: text.append(UnsafeRawBufferPointer(self.text(place)))
            }
            place += 1
        }
    }
}
