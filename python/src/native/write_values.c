/* One function per type: a Python value into a builder. Numbers are checked against their range, text against surrogates; nothing is rounded in silence. */
#include <math.h>
#include <string.h>

#include "errors.h"
#include "values.h"
#include "write.h"

#define SLOT(type, builder) (((type *)(void *)(builder)->values)[(builder)->count])

/* ---- Numbers ---- */

/* The int that a number is: floats, decimals and the like that are whole, as PyFlink takes them. Those with a fraction, which it cuts off, are none. */
static bool read_whole(Builder *builder, PyObject *value, int64_t *number)
{
    PyNumberMethods *methods = Py_TYPE(value)->tp_as_number;
    PyObject *whole = methods == NULL || methods->nb_int == NULL ? NULL : PyNumber_Long(value);
    int overflow = 0, is_whole = whole == NULL ? 0 : PyObject_RichCompareBool(whole, value, Py_EQ);
    if (is_whole == 1) *number = PyLong_AsLongLongAndOverflow(whole, &overflow);
    Py_XDECREF(whole);
    /* Neither infinity nor NaN is an int, nor is an array; other exceptions are those of the value's own class. */
    if (PyErr_Occurred()) {
        bool is_none = PyErr_ExceptionMatches(PyExc_OverflowError) || PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_TypeError);
        if (!is_none) return false;
        PyErr_Clear();
    }
    if (is_whole != 1) return conversion_failed(builder, value, "an int was expected") == 0;
    return overflow == 0 || conversion_failed(builder, value, "it does not fit in 64 bits") == 0;
}

/* The int of a value, or false: bools are 0 and 1, numpy's integers are ints. */
static bool read_integer(Builder *builder, PyObject *value, int64_t *number)
{
    int overflow = 0;
    if (integer_of_plain(value, number)) return true;
    if (PyLong_Check(value)) {
        *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    } else if (!PyIndex_Check(value)) {
        return read_whole(builder, value, number);
    } else {
        PyObject *index = PyNumber_Index(value);
        if (index == NULL) return false;
        *number = PyLong_AsLongLongAndOverflow(index, &overflow);
        Py_DECREF(index);
    }
    return overflow == 0 || conversion_failed(builder, value, "it does not fit in 64 bits") == 0;
}

static int append_int64(Builder *builder, PyObject *value)
{
    int64_t number;
    if (!read_integer(builder, value, &number)) return -1;
    SLOT(int64_t, builder) = number;
    return 0;
}

static int append_int32(Builder *builder, PyObject *value)
{
    int64_t number;
    if (!read_integer(builder, value, &number)) return -1;
    if (number < INT32_MIN || number > INT32_MAX) return conversion_failed(builder, value, "it does not fit in 32 bits");
    SLOT(int32_t, builder) = (int32_t)number;
    return 0;
}

static int append_int16(Builder *builder, PyObject *value)
{
    int64_t number;
    if (!read_integer(builder, value, &number)) return -1;
    if (number < INT16_MIN || number > INT16_MAX) return conversion_failed(builder, value, "it does not fit in 16 bits");
    SLOT(int16_t, builder) = (int16_t)number;
    return 0;
}

static int append_int8(Builder *builder, PyObject *value)
{
    int64_t number;
    if (!read_integer(builder, value, &number)) return -1;
    if (number < INT8_MIN || number > INT8_MAX) return conversion_failed(builder, value, "it does not fit in 8 bits");
    SLOT(int8_t, builder) = (int8_t)number;
    return 0;
}

static bool read_double(Builder *builder, PyObject *value, double *number)
{
    if (PyFloat_CheckExact(value)) {
        *number = PyFloat_AS_DOUBLE(value);
        return true;
    }
    PyNumberMethods *methods = Py_TYPE(value)->tp_as_number;
    bool is_number = methods != NULL && (methods->nb_float != NULL || methods->nb_index != NULL);
    if (PyUnicode_Check(value) || !is_number) return conversion_failed(builder, value, "a float was expected") == 0;
    *number = PyFloat_AsDouble(value);
    if (*number != -1.0 || !PyErr_Occurred()) return true;
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return false;
    PyErr_Clear();
    return conversion_failed(builder, value, "it is too large for a float") == 0;
}

