import CMillstream
import Columnar
import Dataflow
import Runtime

private func manualClock(_ handle: OpaquePointer?) throws(MillstreamError) -> ManualClock {
    try HandleTable.shared.find(handle, .clock, as: ManualClock.self)
}

@c @implementation
public func millstream_clock_create(
    _ start: Int64, _ clock: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(clock, "clock")
        result.pointee = try HandleTable.shared.insert(ManualClock(start: start), .clock)
    }
}

@c @implementation
public func millstream_clock_free(_ clock: OpaquePointer?) { _ = HandleTable.shared.remove(clock, .clock) }

@c @implementation
public func millstream_environment_set_clock(
    _ environment: OpaquePointer?, _ clock: OpaquePointer?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let given = clock == nil ? nil : try manualClock(clock)
        try environmentBox(environment).edit { editor throws(MillstreamError) in editor.clock = given }
    }
}

@c @implementation
public func millstream_clock_now(
    _ clock: OpaquePointer?, _ milliseconds: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let found = try manualClock(clock)
        try place(milliseconds, "milliseconds").pointee = found.now().milliseconds
    }
}

@c @implementation
public func millstream_clock_advance(
    _ clock: OpaquePointer?, _ milliseconds: Int64, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in try manualClock(clock).advance(by: milliseconds) }
}

@c @implementation
public func millstream_clock_wait(
    _ clock: OpaquePointer?, _ milliseconds: Int64, _ is_at_rest: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let found = try manualClock(clock)
        let result = try place(is_at_rest, "is_at_rest")
        let limit = try readWait(milliseconds).map { min($0, Int64.max / 4_000_000) &* 1_000_000 }
        result.pointee = found.wait(timeoutNanoseconds: limit) ? 1 : 0
    }
}
