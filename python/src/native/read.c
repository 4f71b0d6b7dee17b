/* Arrow columns to Python values. Buffers come from the engine, which has checked them; shapes are checked here, once per request. */
#include "read.h"

#include <string.h>

#include "errors.h"
#include "values.h"

#define VALUE(type, reader, position) (((const type *)(const void *)(reader)->values)[position])

static PyObject *get_boolean(const Reader *reader, int64_t position)
{
    return Py_NewRef(reader->values[position >> 3] >> (position & 7) & 1 ? Py_True : Py_False);
}
static PyObject *get_int8(const Reader *reader, int64_t position) { return PyLong_FromLong(VALUE(int8_t, reader, position)); }
static PyObject *get_int16(const Reader *reader, int64_t position) { return PyLong_FromLong(VALUE(int16_t, reader, position)); }
static PyObject *get_int32(const Reader *reader, int64_t position) { return PyLong_FromLong(VALUE(int32_t, reader, position)); }
static PyObject *get_int64(const Reader *reader, int64_t position) { return PyLong_FromLongLong(VALUE(int64_t, reader, position)); }
static PyObject *get_float(const Reader *reader, int64_t position) { return PyFloat_FromDouble(VALUE(float, reader, position)); }
static PyObject *get_double(const Reader *reader, int64_t position) { return PyFloat_FromDouble(VALUE(double, reader, position)); }
static PyObject *get_null(const Reader *reader, int64_t position) { return (void)reader, (void)position, Py_NewRef(Py_None); }
static PyObject *get_decimal(const Reader *reader, int64_t position) { return decimal_get(reader->values + 16 * position, reader->type->scale); }
static PyObject *get_date(const Reader *reader, int64_t position) { return date_get(VALUE(int32_t, reader, position)); }

static int64_t time_value(const Reader *reader, int64_t position)
{
    return type_byte_width(reader->type) == 4 ? VALUE(int32_t, reader, position) : VALUE(int64_t, reader, position);
}
static PyObject *get_time(const Reader *reader, int64_t position)
{
    return time_get(time_value(reader, position), type_units_per_second(reader->type));
}
static PyObject *get_timestamp(const Reader *reader, int64_t position)
{
    return timestamp_get(VALUE(int64_t, reader, position), type_units_per_second(reader->type));
}
static PyObject *get_instant(const Reader *reader, int64_t position)
{
    return instant_get(VALUE(int64_t, reader, position), type_units_per_second(reader->type));
}
static PyObject *get_duration(const Reader *reader, int64_t position)
{
    return duration_get(VALUE(int64_t, reader, position), type_units_per_second(reader->type));
}

/* A handle is a borrowed PyObject; the engine's null is None. */
static PyObject *get_object(const Reader *reader, int64_t position)
{
    PyObject *value = (PyObject *)(intptr_t)VALUE(int64_t, reader, position);
    return Py_NewRef(value == NULL ? Py_None : value);
}

static const char *text_bytes(const Reader *reader, int64_t position, Py_ssize_t *length)
{
    if (reader->text_layout == 'v') {
        const uint8_t *view = reader->values + 16 * position;
        int32_t parts[4];
        memcpy(parts, view, sizeof parts);
        *length = parts[0];
        if (parts[0] <= 12) return (const char *)view + 4;
        return (const char *)reader->buffers[2 + parts[2]] + parts[3];
    }
    int64_t start, end;
    if (reader->text_layout == 's') {
        start = VALUE(int32_t, reader, position);
        end = VALUE(int32_t, reader, position + 1);
    } else {
        start = VALUE(int64_t, reader, position);
        end = VALUE(int64_t, reader, position + 1);
    }
    *length = (Py_ssize_t)(end - start);
    return (const char *)reader->buffers[2] + start;
}

static PyObject *get_text(const Reader *reader, int64_t position)
{
    Py_ssize_t length;
    const char *bytes = text_bytes(reader, position, &length);
    return PyUnicode_DecodeUTF8(bytes, length, NULL);
}

static PyObject *get_bytes(const Reader *reader, int64_t position)
{
    Py_ssize_t length;
    const char *bytes = text_bytes(reader, position, &length);
    return PyBytes_FromStringAndSize(bytes, length);
}

static PyObject *get_list(const Reader *reader, int64_t position)
{
    int32_t start = VALUE(int32_t, reader, position), end = VALUE(int32_t, reader, position + 1);
    PyObject *list = PyList_New(end - start);
    for (int32_t index = start; list != NULL && index < end; index++) {
        PyObject *element = reader_get(&reader->children[0], index);
        if (element == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, index - start, element);
    }
    return list;
}

