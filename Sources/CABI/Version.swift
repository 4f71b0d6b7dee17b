import CMillstream

/// Texts that live for ever. A `StaticString` lies in the library's read-only data, NUL-terminated.
enum StaticText {
    static var version: UnsafePointer<CChar>? { pointer("0.1.0") }
    static var invalidError: UnsafePointer<CChar>? { pointer("the error handle is NULL, was freed already, or is not one of Millstream's") }

    static var textOutput: UnsafePointer<CChar>? { pointer("text output") }

    private static func pointer(_ text: StaticString) -> UnsafePointer<CChar>? {
        text.hasPointerRepresentation ? UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self) : nil
    }
}

@c @implementation
public func millstream_abi_version() -> UInt32 { UInt32(MILLSTREAM_ABI_VERSION) }

@c @implementation
public func millstream_version() -> UnsafePointer<CChar>? { StaticText.version }
