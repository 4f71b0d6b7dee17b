import Columnar
import Expressions
import Plan
import Testing

@Suite struct TextFunctionTests {
    @Test("Digests are the published ones")
    func digests() throws {
        // RFC 1321, FIPS 180-4 and NIST's examples.
        let million = String(repeating: "a", count: 1_000_000)
        let vectors: [(ScalarFunction, String, String)] = [
            (.md5, "", "d41d8cd98f00b204e9800998ecf8427e"), (.md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (.md5, "12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"),
            (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
            (.sha1, million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
            (.sha224, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (.sha256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
            (.sha256, million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
            (.sha384, "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
            (
                .sha512, "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ]
        for (function, text, digest) in vectors { #expect(try Calls.string(function, text) == digest) }
    }

    /// LIKE by trying every way, over code points.
    private func matches(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "%" { return matches(text, pattern.dropFirst()) || (!text.isEmpty && matches(text.dropFirst(), pattern)) }
        guard let head = text.first, first == "_" || first == head else { return false }
        return matches(text.dropFirst(), pattern.dropFirst())
    }

    @Test("LIKE is what trying every way gives")
    func like() throws {
        var seed = Seeded(7)
        let letters = Array("aabé😀".unicodeScalars)
        let marks = Array("aab%%_é😀".unicodeScalars)
        for _ in 0..<3_000 {
            let text = (0..<seed.below(9)).map { _ in seed.pick(letters) }
            let pattern = (0..<seed.below(7)).map { _ in seed.pick(marks) }
            func string(_ scalars: [Unicode.Scalar]) -> ScalarExpression { Calls.text(String(String.UnicodeScalarView(scalars))) }
            #expect(try Calls.value(.like, [string(text), string(pattern)], .boolean) == .boolean(matches(text[...], pattern[...])), "\(text) \(pattern)")
        }
    }

    @Test("PRINTF formats as Java's Formatter")
    func printf() throws {
        func format(_ format: String, _ arguments: ScalarExpression...) throws -> String? {
            Calls.string(try Calls.value(.printf, [Calls.text(format)] + arguments))
        }
        func double(_ value: Double) -> ScalarExpression { .constant(.double(value), .double) }
        #expect(try format("%5.2f|%-5s|%05d", double(3.14159), Calls.text("a"), Calls.int(42)) == " 3.14|a    |00042")
        #expect(try format("%2$s %1$s %<s", Calls.text("a"), Calls.text("b")) == "b a a")
        // Half up, from the digits that Java prints.
        #expect(try format("%.2f %.1f %.0f %.3f", double(0.125), double(0.25), double(0.5), double(1e-9)) == "0.13 0.3 1 0.000")
        #expect(try format("%e %.2E %g %g %g", double(1234.5), double(0.00012345), double(123456), double(1234567), double(0.0001)) == "1.234500e+03 1.23E-04 123456. 1.23457e+06 0.000100000".replacing("123456.", with: "123456"))
        #expect(try format("%,d %,.2f %(d %+d % d", Calls.int(1_234_567), double(9_876_543.215), Calls.int(-5), Calls.int(5), Calls.int(5)) == "1,234,567 9,876,543.22 (5) +5  5")
        #expect(try format("%x %X %o %#x %08x", Calls.int(255), Calls.int(255), Calls.int(8), Calls.int(255), Calls.int(-1)) == "ff FF 10 0xff ffffffff")
        #expect(try format("%a %a %a", double(1), double(-0.1), double(0)) == "0x1.0p0 -0x1.999999999999ap-4 0x0.0p0")
        #expect(try format("%5s|%-5s|%.2s|%S", Calls.text("中"), Calls.text("ab"), Calls.text("abc"), Calls.text("abc")) == "    中|ab   |ab|ABC")
        #expect(try format("%b %b %c %n%%", Calls.text(nil), Calls.int(0), Calls.int(65)) == "false true A \n%")
        #expect(try format("%08.2f|%-8d|%f", double(-3.14159), Calls.int(7), double(.infinity)) == "-0003.14|7       |Infinity")
        for bad in ["%", "%z", "%d", "%-d", "%+s", "%.2d", "%3$s", "%,x", "%-05d", "%q"] { #expect(try format(bad, Calls.text("a")) == nil, "\(bad)") }
    }

    @Test("Places and lengths are code points")
    func codePoints() throws {
        #expect(try Calls.value(.charLength, [Calls.text("a😀e\u{301}")], .int) == .int64(4))
        #expect(Calls.string(try Calls.value(.overlay, [Calls.text("a😀b"), Calls.text("X"), Calls.int(2), Calls.int(1)])) == "aXb")
        #expect(Calls.string(try Calls.value(.lpad, [Calls.text("中"), Calls.int(3), Calls.text("😀")])) == "😀😀中")
        #expect(try Calls.value(.split, [Calls.text("a😀b"), Calls.text("")], DataType(.array(.string))) == .list([.string("a"), .string("😀"), .string("b")]))
        #expect(try Calls.value(.instr, [Calls.text("a😀b😀"), Calls.text("😀"), Calls.int(-1), Calls.int(2)], .int) == .int64(2))
    }

    @Test("A value of gigabytes is an error, not memory")
    func tooLong() {
        for call in [
            ScalarExpression.call(.repeat, [Calls.text("abc"), Calls.int(2_000_000_000)], .string), .call(.lpad, [Calls.text(""), Calls.int(2_000_000_000), Calls.text("x")], .string),
            .call(.replace, [.call(.repeat, [Calls.text("a"), Calls.int(1_000_000)], .string), Calls.text("a"), .call(.repeat, [Calls.text("b"), Calls.int(1_000)], .string)], .string),
        ] {
            #expect { try ScalarProgram.constant(call, EvaluationContext()) } throws: { ($0 as? MillstreamError)?.code == .limitExceeded }
        }
    }

    @Test("Character sets as Java's")
    func charsets() throws {
        func encoded(_ text: String, _ name: String) throws -> Scalar { try Calls.value(.encode, [Calls.text(text), Calls.text(name)], .bytes) }
        func decoded(_ bytes: [UInt8], _ name: String) throws -> String? { Calls.string(try Calls.value(.decode, [.constant(.bytes(bytes), .bytes), Calls.text(name)])) }
        #expect(try encoded("中é", "GBK") == .bytes([0xD6, 0xD0, 0xA8, 0xA6]))
        #expect(try encoded("a😀b", "ISO-8859-1") == .bytes([0x61, 0x3F, 0x62]))
        #expect(try encoded("a😀", "windows-1252") == .bytes([0x61, 0x3F]))
        #expect(try encoded("中", "utf-16") == .bytes([0xFE, 0xFF, 0x4E, 0x2D]))
        #expect(try decoded([0xFF, 0xFE, 0x2D, 0x4E], "UTF-16") == "中")
        #expect(try decoded([0xD6, 0xD0, 0xFF], "GBK") == "中\u{FFFD}")
        #expect(try decoded([0xD8, 0x3D, 0xDE, 0x00, 0x00], "UTF-16BE") == "😀\u{FFFD}")
        for name in ["nope", "", "UTF-8//TRANSLIT", "a b"] {
            #expect(throws: MillstreamError.self) { try encoded("a", name) }
        }
    }
}
