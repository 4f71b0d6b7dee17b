import CRocksDB
import Columnar
import Glibc

/// The functions of libmillstream_rocksdb.so, which is loaded when they are first asked for: jobs without it pay neither its memory nor its time.
enum RocksDBLibrary {
    nonisolated(unsafe) private static let loaded: Result<UnsafePointer<rocks_functions>, MillstreamError> = load()

    static func functions() throws(MillstreamError) -> UnsafePointer<rocks_functions> { try loaded.get() }

    private static let name = "libmillstream_rocksdb.so"

    private static func load() -> Result<UnsafePointer<rocks_functions>, MillstreamError> {
        // Beside the library (or program) that this code is in, else where the system looks.
        var image = rocks_image()
        var places = [name]
        if dladdr(#dsohandle, &image) != 0, let path = image.path {
            let own = String(cString: path)
            if let slash = own.lastIndex(of: "/") { places.insert(own[...slash] + name, at: 0) }
        }
        var reason = ""
        for place in places {
            guard let library = dlopen(place, RTLD_NOW | RTLD_LOCAL) else {
                if reason.isEmpty, let text = dlerror() { reason = String(cString: text) }
                continue
            }
            guard let symbol = dlsym(library, "millstream_rocksdb") else { continue }
            typealias Entry = @convention(c) () -> UnsafePointer<rocks_functions>?
            guard let functions = unsafeBitCast(symbol, to: Entry.self)(), functions.pointee.version == UInt32(rocks_version) else {
                return .failure(MillstreamError(.unsupported, "'\(place)' belongs to another version of Millstream", domain: .external))
            }
            return .success(functions)
        }
        return .failure(
            MillstreamError(
                .unsupported, "RocksDB cannot be loaded: \(reason)",
                hint: "\(name) lies beside libmillstream.so; it needs librocksdb (Debian: librocksdb7.8), which a wheel of Millstream has inside.",
                domain: .external))
    }

    /// Calls a function of the library and turns its error into one with the path.
    static func check(_ path: String, _ call: (UnsafeMutablePointer<rocks_error>) -> Bool) throws(MillstreamError) {
        var error = rocks_error()
        guard !call(&error) else { return }
        throw failure(path, error)
    }

    static func failure(_ path: String, _ error: rocks_error) -> MillstreamError {
        let text = withUnsafeBytes(of: error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        switch rocks_error_kind(UInt32(bitPattern: error.kind)) {
        case rocks_error_corruption: return MillstreamError(.decode, "the RocksDB store '\(path)' is damaged: \(text)", domain: .external)
        case rocks_error_no_space:
            return MillstreamError(
                .io, "the RocksDB store '\(path)': \(text)", hint: "Free space on the device, or set state.backend.rocksdb.localdir to another.",
                domain: .external)
        default: return MillstreamError(.io, "the RocksDB store '\(path)': \(text)", domain: .external)
        }
    }
}
