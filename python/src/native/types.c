/* Schema texts to types. The engine checks texts too; this parser accepts what the engine's canonical form may contain, and nested tuples. */
#include "types.h"

#include <ctype.h>
#include <string.h>

#include "errors.h"

/* Deeper types than anyone writes; the bound keeps the stack safe. */
#define TYPE_DEPTH_LIMIT 64
/* Flink's bound on columns is lower. */
#define TYPE_FIELD_LIMIT 4096

typedef struct Parser {
    const char *text;
    const char *place;
} Parser;

static Type *parse_type(Parser *parser, int depth);

static void type_free(Type *type)
{
    if (type == NULL) return;
    for (int index = 0; index < type->child_count; index++) type_free(type->children[index]);
    PyMem_RawFree(type->children);
    Py_XDECREF(type->names);
    PyMem_RawFree(type->text);
    PyMem_RawFree(type);
}

static void *parse_failed(Parser *parser, const char *expected)
{
    error_raise(MILLSTREAM_PLAN, NULL, "the schema '%.200s' is not understood at position %d: %s", parser->text, (int)(parser->place - parser->text), expected);
    return NULL;
}

static void skip_space(Parser *parser)
{
    while (isspace((unsigned char)*parser->place)) parser->place++;
}

static bool accept(Parser *parser, char character)
{
    skip_space(parser);
    if (*parser->place != character) return false;
    parser->place++;
    return true;
}

static bool is_name_character(char character) { return isalnum((unsigned char)character) || character == '_'; }

/* Takes `word` if it is next, in either case. */
static bool accept_word(Parser *parser, const char *word)
{
    skip_space(parser);
    size_t length = strlen(word);
    for (size_t index = 0; index < length; index++) {
        if (toupper((unsigned char)parser->place[index]) != word[index]) return false;
    }
    if (is_name_character(parser->place[length])) return false;
    parser->place += length;
    return true;
}

static bool parse_number(Parser *parser, int64_t limit, int64_t *number)
{
    skip_space(parser);
    if (!isdigit((unsigned char)*parser->place)) return false;
    int64_t value = 0;
    while (isdigit((unsigned char)*parser->place)) {
        value = value * 10 + (*parser->place++ - '0');
        if (value > limit) return false;
    }
    *number = value;
    return true;
}

/* "(n)" or nothing; `fallback` where there is nothing. */
static bool parse_argument(Parser *parser, int64_t limit, int64_t fallback, int64_t *number)
{
    *number = fallback;
    if (!accept(parser, '(')) return true;
    if (parse_number(parser, limit, number) && accept(parser, ')')) return true;
    parse_failed(parser, "a number in parentheses was expected");
    return false;
}

static Type *type_new(TypeKind kind)
{
    Type *type = PyMem_RawCalloc(1, sizeof *type);
    if (type == NULL) return (Type *)PyErr_NoMemory();
    type->kind = kind;
    type->is_nullable = true;
    return type;
}

static bool type_add_child(Type *type, Type *child)
{
    if (child == NULL) return false;
    Type **children = PyMem_RawRealloc(type->children, sizeof(Type *) * (size_t)(type->child_count + 1));
    if (children == NULL) {
        type_free(child);
        PyErr_NoMemory();
        return false;
    }
    type->children = children;
    children[type->child_count++] = child;
    return true;
}

/* A field's name, plain or in backquotes (doubled inside). */
static PyObject *parse_name(Parser *parser)
{
    skip_space(parser);
    PyObject *name;
    if (*parser->place == '`') {
        char buffer[512];
        size_t length = 0;
        parser->place++;
        while (*parser->place != 0 && length < sizeof buffer) {
            if (*parser->place == '`') {
                if (parser->place[1] != '`') break;
                parser->place++;
            }
            buffer[length++] = *parser->place++;
        }
        if (*parser->place != '`') return parse_failed(parser, "a closing backquote was expected");
        parser->place++;
        name = PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)length, NULL);
    } else {
        const char *start = parser->place;
        while (is_name_character(*parser->place) || (unsigned char)*parser->place >= 0x80) parser->place++;
        if (parser->place == start) return parse_failed(parser, "a field's name was expected");
        name = PyUnicode_DecodeUTF8(start, parser->place - start, NULL);
    }
    if (name != NULL) PyUnicode_InternInPlace(&name);
    return name;
}

