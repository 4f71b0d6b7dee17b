/* The stable hash of Python keys: XXH64 of canonical bytes, as docs/hash.md lays down. Never hash(): that differs from process to process. */
#include <Python.h>

#include <datetime.h>
#include <string.h>

#include "errors.h"
#include "objects.h"
#include "values.h"

#define PRIME1 0x9E3779B185EBCA87u
#define PRIME2 0xC2B2AE3D27D4EB4Fu
#define PRIME3 0x165667B19E3779F9u
#define PRIME4 0x85EBCA77C2B2AE63u
#define PRIME5 0x27D4EB2F165667C5u
#define HASH_OF_NULL 0xD5AFBA1336A3BE4Bu
/* Tuples in tuples deeper than anyone writes. */
#define KEY_DEPTH_LIMIT 32

typedef enum KeyType { KEY_ANY, KEY_BOOL, KEY_INT, KEY_FLOAT, KEY_STR, KEY_BYTES, KEY_TUPLE, KEY_DATE, KEY_DATETIME, KEY_TIME, KEY_DURATION, KEY_DECIMAL,
    KEY_ENUM, KEY_UUID } KeyType;
static const char *const key_type_names[] = {
    "None", "bool", "int", "float", "str", "bytes", "tuple", "date", "datetime", "time", "timedelta", "Decimal", "Enum", "UUID"};

static inline uint64_t rotate(uint64_t value, int count) { return value << count | value >> (64 - count); }
static inline uint64_t round_lane(uint64_t lane, uint64_t input) { return rotate(lane + input * PRIME2, 31) * PRIME1; }
static inline uint64_t merge_lane(uint64_t hash, uint64_t lane) { return (hash ^ round_lane(0, lane)) * PRIME1 + PRIME4; }
static inline uint64_t mix(uint64_t hash, uint64_t input) { return rotate(hash ^ round_lane(0, input), 27) * PRIME1 + PRIME4; }
static inline uint64_t avalanche(uint64_t hash)
{
    hash = (hash ^ (hash >> 33)) * PRIME2;
    hash = (hash ^ (hash >> 29)) * PRIME3;
    return hash ^ (hash >> 32);
}
static inline uint64_t load64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return value;
}
static inline uint64_t hash_word(uint64_t value, uint64_t seed) { return avalanche(mix(seed + PRIME5 + 8, value)); }

static uint64_t hash_stripes(const uint8_t **place, const uint8_t *end, uint64_t seed)
{
    uint64_t lanes[4] = {seed + PRIME1 + PRIME2, seed + PRIME2, seed, seed - PRIME1};
    for (; end - *place >= 32; *place += 32) {
        for (int lane = 0; lane < 4; lane++) lanes[lane] = round_lane(lanes[lane], load64(*place + 8 * lane));
    }
    uint64_t hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int lane = 0; lane < 4; lane++) hash = merge_lane(hash, lanes[lane]);
    return hash;
}

uint64_t xxh64(const void *bytes, size_t length, uint64_t seed)
{
    const uint8_t *place = bytes, *end = place + length;
    uint64_t hash = length >= 32 ? hash_stripes(&place, end, seed) : seed + PRIME5;
    hash += length;
    for (; end - place >= 8; place += 8) hash = mix(hash, load64(place));
    if (end - place >= 4) {
        uint32_t half;
        memcpy(&half, place, 4);
        hash = rotate(hash ^ (half * PRIME1), 23) * PRIME2 + PRIME3;
        place += 4;
    }
    for (; place < end; place++) hash = rotate(hash ^ (*place * PRIME5), 11) * PRIME1;
    return avalanche(hash);
}

static uint64_t hash_double(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, 8);
    if (number == 0) bits = 0;
    if (number != number) bits = 0x7ff8000000000000u;
    return hash_word(bits, 0);
}

bool key_hash_plain(PyObject *key, uint64_t *hash)
{
    if (PyLong_CheckExact(key)) {
        int overflow = 0;
        int64_t number = PyLong_AsLongLongAndOverflow(key, &overflow);
        if (overflow != 0) return false;
        *hash = hash_word((uint64_t)number, 0);
        return true;
    }
    if (PyUnicode_CheckExact(key) && PyUnicode_IS_COMPACT_ASCII(key)) {
        *hash = xxh64(PyUnicode_DATA(key), (size_t)PyUnicode_GET_LENGTH(key), 0);
        return true;
    }
    if (PyBytes_CheckExact(key)) {
        *hash = xxh64(PyBytes_AS_STRING(key), (size_t)PyBytes_GET_SIZE(key), 0);
        return true;
    }
    if (PyFloat_CheckExact(key)) {
        *hash = hash_double(PyFloat_AS_DOUBLE(key));
        return true;
    }
    return false;
}

