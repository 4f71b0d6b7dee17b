/// The built-in scalar functions and operators of SQL; the raw value is what messages and EXPLAIN call them.
///
/// Arguments come in the order of the SQL call, cast to what the function takes; optional ones that a call leaves out are left out here too, unless a comment says otherwise.
public enum ScalarFunction: String, Hashable, Sendable, CaseIterable {
    // Logic. Arguments BOOLEAN; three-valued.
    case and = "AND"
    case or = "OR"
    case not = "NOT"
    case isTrue = "IS TRUE"
    case isNotTrue = "IS NOT TRUE"
    case isFalse = "IS FALSE"
    case isNotFalse = "IS NOT FALSE"

    // Tests of any type.
    case isNull = "IS NULL"
    case isNotNull = "IS NOT NULL"

    // Comparisons. Both arguments have one type, up to nullability, lengths and precisions.
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isDistinctFrom = "IS DISTINCT FROM"
    case isNotDistinctFrom = "IS NOT DISTINCT FROM"
    case greatest = "GREATEST"
    case least = "LEAST"

    // Membership: the first argument among the others, all of one type. NULL where there is no match and some are NULL.
    case `in` = "IN"

    // Choice. All arguments have the type of the result.
    case coalesce = "COALESCE"
    case nullIf = "NULLIF"

    // Arithmetic. Integers and floating-point numbers: arguments have the type of the result. Decimals: arguments are DECIMAL of their own precision and
    // scale. Points in time and intervals: a point first, an interval second, or two intervals; `minus` of two points gives an interval.
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divide = "/"
    case remainder = "MOD"
    case negate = "-x"

    // Mathematics.
    case abs = "ABS"
    case sign = "SIGN"
    case ceil = "CEIL"
    case floor = "FLOOR"
    case round = "ROUND"
    case truncate = "TRUNCATE"
    case power = "POWER"
    case sqrt = "SQRT"
    case exp = "EXP"
    case ln = "LN"
    case log = "LOG"
    case log10 = "LOG10"
    case log2 = "LOG2"
    case sin = "SIN"
    case cos = "COS"
    case tan = "TAN"
    case cot = "COT"
    case asin = "ASIN"
    case acos = "ACOS"
    case atan = "ATAN"
    case atan2 = "ATAN2"
    case sinh = "SINH"
    case cosh = "COSH"
    case tanh = "TANH"
    case degrees = "DEGREES"
    case radians = "RADIANS"
    case pi = "PI"
    case e = "E"
    case rand = "RAND"
    case randInteger = "RAND_INTEGER"
    case bin = "BIN"
    case hex = "HEX"
    case unhex = "UNHEX"
    case uuid = "UUID"

    // Text. Arguments in the order of the call, without its words: `position(needle, text, from)`, `overlay(text, replacement, from, length)`,
    // `like(text, pattern, escape)`. TRIM has always three: `trim(text, characters, side)` with BOTH, LEADING or TRAILING as constant text; LTRIM, RTRIM and
    // BTRIM are themselves. SPLIT_INDEX's separator may be an INT, as the call's.
    case charLength = "CHAR_LENGTH"
    case upper = "UPPER"
    case lower = "LOWER"
    case initCap = "INITCAP"
    case concat = "CONCAT"
    case concatenate = "||"
    case concatWithSeparator = "CONCAT_WS"
    case substring = "SUBSTRING"
    case left = "LEFT"
    case right = "RIGHT"
    case position = "POSITION"
    case locate = "LOCATE"
    case instr = "INSTR"
    case overlay = "OVERLAY"
    case trim = "TRIM"
    case ltrim = "LTRIM"
    case rtrim = "RTRIM"
    case btrim = "BTRIM"
    case lpad = "LPAD"
    case rpad = "RPAD"
    case `repeat` = "REPEAT"
    case replace = "REPLACE"
    case reverse = "REVERSE"
    case translate = "TRANSLATE"
    case ascii = "ASCII"
    case chr = "CHR"
    case startsWith = "STARTSWITH"
    case endsWith = "ENDSWITH"
    case elt = "ELT"
    case split = "SPLIT"
    case splitIndex = "SPLIT_INDEX"
    case strToMap = "STR_TO_MAP"
    case printf = "PRINTF"
    case like = "LIKE"
    case similarTo = "SIMILAR TO"
    // Of a value of any type; FALSE for what is no text, and for NULL.
    case isAlpha = "IS_ALPHA"
    case isDigit = "IS_DIGIT"
    case isDecimal = "IS_DECIMAL"

