import CMillstream
import Columnar
import Glibc

/// What a `millstream_error` holds: the error, and its texts as C strings that live as long as the handle.
final class ErrorBox: @unchecked Sendable {
    let error: MillstreamError
    let message: UnsafeMutablePointer<CChar>?
    let hint: UnsafeMutablePointer<CChar>?
    let operatorName: UnsafeMutablePointer<CChar>?
    let suppressed: [UnsafeMutablePointer<CChar>?]

    init(_ error: MillstreamError) {
        self.error = error
        message = strdup(error.message)
        hint = error.hint.flatMap { strdup($0) }
        operatorName = error.operatorName.flatMap { strdup($0) }
        suppressed = error.suppressed.map { later in strdup(later.operatorName.map { "in operator '\($0)', " + later.message } ?? later.message) }
    }

    deinit {
        free(message)
        free(hint)
        free(operatorName)
        for text in suppressed { free(text) }
    }
}

extension MillstreamError {
    /// The error's status at the border.
    var status: millstream_status { millstream_status(rawValue: UInt32(code.rawValue)) }
}

/// Runs the body of an exported function; a failure becomes a status and, where the caller asked for one, an error handle.
func guarded(
    _ error: UnsafeMutablePointer<OpaquePointer?>?, _ body: () throws(MillstreamError) -> Void
) -> millstream_status {
    do throws(MillstreamError) {
        try Library.shared.checkUsable()
        try body()
        return MILLSTREAM_OK
    } catch let failure {
        return report(failure, into: error)
    }
}

/// Gives an error to the caller. Where not even a handle can be had, the status alone tells.
func report(_ failure: MillstreamError, into error: UnsafeMutablePointer<OpaquePointer?>?) -> millstream_status {
    if let error { error.pointee = try? HandleTable.shared.insert(ErrorBox(failure), .error) }
    return failure.status
}

private func box(_ error: OpaquePointer?) -> ErrorBox? { try? HandleTable.shared.find(error, .error, as: ErrorBox.self) }

@c @implementation
public func millstream_error_status(_ error: OpaquePointer?) -> millstream_status {
    box(error)?.error.status ?? MILLSTREAM_INVALID_HANDLE
}

@c @implementation
public func millstream_error_message(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
    if let box = box(error) { return UnsafePointer(box.message) }
    return StaticText.invalidError
}

@c @implementation
public func millstream_error_hint(_ error: OpaquePointer?) -> UnsafePointer<CChar>? { UnsafePointer(box(error)?.hint) }

@c @implementation
public func millstream_error_operator(_ error: OpaquePointer?) -> UnsafePointer<CChar>? { UnsafePointer(box(error)?.operatorName) }

@c @implementation
public func millstream_error_record(_ error: OpaquePointer?) -> Int64 { box(error)?.error.recordIndex ?? -1 }

@c @implementation
public func millstream_error_exception(_ error: OpaquePointer?) -> UnsafeMutableRawPointer? { box(error)?.error.hostException?.handle }

@c @implementation
public func millstream_error_suppressed(_ error: OpaquePointer?, _ index: Int32) -> UnsafePointer<CChar>? {
    guard let texts = box(error)?.suppressed, index >= 0, Int(index) < texts.count else { return nil }
    return UnsafePointer(texts[Int(index)])
}

@c @implementation
public func millstream_error_free(_ error: OpaquePointer?) { _ = HandleTable.shared.remove(error, .error) }
