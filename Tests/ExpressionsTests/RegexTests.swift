import Columnar
import Expressions
import Plan
import Testing

@Suite struct RegexTests {
    private func finds(_ text: String, _ pattern: String) throws -> Bool { try Calls.value(.regexp, [Calls.text(text), Calls.text(pattern)], .boolean) == .boolean(true) }

    @Test("Java's dialect")
    func dialect() throws {
        // Text, pattern, and what java.util.regex finds.
        let cases: [(String, String, Bool)] = [
            ("b", "^[a-c&&[^a]]$", true), ("a", "^[a-c&&[^a]]$", false), ("m", "^[a-d[m-p]]$", true), ("e", "^[a-d[m-p]]$", false), ("q", "^[^a-d[m-p]]$", true),
            ("x", "^[a-z&&[def]]$", false), ("[", "[\\[]", true), ("]", "^[]a]$", true), ("é", "^\\p{Lower}$", false), ("é", "^\\p{Ll}$", true), ("é", "^\\pL$", true),
            ("A", "^\\p{IsLatin}\\P{Digit}?$", true), ("Я", "^\\p{script=Cyrillic}$", true), ("A", "\\u0041", true), ("😀", "^\\uD83D\\uDE00$", true), ("A", "^\\x{41}\\x41?\\0101?$", true),
            ("a.b", "^\\Qa.b\\E$", true), ("axb", "^\\Qa.b\\E$", false), ("AbC", "(?i)abc", true), ("ab\nc", "(?m)^c$", true), ("É", "(?i)é", false), ("É", "(?iu)é", true), ("É", "(?i:(?u)é)", true), ("Éa", "É(?i)A", true), ("a\nb", "a.b", false), ("a\nb", "(?s)a.b", true),
            ("aa", "^(a)\\1$", true), ("aa", "^(?<x>a)\\k<x>$", true), ("a1", "^(a)\\11$", false), ("a b # c", "(?x)a\\ b # comment", true), ("foobar", "(?<=foo)bar", true),
            ("}", "^}$", true), ("ab", "^a{1}b{1,2}+$", true), ("a", "^[\\p{Alpha}&&[^b-z]]$", true), ("5", "^[\\d&&[^0-4]]$", true), ("日本", "^..$", true), ("a\u{2028}", "^a\\R$", true),
        ]
        for (text, pattern, wanted) in cases { #expect(try finds(text, pattern) == wanted, "\(text) \(pattern)") }
    }

    @Test("What is no pattern of Java's matches nothing, and is an error for SIMILAR TO, with its place")
    func bad() throws {
        for pattern in ["[", "(", "*a", "a{", "{x}", "(?<1>a)", "\\y", "(?R)", "(*ACCEPT)", "\\p{Nope}", "[b-a]", "\\x{110000}", "(?(1)a|b)", "(?|a)", "a\\K", "\\u12", "(?P<n>a)", "[[:alpha:]"] {
            #expect(try finds("aaa", pattern) == false, "\(pattern)")
            #expect(try Calls.value(.regexpCount, [Calls.text("aaa"), Calls.text(pattern)], .int) == .null, "\(pattern)")
        }
        #expect { try Calls.value(.similarTo, [Calls.text("a"), Calls.text("ab(c")], .boolean) } throws: { "\($0)".contains("at place") && "\($0)".contains("ab(c") }
        #expect { try Calls.value(.similarTo, [Calls.text("a"), Calls.text("ab[c")], .boolean) } throws: { "\($0)".contains("place 3") }
    }

    @Test("What Java takes and the engine does not is an error everywhere")
    func unsupported() {
        for pattern in ["(?<=a+)b", "\\p{InGreek}", "(?U)\\w", "\\N{LATIN SMALL LETTER A}", "\\b{g}"] {
            #expect { try finds("aaa", pattern) } throws: { ($0 as? MillstreamError)?.code == .unsupported }
        }
    }

    @Test("A pattern that would run for ever ends with an error")
    func catastrophic() {
        let text = String(repeating: "a", count: 40) + "!"
        for pattern in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*\\1x", "((a*)*)*b(?<!a)"] {
            do {
                _ = try finds(text, pattern)
            } catch {
                #expect((error as? MillstreamError)?.code == .limitExceeded, "\(pattern) \(error)")
            }
        }
        #expect { try finds(String(repeating: "a", count: 40) + "!", "^(a|aa)+$") } throws: { ($0 as? MillstreamError)?.code == .limitExceeded }
    }

    @Test("Matches of nothing go on as Java's do")
    func empty() throws {
        #expect(try Calls.string(.regexpReplace, "aab", "a*", "-") == "--b-")
        #expect(try Calls.string(.regexpReplace, "a😀b", "", "-") == "-a-😀-b-")
        #expect(try Calls.value(.regexpCount, [Calls.text("aab"), Calls.text("x*")], .int) == .int64(4))
        #expect(try Calls.string(.regexpReplace, "abc", "b", "$1\\") == "a$1\\c")
        #expect(try Calls.value(.strToMap, [Calls.text("a1b2"), Calls.text("[0-9]"), Calls.text("=")], DataType(.map(key: DataType.string.notNull, value: .string)))
            == .map(keys: [.string("a"), .string("b")], values: [.null, .null]))
    }
}
