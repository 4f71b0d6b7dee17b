/* Python values that C makes and reads: rows, dates and times, decimals. Every function needs the GIL. */
#ifndef MILLSTREAM_NATIVE_VALUES_H
#define MILLSTREAM_NATIVE_VALUES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "types.h"

/* The attributes of RowBase, which `Row` of the Python package subclasses. */
typedef struct RowObject {
    PyObject_HEAD
    PyObject *values;
    PyObject *fields;
    int row_kind;
} RowObject;

extern PyTypeObject RowBase_Type;
static inline bool row_check(PyObject *value) { return PyObject_TypeCheck(value, &RowBase_Type); }
/* Takes over the list `values`; `names` may be NULL. */
PyObject *row_make(PyObject *values, PyObject *names, int row_kind);

bool values_prepare(PyObject *module);
PyObject *register_row_class(PyObject *module, PyObject *type);
PyObject *register_instant_class(PyObject *module, PyObject *type);
PyObject *register_output_tag_class(PyObject *module, PyObject *type);
/* The tag of a result `(OutputTag, value)`, else NULL without an exception; borrowed. */
PyObject *values_side_output_tag(PyObject *result);

/* Python's value of a stored one; a new reference or NULL with an exception. */
PyObject *date_get(int64_t days);
PyObject *time_get(int64_t value, int64_t units_per_second);
PyObject *timestamp_get(int64_t value, int64_t units_per_second);
PyObject *instant_get(int64_t value, int64_t units_per_second);
PyObject *duration_get(int64_t value, int64_t units_per_second);
PyObject *decimal_get(const uint8_t *bytes, int scale);

/* The stored value: NULL, or what is wrong, without an exception (unless one is set already). */
const char *date_set(PyObject *value, int64_t *days);
const char *time_set(PyObject *value, int64_t units_per_second, int64_t *stored);
const char *timestamp_set(PyObject *value, int64_t units_per_second, int64_t *stored);
const char *instant_set(PyObject *value, int64_t units_per_second, int64_t *stored);
const char *duration_set(PyObject *value, int64_t units_per_second, int64_t *stored);
const char *decimal_set(PyObject *value, int precision, int scale, uint8_t *bytes);
/* For keys: the unscaled value and the scale of a normalised decimal; false if it has no such form. */
bool values_is_decimal(PyObject *value);

/* The number of an exact int, if it can be told without a call: those of at most 60 bits, which is almost every int; false: ask Python. */
static inline bool integer_of_plain(PyObject *value, int64_t *number)
{
    if (!PyLong_CheckExact(value)) return false;
#if PY_VERSION_HEX < 0x030C0000
    const digit *digits = ((const PyLongObject *)value)->ob_digit;
    switch (Py_SIZE(value)) {
    case 0: *number = 0; return true;
    case 1: *number = digits[0]; return true;
    case -1: *number = -(int64_t)digits[0]; return true;
    case 2: *number = (int64_t)digits[1] << PyLong_SHIFT | digits[0]; return true;
    case -2: *number = -((int64_t)digits[1] << PyLong_SHIFT | digits[0]); return true;
    default: return false;
    }
#else
    if (!PyUnstable_Long_IsCompact((const PyLongObject *)value)) return false;
    *number = PyUnstable_Long_CompactValue((const PyLongObject *)value);
    return true;
#endif
}

/* Sixteen little-endian bytes of an int; false if it does not fit (no exception). */
bool integer_to_bytes(PyObject *value, uint8_t *bytes, size_t byte_count);
PyObject *integer_from_bytes(const uint8_t *bytes, size_t byte_count);
/* Whether this is an array.array, numpy array or the like that is to be read as a sequence. */
bool values_is_sequence(PyObject *value);

#endif