static int append_double(Builder *builder, PyObject *value)
{
    double number;
    if (!read_double(builder, value, &number)) return -1;
    SLOT(double, builder) = number;
    return 0;
}

static int append_float(Builder *builder, PyObject *value)
{
    double number;
    if (!read_double(builder, value, &number)) return -1;
    if (isfinite(number) && fabs(number) > 3.4028235677973366e38) return conversion_failed(builder, value, "it is too large for a FLOAT");
    SLOT(float, builder) = (float)number;
    return 0;
}

static int append_boolean(Builder *builder, PyObject *value)
{
    bool bit = value == Py_True;
    if (!PyBool_Check(value)) {
        if (strncmp(Py_TYPE(value)->tp_name, "numpy.bool", 10) != 0) return conversion_failed(builder, value, "a bool was expected");
        int truth = PyObject_IsTrue(value);
        if (truth < 0) return -1;
        bit = truth == 1;
    }
    uint8_t mask = (uint8_t)(1u << (builder->count & 7));
    if (bit) builder->values[builder->count >> 3] |= mask;
    else builder->values[builder->count >> 3] &= (uint8_t)~mask;
    return 0;
}

static int append_decimal(Builder *builder, PyObject *value)
{
    const char *problem = decimal_set(value, builder->type->precision, builder->type->scale, builder->values + 16 * builder->count);
    return problem == NULL ? 0 : conversion_failed(builder, value, problem);
}

/* ---- Text and bytes ---- */

static int append_text(Builder *builder, PyObject *value)
{
    if (!PyUnicode_Check(value)) return conversion_failed(builder, value, "a str was expected");
    if (builder->type->length > 0) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(value);
        if (length > builder->type->length) return conversion_failed(builder, value, "it is longer than declared");
    }
    Py_ssize_t length;
    const char *bytes = PyUnicode_AsUTF8AndSize(value, &length);
    if (bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
        PyErr_Clear();
        return conversion_failed(builder, value, "it holds a lone surrogate, which is no text");
    }
    return builder_push_view(builder, value, bytes, length);
}