    // Regular expressions.
    case regexp = "REGEXP"
    case regexpCount = "REGEXP_COUNT"
    case regexpExtract = "REGEXP_EXTRACT"
    case regexpExtractAll = "REGEXP_EXTRACT_ALL"
    case regexpInstr = "REGEXP_INSTR"
    case regexpReplace = "REGEXP_REPLACE"
    case regexpSubstr = "REGEXP_SUBSTR"

    // Encodings, digests, addresses.
    case toBase64 = "TO_BASE64"
    case fromBase64 = "FROM_BASE64"
    case encode = "ENCODE"
    case decode = "DECODE"
    case urlEncode = "URL_ENCODE"
    case urlDecode = "URL_DECODE"
    case parseURL = "PARSE_URL"
    case inetAton = "INET_ATON"
    case inetNtoa = "INET_NTOA"
    case md5 = "MD5"
    case sha1 = "SHA1"
    case sha2 = "SHA2"
    case sha224 = "SHA224"
    case sha256 = "SHA256"
    case sha384 = "SHA384"
    case sha512 = "SHA512"
    // Of one value of any type that is not nested; Java's hash codes.
    case hashCode = "HASH_CODE"

    // Points in time. Units come as constant text in the first place: `extract('DOW', t)`, `timestampDiff('DAY', a, b)`; `floorTo` and `ceilTo` as
    // `floorTo('DAY', t)`.
    case extract = "EXTRACT"
    case floorTo = "FLOOR TO"
    case ceilTo = "CEIL TO"
    case timestampAdd = "TIMESTAMPADD"
    case timestampDiff = "TIMESTAMPDIFF"
    case overlaps = "OVERLAPS"
    case dateFormat = "DATE_FORMAT"
    case toDate = "TO_DATE"
    case toTimestamp = "TO_TIMESTAMP"
    case toTimestampLTZ = "TO_TIMESTAMP_LTZ"
    case fromUnixtime = "FROM_UNIXTIME"
    case unixTimestamp = "UNIX_TIMESTAMP"
    case convertTz = "CONVERT_TZ"
    case currentDate = "CURRENT_DATE"
    case currentTime = "CURRENT_TIME"
    case localTime = "LOCALTIME"
    case currentTimestamp = "CURRENT_TIMESTAMP"
    case localTimestamp = "LOCALTIMESTAMP"
    case currentRowTimestamp = "CURRENT_ROW_TIMESTAMP"
    case processingTime = "PROCTIME"
    case currentWatermark = "CURRENT_WATERMARK"
    case rowTimestamp = "ROWTIME"
    /// Marks a WATERMARK clause whose source makes the watermarks; it has no value.
    case sourceWatermark = "SOURCE_WATERMARK"

    // JSON. What the words of a call say comes as constant text behind its arguments: `jsonValue(json, path, onEmpty, emptyDefault, onError, errorDefault)`
    // with NULL, ERROR or DEFAULT; `jsonQuery(json, path, wrapper, onEmpty, onError)` with WITHOUT, CONDITIONAL, UNCONDITIONAL and NULL, EMPTY ARRAY, EMPTY
    // OBJECT, ERROR; `jsonExists(json, path, onError)` with TRUE, FALSE, UNKNOWN, ERROR; `isJSON(json, what)` with VALUE, OBJECT, ARRAY, SCALAR;
    // `jsonObject(onNull, key, value, ...)` and `jsonArray(onNull, value, ...)` with NULL or ABSENT first.
    case isJSON = "IS JSON"
    case jsonExists = "JSON_EXISTS"
    case jsonValue = "JSON_VALUE"
    case jsonQuery = "JSON_QUERY"
    case jsonObject = "JSON_OBJECT"
    case jsonArray = "JSON_ARRAY"
    case jsonString = "JSON_STRING"
    case jsonQuote = "JSON_QUOTE"
    case jsonUnquote = "JSON_UNQUOTE"
    case json = "JSON"