static bool refuse(PyObject *key, const char *why)
{
    PyObject *pending = error_take();
    Py_XDECREF(pending);
    PyObject *shown = error_representation(key);
    error_raise(MILLSTREAM_KEY, NULL, "%V (%.100s) can be no key: %s", shown, "?", Py_TYPE(key)->tp_name, why);
    Py_XDECREF(shown);
    return false;
}

/* Whole 8-byte words of two's complement, as few as hold the number. */
static bool hash_big_integer(PyObject *key, uint64_t *hash)
{
    uint8_t bytes[8192];
    size_t byte_count = 16;
    while (byte_count <= sizeof bytes && !integer_to_bytes(key, bytes, byte_count)) byte_count += 8;
    if (byte_count > sizeof bytes) return refuse(key, "the number is too long");
    *hash = xxh64(bytes, byte_count, 0);
    return true;
}

static bool hash_integer(PyObject *key, uint64_t *hash)
{
    PyObject *number = PyNumber_Index(key);
    if (number == NULL) return false;
    int overflow = 0;
    int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
    bool is_hashed = overflow == 0 || hash_big_integer(number, hash);
    if (overflow == 0) *hash = hash_word((uint64_t)value, 0);
    Py_DECREF(number);
    return is_hashed;
}

static bool hash_text(PyObject *key, PyObject *text, uint64_t *hash)
{
    Py_ssize_t length;
    const char *bytes = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &length);
    if (bytes == NULL) return refuse(key, "its text holds a lone surrogate");
    *hash = xxh64(bytes, (size_t)length, 0);
    return true;
}

/* The result of calling one of its methods, as text. */
static bool hash_text_of(PyObject *key, const char *method, uint64_t *hash)
{
    PyObject *value = PyObject_CallMethod(key, method, NULL);
    PyObject *text = value == NULL ? NULL : PyObject_Str(value);
    bool is_hashed = text != NULL && hash_text(key, text, hash);
    Py_XDECREF(value);
    Py_XDECREF(text);
    return is_hashed;
}

/* `problem` comes of the call that wrote `stored`. */
static bool hash_stored(PyObject *key, const char *problem, const int64_t *stored, uint64_t *hash)
{
    if (problem != NULL) return refuse(key, problem);
    *hash = hash_word((uint64_t)*stored, 0);
    return true;
}

static KeyType type_of_key(PyObject *key)
{
    if (PyDateTimeAPI == NULL) PyDateTime_IMPORT;
    if (PyBool_Check(key)) return KEY_BOOL;
    if (PyObject_HasAttrString(key, "_value_") && PyObject_HasAttrString(key, "_name_") && !PyLong_Check(key) && !PyUnicode_Check(key)) return KEY_ENUM;
    if (PyLong_Check(key)) return KEY_INT;
    if (PyFloat_Check(key)) return KEY_FLOAT;
    if (PyUnicode_Check(key)) return KEY_STR;
    if (PyBytes_Check(key)) return KEY_BYTES;
    if (PyTuple_Check(key) || row_check(key)) return KEY_TUPLE;
    if (PyDateTimeAPI != NULL && PyDateTime_Check(key)) return KEY_DATETIME;
    if (PyDateTimeAPI != NULL && PyDate_Check(key)) return KEY_DATE;
    if (PyDateTimeAPI != NULL && PyTime_Check(key)) return KEY_TIME;
    if (PyDateTimeAPI != NULL && PyDelta_Check(key)) return KEY_DURATION;
    if (values_is_decimal(key)) return KEY_DECIMAL;
    if (strcmp(Py_TYPE(key)->tp_name, "UUID") == 0) return KEY_UUID;
    if (strncmp(Py_TYPE(key)->tp_name, "numpy.bool", 10) == 0) return KEY_BOOL;
    return PyIndex_Check(key) && !PyMemoryView_Check(key) && !PyObject_CheckBuffer(key) ? KEY_INT
         : PyIndex_Check(key) && strncmp(Py_TYPE(key)->tp_name, "numpy.", 6) == 0 && strcmp(Py_TYPE(key)->tp_name, "numpy.ndarray") != 0 ? KEY_INT
                                                                                                                                      : KEY_ANY;
}