static int append_bytes(Builder *builder, PyObject *value)
{
    if (PyBytes_CheckExact(value) && builder->type->length == 0) {
        return builder_push_view(builder, value, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    }
    if (!PyBytes_Check(value) && !PyByteArray_Check(value) && !PyMemoryView_Check(value)) return conversion_failed(builder, value, "bytes were expected");
    Py_buffer buffer;
    if (PyObject_GetBuffer(value, &buffer, PyBUF_SIMPLE) < 0) return -1;
    int status = builder->type->length > 0 && buffer.len > builder->type->length
                   ? conversion_failed(builder, value, "it is longer than declared")
                   : builder_push_view(builder, value, buffer.buf, buffer.len);
    PyBuffer_Release(&buffer);
    return status;
}

/* ---- Time ---- */

static int append_date(Builder *builder, PyObject *value)
{
    int64_t days = 0;
    const char *problem = date_set(value, &days);
    if (problem != NULL) return conversion_failed(builder, value, problem);
    SLOT(int32_t, builder) = (int32_t)days;
    return 0;
}

static int append_time(Builder *builder, PyObject *value)
{
    int64_t stored = 0;
    const char *problem = time_set(value, type_units_per_second(builder->type), &stored);
    if (problem != NULL) return conversion_failed(builder, value, problem);
    if (type_byte_width(builder->type) == 4) SLOT(int32_t, builder) = (int32_t)stored;
    else SLOT(int64_t, builder) = stored;
    return 0;
}

static int append_stored(Builder *builder, PyObject *value, const char *(*set)(PyObject *, int64_t, int64_t *))
{
    int64_t stored = 0;
    const char *problem = set(value, type_units_per_second(builder->type), &stored);
    if (problem != NULL) return PyErr_Occurred() ? -1 : conversion_failed(builder, value, problem);
    SLOT(int64_t, builder) = stored;
    return 0;
}

static int append_timestamp(Builder *builder, PyObject *value) { return append_stored(builder, value, timestamp_set); }
static int append_instant(Builder *builder, PyObject *value) { return append_stored(builder, value, instant_set); }
static int append_duration(Builder *builder, PyObject *value) { return append_stored(builder, value, duration_set); }

/* ---- Collections ---- */

static int append_object(Builder *builder, PyObject *value)
{
    SLOT(PyObject *, builder) = Py_NewRef(value);
    return 0;
}

static int append_nothing(Builder *builder, PyObject *value) { return conversion_failed(builder, value, "only None is of type NULL"); }

/* Sets the end of the list that is being built. */
static int close_list(Builder *builder, PyObject *value)
{
    if (builder->children[0].count > INT32_MAX) return conversion_failed(builder, value, "a batch holds at most 2^31 elements");
    int32_t *offsets = (int32_t *)(void *)builder->values;
    if (builder->count == 0) offsets[0] = 0;
    offsets[builder->count + 1] = (int32_t)builder->children[0].count;
    return 0;
}

bool values_is_sequence(PyObject *value)
{
    if (PyList_Check(value) || PyTuple_Check(value)) return true;
    if (PyUnicode_Check(value) || PyBytes_Check(value) || PyByteArray_Check(value) || PyDict_Check(value)) return false;
    return PySequence_Check(value);
}

static int append_list(Builder *builder, PyObject *value)
{
    if (!values_is_sequence(value)) return conversion_failed(builder, value, "a list was expected");
    PyObject *items = PySequence_Fast(value, "a list was expected");
    if (items == NULL) return -1;
    int status = 0;
    bool has_counts = builder->type->kind == TYPE_MULTISET;
    PyObject *one = has_counts ? PyLong_FromLong(1) : NULL;
    for (Py_ssize_t index = 0; status == 0 && index < PySequence_Fast_GET_SIZE(items); index++) {
        status = builder_append(&builder->children[0], PySequence_Fast_GET_ITEM(items, index));
        if (status == 0 && has_counts) status = builder_append(&builder->children[1], one);
        if (status < 0 && !PyErr_Occurred()) conversion_add_path("[%zd]", index);
    }
    Py_XDECREF(one);
    Py_DECREF(items);
    return status < 0 ? -1 : close_list(builder, value);
}

static int append_map(Builder *builder, PyObject *value)
{
    if (!PyDict_Check(value)) return conversion_failed(builder, value, "a dict was expected");
    Py_ssize_t place = 0;
    PyObject *key, *item;
    while (PyDict_Next(value, &place, &key, &item)) {
        if (key == Py_None) return conversion_failed(builder, value, "a map's key is never None");
        if (builder_append(&builder->children[0], key) < 0) return conversion_add_path("[key]"), -1;
        if (builder_append(&builder->children[1], item) < 0) return conversion_add_path("[value]"), -1;
    }
    return close_list(builder, value);
}

/* Whether a row has names in another order than its type, or other names: then its fields are found by name, as in Flink. Rows without names, and any
 * row for a type that was declared without names (f0, f1, ...), go by position. */
static bool goes_by_name(const RowObject *row, const Type *type)
{
    PyObject *names = row->fields;
    if (type->kind != TYPE_ROW || names == NULL || names == Py_None || names == type->names || type->child_count == 0) return false;
    int is_same = PyObject_RichCompareBool(names, type->names, Py_EQ);
    if (is_same != 0) {
        if (is_same < 0) PyErr_Clear();
        return false;
    }
    return PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(type->names, 0), "f0") != 0;
}

