import CDecoding

/// Whether bytes are UTF-8 throughout (simdjson; several bytes a cycle).
func isUTF8(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool { decoding_is_utf8(bytes, count) }