static bool add_entry(const Reader *reader, int64_t index, PyObject *map)
{
    PyObject *key = reader_get(&reader->children[0], index);
    PyObject *value = key == NULL ? NULL : reader_get(&reader->children[1], index);
    bool is_added = value != NULL && PyDict_SetItem(map, key, value) == 0;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return is_added;
}

static PyObject *get_map(const Reader *reader, int64_t position)
{
    PyObject *map = PyDict_New();
    for (int32_t index = VALUE(int32_t, reader, position), end = VALUE(int32_t, reader, position + 1); map != NULL && index < end; index++) {
        if (!add_entry(reader, index, map)) Py_CLEAR(map);
    }
    return map;
}

/* A bag as a list in which each element stands as often as it counts. */
static PyObject *get_multiset(const Reader *reader, int64_t position)
{
    PyObject *list = PyList_New(0);
    for (int32_t index = VALUE(int32_t, reader, position), end = VALUE(int32_t, reader, position + 1); list != NULL && index < end; index++) {
        PyObject *element = reader_get(&reader->children[0], index);
        int32_t count = VALUE(int32_t, &reader->children[1], index + reader->children[1].offset);
        for (; element != NULL && count > 0; count--) {
            if (PyList_Append(list, element) < 0) Py_CLEAR(element);
        }
        if (element == NULL) Py_CLEAR(list);
        Py_XDECREF(element);
    }
    return list;
}

static PyObject *read_tuple(const Reader *columns, int count, int64_t row)
{
    PyObject *tuple = PyTuple_New(count);
    for (int index = 0; tuple != NULL && index < count; index++) {
        PyObject *value = reader_get(&columns[index], row);
        if (value == NULL) Py_CLEAR(tuple);
        else PyTuple_SET_ITEM(tuple, index, value);
    }
    return tuple;
}

static PyObject *read_row(const Reader *columns, const Type *type, int64_t row, int row_kind)
{
    PyObject *values = PyList_New(type->child_count);
    for (int index = 0; values != NULL && index < type->child_count; index++) {
        PyObject *value = reader_get(&columns[index], row);
        if (value == NULL) Py_CLEAR(values);
        else PyList_SET_ITEM(values, index, value);
    }
    return row_make(values, type->names, row_kind);
}

static PyObject *get_row(const Reader *reader, int64_t position) { return read_row(reader->children, reader->type, position, 0); }
static PyObject *get_tuple(const Reader *reader, int64_t position) { return read_tuple(reader->children, reader->child_count, position); }

static PyObject *(*const getters[])(const Reader *, int64_t) = {
    [TYPE_BOOLEAN] = get_boolean, [TYPE_TINYINT] = get_int8, [TYPE_SMALLINT] = get_int16, [TYPE_INT] = get_int32, [TYPE_BIGINT] = get_int64,
    [TYPE_FLOAT] = get_float, [TYPE_DOUBLE] = get_double, [TYPE_DECIMAL] = get_decimal, [TYPE_TEXT] = get_text, [TYPE_BYTES] = get_bytes,
    [TYPE_DATE] = get_date, [TYPE_TIME] = get_time, [TYPE_TIMESTAMP] = get_timestamp, [TYPE_TIMESTAMP_LTZ] = get_instant,
    [TYPE_YEAR_MONTH] = get_int32, [TYPE_DAY_TIME] = get_duration, [TYPE_ARRAY] = get_list, [TYPE_MAP] = get_map, [TYPE_MULTISET] = get_multiset,
    [TYPE_ROW] = get_row, [TYPE_TUPLE] = get_tuple, [TYPE_RAW] = get_bytes, [TYPE_OBJECT] = get_object, [TYPE_NULL] = get_null,
};

/* The count column of a multiset. */
static const Type count_type = {.kind = TYPE_INT};

static int reader_make(Reader *reader, const Type *type)
{
    memset(reader, 0, sizeof *reader);
    reader->type = type;
    reader->get = getters[type->kind];
    int count = type->kind == TYPE_MULTISET ? 2 : type->child_count;
    if (count == 0) return 0;
    reader->children = PyMem_RawCalloc((size_t)count, sizeof(Reader));
    if (reader->children == NULL) return PyErr_NoMemory(), -1;
    reader->child_count = count;
    for (int index = 0; index < count; index++) {
        if (reader_make(&reader->children[index], index < type->child_count ? type->children[index] : &count_type) < 0) return -1;
    }
    return 0;
}

static void reader_free(Reader *reader)
{
    for (int index = 0; index < reader->child_count; index++) reader_free(&reader->children[index]);
    PyMem_RawFree(reader->children);
    reader->children = NULL;
    reader->child_count = 0;
}