static PyObject *fields_by_name(const Builder *builder, const RowObject *row, const Type *type)
{
    PyObject *values = PySequence_Fast(row->values, "a row's values are a list");
    PyObject *fields = values == NULL ? NULL : PyList_New(type->child_count);
    for (int index = 0; fields != NULL && index < type->child_count; index++) {
        PyObject *name = PyTuple_GET_ITEM(type->names, index);
        Py_ssize_t position = PySequence_Index(row->fields, name);
        if (position >= 0 && position < PySequence_Fast_GET_SIZE(values)) {
            PyList_SET_ITEM(fields, index, Py_NewRef(PySequence_Fast_GET_ITEM(values, position)));
            continue;
        }
        PyErr_Clear();
        Py_CLEAR(fields);
        conversion_failed(builder, (PyObject *)row, "a field is missing");
        conversion_add_path(".%.100s", PyUnicode_AsUTF8(name));
    }
    Py_XDECREF(values);
    return fields;
}

/* The fields of a value, as a list or tuple of the right length; NULL after a failure. Dicts go by name. A new reference. */
static PyObject *fields_of(const Builder *builder, PyObject *value, const Type *type)
{
    PyObject *fields = NULL;
    if (PyTuple_Check(value) || PyList_Check(value)) {
        fields = Py_NewRef(value);
    } else if (row_check(value) && goes_by_name((RowObject *)value, type)) {
        fields = fields_by_name(builder, (RowObject *)value, type);
        if (fields == NULL) return NULL;
    } else if (row_check(value)) {
        fields = Py_NewRef(((RowObject *)value)->values);
        if (!PyList_Check(fields) && !PyTuple_Check(fields)) Py_SETREF(fields, PySequence_List(fields));
    } else if (PyDict_Check(value) && type->kind == TYPE_ROW) {
        fields = PyList_New(type->child_count);
        for (int index = 0; fields != NULL && index < type->child_count; index++) {
            PyObject *item = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(type->names, index));
            if (item == NULL) {
                Py_DECREF(fields);
                if (PyErr_Occurred()) return NULL;
                conversion_failed(builder, value, "a field is missing");
                conversion_add_path(".%.100s", PyUnicode_AsUTF8(PyTuple_GET_ITEM(type->names, index)));
                return NULL;
            }
            PyList_SET_ITEM(fields, index, Py_NewRef(item));
        }
    } else {
        conversion_failed(builder, value, type->kind == TYPE_ROW ? "a Row, tuple, list or dict was expected" : "a tuple was expected");
    }
    if (fields != NULL && PySequence_Fast_GET_SIZE(fields) != type->child_count) {
        Py_ssize_t count = PySequence_Fast_GET_SIZE(fields);
        Py_CLEAR(fields);
        conversion_failed(builder, value, count < type->child_count ? "it has too few fields" : "it has too many fields");
    }
    return fields;
}

/* A tuple, field by field; the fields cannot change meanwhile. */
static int append_tuple(Builder *columns, const Type *type, PyObject *value)
{
    for (int index = 0; index < type->child_count; index++) {
        Builder *column = &columns[index];
        if (type->children[index]->kind == TYPE_BIGINT && column->validity == NULL && column->count < column->capacity
            && integer_of_plain(PyTuple_GET_ITEM(value, index), (int64_t *)(void *)column->values + column->count)) {
            column->count++;
            continue;
        }
        if (builder_append(column, PyTuple_GET_ITEM(value, index)) == 0) continue;
        if (!PyErr_Occurred()) conversion_add_path(".%.100s", PyUnicode_AsUTF8(PyTuple_GET_ITEM(type->names, index)));
        return -1;
    }
    return 0;
}

static int append_fields(const Builder *builder, Builder *columns, const Type *type, PyObject *value)
{
    if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == type->child_count) return append_tuple(columns, type, value);
    PyObject *fields = fields_of(builder, value, type);
    if (fields == NULL) return -1;
    int status = 0;
    for (int index = 0; status == 0 && index < type->child_count; index++) {
        status = builder_append(&columns[index], PySequence_Fast_GET_ITEM(fields, index));
        if (status < 0 && !PyErr_Occurred()) conversion_add_path(".%.100s", PyUnicode_AsUTF8(PyTuple_GET_ITEM(type->names, index)));
    }
    Py_DECREF(fields);
    return status;
}

