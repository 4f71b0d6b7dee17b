import Columnar
#if canImport(Glibc)
    import Glibc
#endif

extension MillstreamError {
    /// The error of a system call on a path: what was tried, where, and the system's reason.
    public static func system(_ action: String, _ path: String, _ number: Int32) -> MillstreamError {
        MillstreamError(
            .io, "cannot \(action) '\(path)': \(systemErrorText(number))", hint: hint(number), domain: .external,
            isRetryable: number == EINTR || number == EAGAIN || number == EMFILE || number == ENFILE)
    }

    private static func hint(_ number: Int32) -> String? {
        switch number {
        case ENOSPC, EDQUOT: "Free space on the device, then run the job again."
        case EACCES, EPERM, EROFS: "Check the permissions of the file and of the directories above it."
        case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)."
        default: nil
        }
    }
}

/// The system's text for an `errno`, with its number: `No space left on device (errno 28)`.
public func systemErrorText(_ number: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
        guard let base = text.baseAddress, strerror_r(number, base, text.count) == 0 else { return "errno \(number)" }
        return "\(String(cString: base)) (errno \(number))"
    }
}