static int mismatch(const Reader *reader, const struct ArrowSchema *schema)
{
    error_raise(MILLSTREAM_INTERNAL, NULL, "the engine sent the Arrow format '%.60s' for the type %.200s", schema == NULL ? "?" : schema->format,
        reader->type->text == NULL ? "?" : reader->type->text);
    return -1;
}

static int bind_children(Reader *reader, const struct ArrowArray *array, const struct ArrowSchema *schema);

static bool bind_text(Reader *reader, const char *format)
{
    if (format[0] == 'v') reader->text_layout = 'v';
    else if (format[0] == 'u' || format[0] == 'z') reader->text_layout = 's';
    else if (format[0] == 'U' || format[0] == 'Z') reader->text_layout = 'l';
    else return false;
    return true;
}

static int reader_bind(Reader *reader, const struct ArrowArray *array, const struct ArrowSchema *schema)
{
    reader->offset = array->offset;
    reader->length = array->length;
    reader->buffers = array->buffers;
    reader->validity = array->null_count == 0 || array->n_buffers < 1 ? NULL : array->buffers[0];
    reader->values = array->n_buffers < 2 ? NULL : array->buffers[1];
    TypeKind kind = reader->type->kind;
    bool is_text = kind == TYPE_TEXT || kind == TYPE_BYTES || kind == TYPE_RAW;
    /* Without a schema the array is one of our own builders'. */
    if (is_text && !bind_text(reader, schema == NULL ? "vu" : schema->format)) return mismatch(reader, schema);
    if (!is_text && array->n_children == 0 && array->n_buffers < 2 && kind != TYPE_NULL && kind != TYPE_ROW && kind != TYPE_TUPLE) {
        return mismatch(reader, schema);
    }
    return reader->child_count == 0 ? 0 : bind_children(reader, array, schema);
}

static int bind_children(Reader *reader, const struct ArrowArray *array, const struct ArrowSchema *schema)
{
    /* Maps and multisets have one child, the struct of the entries. Its own offset is added to that of its children. */
    int64_t offset = 0;
    if (reader->type->kind == TYPE_MAP || reader->type->kind == TYPE_MULTISET) {
        if (array->n_children != 1) return mismatch(reader, schema);
        array = array->children[0];
        if (schema != NULL) schema = schema->children[0];
        offset = array->offset;
    }
    if (array->n_children != reader->child_count) return mismatch(reader, schema);
    for (int index = 0; index < reader->child_count; index++) {
        if (reader_bind(&reader->children[index], array->children[index], schema == NULL ? NULL : schema->children[index]) < 0) return -1;
        reader->children[index].offset += offset;
    }
    return 0;
}

int row_reader_make(RowReader *reader, const Schema *schema)
{
    reader->schema = schema;
    reader->offset = reader->length = 0;
    reader->columns = PyMem_RawCalloc((size_t)(schema->column_count == 0 ? 1 : schema->column_count), sizeof(Reader));
    if (reader->columns == NULL) return PyErr_NoMemory(), -1;
    for (int index = 0; index < schema->column_count; index++) {
        if (reader_make(&reader->columns[index], schema->columns[index]) < 0) return -1;
    }
    return 0;
}

void row_reader_free(RowReader *reader)
{
    if (reader->columns == NULL) return;
    for (int index = 0; index < reader->schema->column_count; index++) reader_free(&reader->columns[index]);
    PyMem_RawFree(reader->columns);
    reader->columns = NULL;
}

int row_reader_bind(RowReader *reader, const struct ArrowArray *array, const struct ArrowSchema *schema)
{
    int count = reader->schema->column_count;
    if (array == NULL || array->n_children < count) {
        error_raise(MILLSTREAM_INTERNAL, NULL, "the engine sent %d columns where the function takes %d", array == NULL ? 0 : (int)array->n_children, count);
        return -1;
    }
    reader->offset = array->offset;
    reader->length = array->length;
    for (int index = 0; index < count; index++) {
        if (reader_bind(&reader->columns[index], array->children[index], schema == NULL ? NULL : schema->children[index]) < 0) return -1;
    }
    return 0;
}

PyObject *row_reader_get(const RowReader *reader, int64_t row, int row_kind)
{
    const Schema *schema = reader->schema;
    int64_t position = row + reader->offset;
    if (schema->is_scalar) return reader_get(&reader->columns[0], position);
    if (schema->type->kind == TYPE_TUPLE) return read_tuple(reader->columns, schema->column_count, position);
    return read_row(reader->columns, schema->type, position, row_kind);
}
