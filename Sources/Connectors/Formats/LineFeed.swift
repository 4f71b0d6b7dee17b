import Glibc

/// The place of the first line feed, or nil.
func findLineFeed(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int? {
    guard count > 0, let found = memchr(text, 0x0A, count) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(text)
}
