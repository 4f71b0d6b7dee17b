import Columnar
import Expressions
import Foundation
import Testing

@Suite struct ZoneTests {
    private static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/zones.txt")

    /// Offsets as Python's zoneinfo has them: random instants of 1850 to 2600, the seconds around clock changes, far years; local times in and around gaps and overlaps.
    @Test func zonesOfTheWorld() throws {
        var checked = 0
        for line in try String(contentsOf: Self.golden, encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ")
            let zone = try Zone.named(String(words[0]))
            var cursor = ZoneCursor(zone)
            for word in words.dropFirst(2) {
                let numbers = word.split(separator: ":").compactMap { Int64($0) }
                if words[1] == "instants" {
                    #expect(zone.offset(at: numbers[0]) == numbers[1], "\(words[0]) at \(numbers[0])")
                    #expect(cursor.offset(at: numbers[0]) == numbers[1], "\(words[0]) at \(numbers[0]), with a cursor")
                    #expect(cursor.local(numbers[0]) == numbers[0] + numbers[1])
                } else {
                    #expect(zone.offset(ofLocal: numbers[0]) == numbers[1], "\(words[0]) local \(numbers[0])")
                    #expect(zone.offset(ofLocal: numbers[0], .later) == numbers[2], "\(words[0]) local \(numbers[0]), later")
                    // Instants and local times by turns: what the cursor keeps of one must not spoil the other.
                    #expect(cursor.offset(ofLocal: numbers[0]) == numbers[1], "\(words[0]) local \(numbers[0]), with a cursor")
                    #expect(cursor.instant(numbers[0]) == numbers[0] - numbers[1])
                    #expect(cursor.offset(at: numbers[0] - numbers[1]) == zone.offset(at: numbers[0] - numbers[1]))
                }
                checked += 1
            }
        }
        #expect(checked > 2000)
    }

    /// The rules repeat after 400 years, for ever.
    @Test func farYears() throws {
        let zone = try Zone.named("America/New_York")
        let period: Int64 = 146_097 * 86_400
        for instant in stride(from: Int64(2_600_000_000), to: 2_700_000_000, by: 1_234_567) {
            for cycles in [1, 2, 25, 1_000, 1_250_000] as [Int64] {
                #expect(zone.offset(at: instant) == zone.offset(at: instant + cycles * period))
                #expect(zone.offset(ofLocal: instant) == zone.offset(ofLocal: instant + cycles * period))
            }
        }
        for edge in [Int64.min, .min + 1, .max - 1, .max] {
            var cursor = ZoneCursor(zone)
            _ = (zone.offset(at: edge), zone.offset(ofLocal: edge), cursor.local(edge), cursor.instant(edge))
        }
        var cursor = ZoneCursor(zone)
        #expect(cursor.local(.min) == .min)
        #expect(cursor.instant(.max) == .max)
    }

    @Test func offsets() throws {
        for (name, seconds) in [
            ("UTC", 0), ("Z", 0), ("GMT", 0), ("+05:30", 19_800), ("-8", -28_800), ("+0530", 19_800), ("GMT+02:00", 7_200), ("UTC-3", -10_800), ("UT+1", 3_600),
            ("+01:02:03", 3_723), ("-010203", -3_723), ("+18:00", 64_800), ("Etc/GMT+8", -28_800),
        ] as [(String, Int64)] {
            let zone = try Zone.named(name)
            #expect(zone.offset(at: 0) == seconds, "\(name)")
            #expect(zone.offset(ofLocal: 1_700_000_000) == seconds, "\(name)")
            #expect(zone.name == name)
        }
        for name in ["+19", "+18:01", "+5:30", "+05:3", "GMT+", "+", "", "UTC+25", "+05:60", "GMT2", "PST", "../../etc/passwd", "/etc/passwd", "Europe//Berlin", "Europe/", "right/UTC"] {
            #expect(throws: MillstreamError.self, "\(name)") { _ = try Zone.named(name) }
        }
    }

    @Test func unknownZonesNameNearOnes() {
        for (name, near) in [("Europe/Berlim", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("Berlin", "Europe/Berlin"), ("Asia/Shangai", "Asia/Shanghai")] {
            do {
                _ = try Zone.named(name)
                Issue.record("\(name) is no zone")
            } catch {
                let error = error as? MillstreamError
                #expect(error?.code == .plan)
                #expect(error?.message.contains("'\(name)'") == true)
                #expect(error?.hint?.contains("'\(near)'") == true, "\(error?.hint ?? "")")
            }
        }
    }

    /// `java.util.TimeZone`: what it does not know is UTC.
    @Test func lenientNames() throws {
        for (name, seconds) in [
            ("PST", -25_200), ("CST", -18_000), ("EST", -18_000), ("GMT+5:30", 19_800), ("GMT-08", -28_800), ("GMT+530", 19_800), ("GMT+24:00", 0), ("+05:30", 0),
            ("Nope/Zone", 0), ("Asia/Shanghai", 28_800), ("UTC", 0), ("", 0), ("UTC+3", 0),
        ] as [(String, Int64)] {
            // In July 2024.
            #expect(try Zone.lenient(name).offset(at: 1_720_000_000) == seconds, "\(name)")
        }
    }

    /// Damaged files: no zone or some zone, never a trap; and whatever comes out answers everywhere.
    @Test func damagedFiles() throws {
        var generator = SeededGenerator(20_240_229)
        var samples = [Data("TZif2".utf8) + Data(count: 200)]
        for name in ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Etc/UTC", "Africa/Casablanca"] {
            samples.append(try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/" + name)))
        }
        var readable = 0
        for round in 0..<6_000 {
            var bytes = [UInt8](samples[round % samples.count])
            for _ in 0..<Int.random(in: 0...6, using: &generator) where !bytes.isEmpty {
                switch Int.random(in: 0...3, using: &generator) {
                case 0: bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeLast(Int.random(in: 0...min(bytes.count, 40), using: &generator))
                case 2:
                    // In the rule at the end.
                    let at = bytes.count - 1 - Int.random(in: 0..<min(bytes.count, 40), using: &generator)
                    bytes[at] = [0x2C, 0x2D, 0x2F, 0x30, 0x39, 0x4D, 0x4A, 0x3A, 0x0A].randomElement(using: &generator) ?? 0
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: Int.random(in: 0...bytes.count, using: &generator))
                }
            }
            guard let zone = bytes.withUnsafeBytes({ Zone.reading($0, name: "x") }) else { continue }
            readable += 1
            var cursor = ZoneCursor(zone)
            for instant in [Int64.min, -1 << 60, -5_000_000_000, 0, 1_700_000_000, 20_000_000_000, 1 << 60, .max] {
                _ = (cursor.offset(at: instant), cursor.offset(ofLocal: instant), cursor.offset(ofLocal: instant, .later), zone.offset(at: instant))
            }
        }
        #expect(readable > 500)
    }
}

/// The same numbers in each run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