    // Variants.
    case parseJSON = "PARSE_JSON"
    case tryParseJSON = "TRY_PARSE_JSON"
    case variantElement = "VARIANT[..]"

    // Collections and rows. Constructors take elements of the element type.
    case array = "ARRAY"
    case map = "MAP"
    case multiset = "MULTISET"
    case row = "ROW"
    case element = "ELEMENT"
    case arrayElement = "ARRAY[..]"
    case mapElement = "MAP[..]"
    case cardinality = "CARDINALITY"
    case arrayAppend = "ARRAY_APPEND"
    case arrayConcat = "ARRAY_CONCAT"
    case arrayContains = "ARRAY_CONTAINS"
    case arrayDistinct = "ARRAY_DISTINCT"
    case arrayExcept = "ARRAY_EXCEPT"
    case arrayIntersect = "ARRAY_INTERSECT"
    case arrayJoin = "ARRAY_JOIN"
    case arrayMax = "ARRAY_MAX"
    case arrayMin = "ARRAY_MIN"
    case arrayPosition = "ARRAY_POSITION"
    case arrayPrepend = "ARRAY_PREPEND"
    case arrayRemove = "ARRAY_REMOVE"
    case arrayReverse = "ARRAY_REVERSE"
    case arraySlice = "ARRAY_SLICE"
    case arraySort = "ARRAY_SORT"
    case arrayUnion = "ARRAY_UNION"
    case mapEntries = "MAP_ENTRIES"
    case mapFromArrays = "MAP_FROM_ARRAYS"
    case mapKeys = "MAP_KEYS"
    case mapUnion = "MAP_UNION"
    case mapValues = "MAP_VALUES"
    case objectOf = "OBJECT_OF"
    case objectUpdate = "OBJECT_UPDATE"
    case memberOf = "MEMBER OF"
    case submultisetOf = "SUBMULTISET OF"
    case isASet = "IS A SET"
    case isEmpty = "IS EMPTY"

    // Bitmaps.
    case bitmapBuild = "BITMAP_BUILD"
    case bitmapAnd = "BITMAP_AND"
    case bitmapAndNot = "BITMAP_ANDNOT"
    case bitmapOr = "BITMAP_OR"
    case bitmapXor = "BITMAP_XOR"
    case bitmapCardinality = "BITMAP_CARDINALITY"
    case bitmapFromBytes = "BITMAP_FROM_BYTES"
    case bitmapToArray = "BITMAP_TO_ARRAY"
    case bitmapToBytes = "BITMAP_TO_BYTES"
    case bitmapToString = "BITMAP_TO_STRING"

    // The session.
    case currentDatabase = "CURRENT_DATABASE"
    case typeOf = "TYPEOF"
}

extension ScalarFunction {
    /// Whether two calls with the same arguments may differ, so that the call is never computed in advance, shared or repeated.
    public var isDeterministic: Bool {
        switch self {
        case .rand, .randInteger, .uuid, .currentRowTimestamp, .processingTime, .currentWatermark, .rowTimestamp, .unixTimestamp: false
        default: !isFixedPerQuery
        }
    }

    /// Whether the value depends on when the query runs: one value for the whole query in batch mode, one for each row in streaming mode.
    public var isFixedPerQuery: Bool {
        switch self {
        case .currentDate, .currentTime, .localTime, .currentTimestamp, .localTimestamp: true
        default: false
        }
    }
}