static int append_row(Builder *builder, PyObject *value) { return append_fields(builder, builder->children, builder->type, value); }

static int (*const appenders[])(Builder *, PyObject *) = {
    [TYPE_BOOLEAN] = append_boolean, [TYPE_TINYINT] = append_int8, [TYPE_SMALLINT] = append_int16, [TYPE_INT] = append_int32,
    [TYPE_BIGINT] = append_int64, [TYPE_FLOAT] = append_float, [TYPE_DOUBLE] = append_double, [TYPE_DECIMAL] = append_decimal,
    [TYPE_TEXT] = append_text, [TYPE_BYTES] = append_bytes, [TYPE_DATE] = append_date, [TYPE_TIME] = append_time,
    [TYPE_TIMESTAMP] = append_timestamp, [TYPE_TIMESTAMP_LTZ] = append_instant, [TYPE_YEAR_MONTH] = append_int32,
    [TYPE_DAY_TIME] = append_duration, [TYPE_ARRAY] = append_list, [TYPE_MAP] = append_map, [TYPE_MULTISET] = append_list,
    [TYPE_ROW] = append_row, [TYPE_TUPLE] = append_row, [TYPE_RAW] = append_bytes, [TYPE_OBJECT] = append_object, [TYPE_NULL] = append_nothing,
};

int (*appender_of(const Type *type))(Builder *, PyObject *) { return appenders[type->kind]; }

/* ---- Runs of values ---- */

/* The commonest column, without a call per value. Stops before the first value that is not a plain int of 64 bits. */
static Py_ssize_t append_plain_integers(Builder *builder, PyObject *const *values, Py_ssize_t count)
{
    if (builder->validity != NULL || builder_reserve(builder, builder->count + count) < 0) return 0;
    int64_t *target = (int64_t *)(void *)builder->values + builder->count;
    Py_ssize_t index = 0;
    for (; index < count; index++) {
        int overflow;
        if (integer_of_plain(values[index], &target[index])) continue;
        if (!PyLong_CheckExact(values[index])) break;
        int64_t number = PyLong_AsLongLongAndOverflow(values[index], &overflow);
        if (overflow != 0) break;
        target[index] = number;
    }
    builder->count += index;
    return index;
}

static Py_ssize_t append_handles(Builder *builder, PyObject *const *values, Py_ssize_t count)
{
    if (builder_reserve(builder, builder->count + count) < 0) return 0;
    PyObject **target = (PyObject **)(void *)builder->values + builder->count;
    for (Py_ssize_t index = 0; index < count; index++) target[index] = Py_NewRef(values[index]);
    builder->count += count;
    return count;
}

static Py_ssize_t append_run(const Schema *schema, Builder *columns, PyObject *const *values, Py_ssize_t count)
{
    Py_ssize_t index = 0;
    TypeKind kind = schema->type->kind;
    if (kind == TYPE_OBJECT) index = append_handles(&columns[0], values, count);
    else if (kind == TYPE_BIGINT) index = append_plain_integers(&columns[0], values, count);
    Builder whole = {.type = schema->type};
    for (; index < count; index++) {
        int status = schema->is_scalar ? builder_append(&columns[0], values[index]) : append_fields(&whole, columns, schema->type, values[index]);
        if (status < 0) {
            conversion_raise(schema->type);
            break;
        }
    }
    return index;
}

Py_ssize_t row_builder_append(RowBuilder *builder, PyObject *const *values, Py_ssize_t count)
{
    return append_run(builder->schema, builder->columns, values, count);
}

Py_ssize_t row_builder_append_keys(RowBuilder *builder, PyObject *const *keys, Py_ssize_t count)
{
    return append_run(builder->key_schema, builder->key_columns, keys, count);
}