static bool remember_type(PyObject *key, KeyType type, KeyTypes *types, int position)
{
    if (types == NULL || position < 0 || position > KEY_POSITION_LIMIT || types->types[position] == type) return true;
    if (types->types[position] == KEY_ANY) {
        types->types[position] = (uint8_t)type;
        return true;
    }
    PyObject *shown = error_representation(key);
    error_raise(MILLSTREAM_KEY, NULL, "the key %V is of type %s, but keys before it were of type %s; one key_by has one type of key (make it the same type in "
        "the key selector, or declare the key's type)", shown, "?", key_type_names[type], key_type_names[types->types[position]]);
    Py_XDECREF(shown);
    return false;
}

static bool hash_key(PyObject *key, uint64_t *hash, KeyTypes *types, int position, int depth);

static bool hash_parts(PyObject *key, uint64_t *hash, KeyTypes *types, int depth)
{
    PyObject *parts = row_check(key) ? ((RowObject *)key)->values : key;
    if (depth > KEY_DEPTH_LIMIT || (!PyList_Check(parts) && !PyTuple_Check(parts))) return refuse(key, "it is nested too deeply");
    Py_ssize_t count = PySequence_Fast_GET_SIZE(parts);
    uint64_t folded = (uint64_t)count;
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *part = PySequence_Fast_GET_ITEM(parts, index);
        uint64_t one = HASH_OF_NULL;
        int position = depth == 0 && index < KEY_POSITION_LIMIT ? (int)index + 1 : -1;
        if (part != Py_None && !hash_key(part, &one, types, position, depth + 1)) return false;
        folded = hash_word(one, folded);
    }
    *hash = folded;
    return true;
}

static bool hash_key(PyObject *key, uint64_t *hash, KeyTypes *types, int position, int depth)
{
    KeyType type = PyLong_CheckExact(key) ? KEY_INT : PyUnicode_CheckExact(key) ? KEY_STR : PyTuple_CheckExact(key) ? KEY_TUPLE : type_of_key(key);
    if (type == KEY_ANY) {
        if (key == Py_None) return refuse(key, "a key is never None");
        return refuse(key, "keys are bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta, UUID, Enum, and tuples and Rows of them");
    }
    if (!remember_type(key, type, types, position)) return false;
    if (key_hash_plain(key, hash)) return true;
    int64_t stored = 0;
    switch (type) {
    case KEY_BOOL: *hash = hash_word(PyObject_IsTrue(key) == 1, 0); return true;
    case KEY_INT: return hash_integer(key, hash);
    case KEY_FLOAT: *hash = hash_double(PyFloat_AS_DOUBLE(key)); return true;
    case KEY_STR: return hash_text(key, key, hash);
    case KEY_BYTES: *hash = xxh64(PyBytes_AS_STRING(key), (size_t)PyBytes_GET_SIZE(key), 0); return true;
    case KEY_TUPLE: return hash_parts(key, hash, types, depth);
    case KEY_DATE: return hash_stored(key, date_set(key, &stored), &stored, hash);
    case KEY_DATETIME: {
        bool has_zone = ((PyDateTime_DateTime *)key)->hastzinfo;
        return hash_stored(key, has_zone ? instant_set(key, 1000000, &stored) : timestamp_set(key, 1000000, &stored), &stored, hash);
    }
    case KEY_TIME: return hash_stored(key, time_set(key, 1000000, &stored), &stored, hash);
    case KEY_DURATION: return hash_stored(key, duration_set(key, 1000000, &stored), &stored, hash);
    case KEY_DECIMAL: return hash_text_of(key, "normalize", hash);
    case KEY_UUID: return hash_text_of(key, "__str__", hash);
    default: return hash_text_of(key, "__str__", hash);
    }
}

bool key_hash(PyObject *key, uint64_t *hash, KeyTypes *types) { return hash_key(key, hash, types, 0, 0); }

PyObject *stable_hash(PyObject *module, PyObject *key)
{
    (void)module;
    uint64_t hash;
    return key_hash(key, &hash, NULL) ? PyLong_FromUnsignedLongLong(hash) : NULL;
}