static bool parse_fields(Parser *parser, Type *type, int depth)
{
    PyObject *names = PyList_New(0);
    if (names == NULL) return false;
    bool is_complete = accept(parser, '>');
    while (!is_complete) {
        PyObject *name = type->kind == TYPE_ROW ? parse_name(parser) : PyUnicode_FromFormat("f%d", type->child_count);
        bool is_added = name != NULL && PyList_Append(names, name) == 0 && type_add_child(type, parse_type(parser, depth + 1));
        Py_XDECREF(name);
        if (!is_added) break;
        is_complete = accept(parser, '>');
        if (!is_complete && (!accept(parser, ',') || type->child_count >= TYPE_FIELD_LIMIT)) {
            parse_failed(parser, "',' or '>' was expected");
            break;
        }
    }
    if (is_complete) type->names = PyList_AsTuple(names);
    Py_DECREF(names);
    return type->names != NULL;
}

static bool parse_children(Parser *parser, Type *type, int count, int depth)
{
    if (!accept(parser, '<')) return parse_failed(parser, "'<' was expected") != NULL;
    if (count < 0) return parse_fields(parser, type, depth);
    for (int index = 0; index < count; index++) {
        if (index > 0 && !accept(parser, ',')) return parse_failed(parser, "',' was expected") != NULL;
        if (!type_add_child(type, parse_type(parser, depth + 1))) return false;
    }
    return accept(parser, '>') || parse_failed(parser, "'>' was expected") != NULL;
}

static Type *parse_interval(Parser *parser)
{
    int64_t precision = 6;
    if (accept_word(parser, "YEAR")) {
        int64_t digits;
        if (!parse_argument(parser, 9, 0, &digits)) return NULL;
        if (accept_word(parser, "TO") && !accept_word(parser, "MONTH")) return parse_failed(parser, "MONTH was expected");
        return type_new(TYPE_YEAR_MONTH);
    }
    if (accept_word(parser, "MONTH")) return type_new(TYPE_YEAR_MONTH);
    static const char *const words[] = {"DAY", "HOUR", "MINUTE", "SECOND", "TO"};
    bool is_any = false;
    for (bool is_found = true; is_found;) {
        is_found = false;
        for (int index = 0; index < 5; index++) {
            if (!accept_word(parser, words[index])) continue;
            is_found = is_any = true;
            int64_t fallback = index == 3 ? precision : 0, number;
            if (!parse_argument(parser, 9, fallback, &number)) return NULL;
            if (index == 3) precision = number;
        }
    }
    if (!is_any) return parse_failed(parser, "a unit of an interval was expected");
    Type *type = type_new(TYPE_DAY_TIME);
    if (type != NULL) type->precision = (int)precision;
    return type;
}

typedef struct TypeName {
    const char *word;
    TypeKind kind;
    /* What may follow: 'n' nothing, 'l' a length (1 if missing), 'v' a length (needed), 'u' unbounded, 'p' a precision, 'd' precision and scale,
     * '1' and '2' children, 'f' fields, 'q' a quoted name. */
    char follows;
} TypeName;

static const TypeName type_names[] = {
    {"BOOLEAN", TYPE_BOOLEAN, 'n'}, {"TINYINT", TYPE_TINYINT, 'n'}, {"SMALLINT", TYPE_SMALLINT, 'n'}, {"INTEGER", TYPE_INT, 'n'}, {"INT", TYPE_INT, 'n'},
    {"BIGINT", TYPE_BIGINT, 'n'}, {"FLOAT", TYPE_FLOAT, 'n'}, {"DOUBLE", TYPE_DOUBLE, 'n'}, {"DECIMAL", TYPE_DECIMAL, 'd'}, {"DEC", TYPE_DECIMAL, 'd'},
    {"NUMERIC", TYPE_DECIMAL, 'd'}, {"CHAR", TYPE_TEXT, 'l'}, {"VARCHAR", TYPE_TEXT, 'v'}, {"STRING", TYPE_TEXT, 'u'}, {"BINARY", TYPE_BYTES, 'l'},
    {"VARBINARY", TYPE_BYTES, 'v'}, {"BYTES", TYPE_BYTES, 'u'}, {"DATE", TYPE_DATE, 'n'}, {"TIMESTAMP_LTZ", TYPE_TIMESTAMP_LTZ, 'p'},
    {"TIMESTAMP", TYPE_TIMESTAMP, 'p'}, {"TIME", TYPE_TIME, 'p'}, {"ARRAY", TYPE_ARRAY, '1'}, {"MULTISET", TYPE_MULTISET, '1'}, {"MAP", TYPE_MAP, '2'},
    {"ROW", TYPE_ROW, 'f'}, {"TUPLE", TYPE_TUPLE, 'f'}, {"RAW", TYPE_RAW, 'q'}, {"OBJECT", TYPE_OBJECT, 'n'}, {"NULL", TYPE_NULL, 'n'},
};

