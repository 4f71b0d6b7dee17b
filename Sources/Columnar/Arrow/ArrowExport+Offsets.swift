#if canImport(Glibc)
    import Glibc
#endif

/// Text or bytes in Arrow's form with Int32 offsets, for consumers that know no views: the values of a column's window from 0 on.
struct OffsetForm {
    let offsets: Buffer
    let data: Buffer
    let validity: Buffer?
}

extension Column {
    /// A copy of a column of views in the form with offsets. Throws `limitExceeded` beyond 2 GiB.
    func offsetForm() throws(MillstreamError) -> OffsetForm {
        let source = ViewReader(self)
        var total = 0
        for index in 0..<count where !isNull(index) { total &+= source[index].count }
        guard total <= Int(Int32.max) else {
            throw MillstreamError(
                .limitExceeded, "a column has \(total) bytes of text; Arrow's form with 32-bit offsets holds at most \(Int32.max)",
                hint: "Use smaller batches, or take views.")
        }
        let offsets = Buffer(byteCount: 4 * (count + 1))
        let data = Buffer(byteCount: total)
        let target = offsets.pointer(as: Int32.self)
        target[0] = 0
        var place = 0
        for index in 0..<count {
            if !isNull(index) {
                let value = source[index]
                if let start = value.baseAddress, value.count > 0 { memcpy(data.base + place, start, value.count) }
                place &+= value.count
            }
            target[index + 1] = Int32(truncatingIfNeeded: place)
        }
        return OffsetForm(offsets: offsets, data: data, validity: validityFromZero())
    }

    /// The bitmap of the window alone.
    func validityFromZero() -> Buffer? {
        guard let validity else { return nil }
        if offset == 0 { return validity }
        let result = Buffer(byteCount: Bits.byteCount(count))
        Bits.copy(from: validity.base, offset, to: result.base, 0, count: count)
        return result
    }
}
