import Columnar
import Plan

/// The built-in scalar functions by name. Names do not depend on case.
enum FunctionCatalogue {
    static let all: [FunctionDefinition] =
        MathDefinitions.all + TextDefinitions.all + PatternDefinitions.all + EncodingDefinitions.all + TimeDefinitions.all + CollectionDefinitions.all
        + ChoiceDefinitions.all
        + DocumentDefinitions.all + SystemDefinitions.all

    private static let byName: [String: FunctionDefinition] = {
        var table: [String: FunctionDefinition] = [:]
        for definition in all { for name in definition.names { table[name] = definition } }
        return table
    }()

    static func definition(_ name: String) -> FunctionDefinition? { byName[name.uppercasedASCII] }

    /// In the order of the alphabet.
    static let names: [String] = byName.keys.sorted()

    /// Names that other systems have, and what Flink has for them.
    static let elsewhere: [String: String] = [
        "LENGTH": "CHAR_LENGTH counts characters.", "LEN": "CHAR_LENGTH counts characters.", "POW": "POWER is the name here.",
        "NVL": "COALESCE is the name here.",
        "ISNULL": "IS NULL is the test here.", "UCASE": "UPPER is the name here.", "LCASE": "LOWER is the name here.",
        "RLIKE": "REGEXP(text, pattern) is the function.",
        "REGEXP_LIKE": "REGEXP(text, pattern) is the function.", "DATEDIFF": "TIMESTAMPDIFF(DAY, from, to) counts days.",
        "DATE_ADD": "value + INTERVAL '1' DAY adds.",
        "DATE_SUB": "value - INTERVAL '1' DAY subtracts.", "DATE_TRUNC": "FLOOR(value TO DAY) cuts off.", "DAY": "DAYOFMONTH is the name here.",
        "STRPOS": "POSITION(needle IN text) is the form here.", "CHARINDEX": "POSITION(needle IN text) is the form here.",
        "ARRAY_SIZE": "CARDINALITY counts elements.",
        "ARRAY_LENGTH": "CARDINALITY counts elements.", "SIZE": "CARDINALITY counts elements.", "GROUP_CONCAT": "LISTAGG is the name here.",
        "STRING_AGG": "LISTAGG is the name here.", "JSON_EXTRACT": "JSON_VALUE and JSON_QUERY are the functions here.",
        "RANDOM": "RAND is the name here.",
        "GETDATE": "CURRENT_TIMESTAMP is the name here.", "SYSDATE": "CURRENT_TIMESTAMP is the name here.",
        "ARRAYS_OVERLAP": "CARDINALITY(ARRAY_INTERSECT(a, b)) > 0 is the same.",
    ]
}