static bool parse_details(Parser *parser, Type *type, const TypeName *name, int depth)
{
    int64_t number = 0;
    switch (name->follows) {
    case 'l':
        type->is_fixed_length = true;
        if (!parse_argument(parser, INT32_MAX, 1, &type->length)) return false;
        return true;
    case 'v':
        if (!parse_argument(parser, INT32_MAX, 1, &type->length)) return false;
        if (type->length == INT32_MAX) type->length = 0;
        return true;
    case 'p':
        if (!parse_argument(parser, 9, type->kind == TYPE_TIME ? 0 : 6, &number)) return false;
        type->precision = (int)number;
        if (type->kind == TYPE_TIMESTAMP && accept_word(parser, "WITH")) {
            if (!accept_word(parser, "LOCAL") || !accept_word(parser, "TIME") || !accept_word(parser, "ZONE")) {
                return parse_failed(parser, "WITH LOCAL TIME ZONE was expected") != NULL;
            }
            type->kind = TYPE_TIMESTAMP_LTZ;
        }
        return true;
    case 'd':
        type->precision = 10;
        if (!accept(parser, '(')) return true;
        if (!parse_number(parser, 38, &number) || number < 1) return parse_failed(parser, "a precision of 1 to 38 was expected") != NULL;
        type->precision = (int)number;
        if (accept(parser, ',')) {
            if (!parse_number(parser, type->precision, &number)) return parse_failed(parser, "a scale up to the precision was expected") != NULL;
            type->scale = (int)number;
        }
        return accept(parser, ')') || parse_failed(parser, "')' was expected") != NULL;
    case '1': return parse_children(parser, type, 1, depth);
    case '2': return parse_children(parser, type, 2, depth);
    case 'f': return parse_children(parser, type, -1, depth);
    case 'q': {
        const char *end = accept(parser, '(') && accept(parser, '\'') ? strchr(parser->place, '\'') : NULL;
        if (end == NULL) return parse_failed(parser, "RAW('name') was expected") != NULL;
        parser->place = end + 1;
        return accept(parser, ')') || parse_failed(parser, "')' was expected") != NULL;
    }
    default: return true;
    }
}

static Type *parse_kind(Parser *parser, int depth)
{
    if (accept_word(parser, "INTERVAL")) return parse_interval(parser);
    for (size_t index = 0; index < sizeof type_names / sizeof *type_names; index++) {
        if (!accept_word(parser, type_names[index].word)) continue;
        Type *type = type_new(type_names[index].kind);
        if (type != NULL && parse_details(parser, type, &type_names[index], depth)) return type;
        type_free(type);
        return NULL;
    }
    return parse_failed(parser, "a type was expected");
}

/* The part of the text that the type was read from, with inner tuples as rows. */
static char *text_for_engine(const char *start, const char *end, const Type *type)
{
    PyObject *text;
    if (type->kind == TYPE_TUPLE || type->kind == TYPE_ROW) {
        text = PyUnicode_FromString("ROW<");
        for (int index = 0; text != NULL && index < type->child_count; index++) {
            PyObject *name = PyObject_CallMethod(PyTuple_GET_ITEM(type->names, index), "replace", "ss", "`", "``");
            PyObject *more = name == NULL ? NULL : PyUnicode_FromFormat("%U%s`%U` %s", text, index > 0 ? ", " : "", name, type->children[index]->text);
            Py_XDECREF(name);
            Py_SETREF(text, more);
        }
        if (text != NULL) Py_SETREF(text, PyUnicode_FromFormat("%U>%s", text, type->is_nullable ? "" : " NOT NULL"));
    } else if (type->kind == TYPE_ARRAY || type->kind == TYPE_MULTISET || type->kind == TYPE_MAP) {
        const char *word = type->kind == TYPE_ARRAY ? "ARRAY" : type->kind == TYPE_MAP ? "MAP" : "MULTISET";
        const char *second = type->kind == TYPE_MAP ? type->children[1]->text : "";
        text = PyUnicode_FromFormat("%s<%s%s%s>%s", word, type->children[0]->text, *second ? ", " : "", second, type->is_nullable ? "" : " NOT NULL");
    } else {
        while (start < end && isspace((unsigned char)*start)) start++;
        text = PyUnicode_DecodeUTF8(start, end - start, NULL);
    }
    const char *bytes = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    char *copy = bytes == NULL ? NULL : PyMem_RawMalloc(strlen(bytes) + 1);
    if (copy != NULL) strcpy(copy, bytes);
    Py_XDECREF(text);
    return copy;
}

static Type *parse_type(Parser *parser, int depth)
{
    if (depth > TYPE_DEPTH_LIMIT) return parse_failed(parser, "the type is nested too deeply");
    const char *start = parser->place;
    Type *type = parse_kind(parser, depth);
    if (type == NULL) return NULL;
    if (accept_word(parser, "NOT")) {
        if (!accept_word(parser, "NULL")) {
            type_free(type);
            return parse_failed(parser, "NULL was expected behind NOT");
        }
        type->is_nullable = false;
    } else {
        accept_word(parser, "NULL");
    }
    type->text = text_for_engine(start, parser->place, type);
    if (type->text == NULL) {
        type_free(type);
        if (!PyErr_Occurred()) PyErr_NoMemory();
        return NULL;
    }
    return type;
}

/* The outermost tuple keeps its word. */
static bool name_outer_tuple(Type *type)
{
    if (type->kind != TYPE_TUPLE) return true;
    PyObject *text = PyUnicode_FromString("TUPLE<");
    for (int index = 0; text != NULL && index < type->child_count; index++) {
        Py_SETREF(text, PyUnicode_FromFormat("%U%s%s", text, index > 0 ? ", " : "", type->children[index]->text));
    }
    if (text != NULL) Py_SETREF(text, PyUnicode_FromFormat("%U>", text));
    const char *bytes = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    char *copy = bytes == NULL ? NULL : PyMem_RawMalloc(strlen(bytes) + 1);
    if (copy != NULL) {
        strcpy(copy, bytes);
        PyMem_RawFree(type->text);
        type->text = copy;
    }
    Py_XDECREF(text);
    return copy != NULL;
}

Schema *schema_from_text(const char *text)
{
    Parser parser = {text, text};
    Type *type = parse_type(&parser, 0);
    if (type == NULL) return NULL;
    skip_space(&parser);
    Schema *schema = NULL;
    if (*parser.place != 0) {
        parse_failed(&parser, "the end was expected");
    } else if (name_outer_tuple(type)) {
        schema = PyMem_RawCalloc(1, sizeof *schema);
        if (schema == NULL) PyErr_NoMemory();
    }
    if (schema == NULL) {
        type_free(type);
        return NULL;
    }
    schema->type = type;
    schema->reference_count = 1;
    schema->is_scalar = type->kind != TYPE_ROW && type->kind != TYPE_TUPLE;
    schema->column_count = schema->is_scalar ? 1 : type->child_count;
    schema->columns = schema->is_scalar ? &schema->type : type->children;
    return schema;
}

Schema *schema_from_object(PyObject *text)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "a schema is a str, not %.100s", Py_TYPE(text)->tp_name);
        return NULL;
    }
    const char *bytes = PyUnicode_AsUTF8(text);
    return bytes == NULL ? NULL : schema_from_text(bytes);
}

Schema *schema_retain(Schema *schema)
{
    if (schema != NULL) schema->reference_count++;
    return schema;
}

void schema_release(Schema *schema)
{
    if (schema == NULL || --schema->reference_count > 0) return;
    type_free(schema->type);
    PyMem_RawFree(schema);
}

const char *schema_text(const Schema *schema) { return schema->type->text; }

int64_t type_units_per_second(const Type *type)
{
    if (type->precision <= 0) return 1;
    if (type->precision <= 3) return 1000;
    return type->precision <= 6 ? 1000000 : 1000000000;
}

int type_byte_width(const Type *type)
{
    switch (type->kind) {
    case TYPE_TINYINT: return 1;
    case TYPE_SMALLINT: return 2;
    case TYPE_INT: case TYPE_FLOAT: case TYPE_DATE: case TYPE_YEAR_MONTH: return 4;
    case TYPE_BIGINT: case TYPE_DOUBLE: case TYPE_TIMESTAMP: case TYPE_TIMESTAMP_LTZ: case TYPE_DAY_TIME: case TYPE_OBJECT: return 8;
    case TYPE_TIME: return type->precision <= 3 ? 4 : 8;
    case TYPE_DECIMAL: case TYPE_TEXT: case TYPE_BYTES: case TYPE_RAW: return 16;
    default: return 0;
    }
}
