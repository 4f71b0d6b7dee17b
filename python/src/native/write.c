/* Builders: memory, nulls, and handing the buffers over as Arrow arrays. Buffers come from malloc, because the engine's threads free them without the GIL. */
#include "write.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "values.h"

/* One batch of text may not exceed what a view's 31-bit offset reaches. */
#define VIEW_DATA_LIMIT INT32_MAX

/* ---- What went wrong, until the outermost caller raises it. Only touched with the GIL. ---- */

static struct {
    PyObject *value;
    const Type *type;
    const char *detail;
    char path[256];
} failure;

int conversion_failed(const Builder *builder, PyObject *value, const char *detail)
{
    Py_XSETREF(failure.value, Py_NewRef(value));
    failure.type = builder->type;
    failure.detail = detail;
    failure.path[0] = 0;
    return -1;
}

void conversion_add_path(const char *format, ...)
{
    char whole[sizeof failure.path], part[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    /* Parts are added from the inside out; a path that is too long loses its innermost part. */
    snprintf(whole, sizeof whole, "%.120s%.130s", part, failure.path);
    memcpy(failure.path, whole, sizeof whole);
}

void conversion_raise(const Type *declared)
{
    if (PyErr_Occurred() || failure.value == NULL) return;
    /* Taken out first: repr may run the user's code, and other threads while it runs. */
    PyObject *value = failure.value;
    const Type *type = failure.type;
    const char *detail = failure.detail;
    char whole_path[sizeof failure.path];
    memcpy(whole_path, failure.path, sizeof whole_path);
    failure.value = NULL;
    PyObject *shown = error_representation(value);
    const char *path = whole_path[0] == '.' ? whole_path + 1 : whole_path;
    bool is_inner = path[0] != 0;
    error_raise(MILLSTREAM_TYPE_MISMATCH, NULL, "%s%s%sdeclared %s, but the value is %V (%.100s): %s", is_inner ? "field " : "", path,
        is_inner ? ": " : "", is_inner || declared == NULL ? type->text : declared->text, shown, "?", Py_TYPE(value)->tp_name, detail);
    Py_XDECREF(shown);
    Py_DECREF(value);
}

void conversion_refuse(const Type *declared, PyObject *value, const char *detail)
{
    Builder builder = {.type = declared};
    conversion_failed(&builder, value, detail);
    conversion_raise(declared);
}

/* ---- Memory ---- */

static int64_t values_byte_count(const Builder *builder, int64_t count)
{
    switch (builder->type->kind) {
    case TYPE_BOOLEAN: return (count + 7) / 8;
    case TYPE_ARRAY: case TYPE_MAP: case TYPE_MULTISET: return 4 * (count + 1);
    default: return count * type_byte_width(builder->type);
    }
}

int builder_reserve(Builder *builder, int64_t count)
{
    if (count <= builder->capacity) return 0;
    int64_t capacity = builder->capacity == 0 ? count : builder->capacity + builder->capacity / 2;
    if (capacity < count) capacity = count;
    int64_t byte_count = values_byte_count(builder, capacity);
    uint8_t *values = byte_count == 0 ? builder->values : realloc(builder->values, (size_t)byte_count);
    if (byte_count > 0 && values == NULL) return PyErr_NoMemory(), -1;
    builder->values = values;
    if (builder->type->kind == TYPE_BOOLEAN) {
        int64_t used = values_byte_count(builder, builder->count);
        memset(values + used, 0, (size_t)(byte_count - used));
    }
    if (builder->validity != NULL) {
        uint8_t *validity = realloc(builder->validity, (size_t)(capacity + 7) / 8);
        if (validity == NULL) return PyErr_NoMemory(), -1;
        int64_t used = (builder->count + 7) / 8;
        memset(validity + used, 0, (size_t)((capacity + 7) / 8 - used));
        builder->validity = validity;
    }
    builder->capacity = capacity;
    return 0;
}

/* The bitmap exists from the first null on. */
static int make_validity(Builder *builder)
{
    builder->validity = calloc((size_t)(builder->capacity + 7) / 8 + 1, 1);
    if (builder->validity == NULL) return PyErr_NoMemory(), -1;
    memset(builder->validity, 0xFF, (size_t)builder->count / 8);
    if (builder->count & 7) builder->validity[builder->count / 8] = (uint8_t)((1u << (builder->count & 7)) - 1);
    return 0;
}

int builder_append_null(Builder *builder)
{
    if (builder_reserve(builder, builder->count + 1) < 0) return -1;
    if (builder->validity == NULL && make_validity(builder) < 0) return -1;
    int width = type_byte_width(builder->type);
    if (width > 0) memset(builder->values + builder->count * width, 0, (size_t)width);
    if (builder->type->kind == TYPE_ROW || builder->type->kind == TYPE_TUPLE) {
        for (int index = 0; index < builder->child_count; index++) {
            if (builder_append_null(&builder->children[index]) < 0) return -1;
        }
    } else if (builder->child_count > 0) {
        int32_t *offsets = (int32_t *)(void *)builder->values;
        if (builder->count == 0) offsets[0] = 0;
        offsets[builder->count + 1] = offsets[builder->count];
    }
    builder->null_count++;
    builder->count++;
    return 0;
}

int builder_append(Builder *builder, PyObject *value)
{
    if (value == Py_None && builder->type->kind != TYPE_OBJECT) {
        if (!builder->type->is_nullable) return conversion_failed(builder, value, "null is not allowed");
        return builder_append_null(builder);
    }
    if (builder_reserve(builder, builder->count + 1) < 0 || builder->append(builder, value) < 0) return -1;
    builder_set_valid(builder);
    builder->count++;
    return 0;
}

int builder_push_view(Builder *builder, PyObject *value, const char *bytes, Py_ssize_t length)
{
    uint8_t *view = builder->values + 16 * builder->count;
    if (length > VIEW_DATA_LIMIT - builder->data_count) return conversion_failed(builder, value, "a batch holds at most 2 GiB of one column's text");
    int32_t head[4] = {(int32_t)length, 0, 0, 0};
    if (length <= 12) {
        memcpy(view, head, 16);
        memcpy(view + 4, bytes, (size_t)length);
        return 0;
    }
    if (builder->data_count + length > builder->data_capacity) {
        int64_t capacity = (builder->data_count + length) * 2;
        uint8_t *data = realloc(builder->data, (size_t)capacity);
        if (data == NULL) return PyErr_NoMemory(), -1;
        builder->data = data;
        builder->data_capacity = capacity;
    }
    memcpy(builder->data + builder->data_count, bytes, (size_t)length);
    memcpy(&head[1], bytes, 4);
    head[3] = (int32_t)builder->data_count;
    memcpy(view, head, 16);
    builder->data_count += length;
    return 0;
}

/* A multiset's count; MAP and MULTISET keep their two columns as children, and the entries' struct is made when they are handed over. */
static const Type count_type = {.kind = TYPE_INT, .text = "INT"};

int builder_make(Builder *builder, const Type *type)
{
    memset(builder, 0, sizeof *builder);
    builder->type = type;
    builder->append = appender_of(type);
    int count = type->kind == TYPE_MULTISET ? 2 : type->child_count;
    if (count == 0) return 0;
    builder->children = PyMem_RawCalloc((size_t)count, sizeof(Builder));
    if (builder->children == NULL) return PyErr_NoMemory(), -1;
    builder->child_count = count;
    for (int index = 0; index < count; index++) {
        if (builder_make(&builder->children[index], index < type->child_count ? type->children[index] : &count_type) < 0) return -1;
    }
    return 0;
}

static void forget(Builder *builder)
{
    builder->validity = builder->values = builder->data = NULL;
    builder->count = builder->capacity = builder->null_count = builder->data_count = builder->data_capacity = 0;
}

void builder_reset(Builder *builder)
{
    uint8_t *values = builder->values;
    int64_t count = values == NULL ? 0 : builder->count;
    free(builder->validity);
    free(builder->data);
    forget(builder);
    for (int index = 0; index < builder->child_count; index++) builder_reset(&builder->children[index]);
    if (builder->type->kind == TYPE_OBJECT) {
        for (int64_t index = 0; index < count; index++) Py_XDECREF(((PyObject **)(void *)values)[index]);
    }
    free(values);
}

void builder_truncate(Builder *builder, int64_t count)
{
    TypeKind kind = builder->type->kind;
    bool is_row = kind == TYPE_ROW || kind == TYPE_TUPLE;
    /* Children may be ahead of a value that could not be appended as a whole. */
    int64_t child_count = is_row ? count : builder->child_count == 0 || count == 0 ? 0 : ((const int32_t *)(const void *)builder->values)[count];
    for (int index = 0; index < builder->child_count; index++) builder_truncate(&builder->children[index], child_count);
    int64_t dropped = builder->count;
    builder->count = count;
    if (builder->validity != NULL) {
        builder->null_count = 0;
        for (int64_t index = 0; index < count; index++) builder->null_count += !(builder->validity[index >> 3] >> (index & 7) & 1);
    }
    if (kind != TYPE_OBJECT) return;
    for (int64_t index = count; index < dropped; index++) Py_XDECREF(((PyObject **)(void *)builder->values)[index]);
}

void builder_free(Builder *builder)
{
    if (builder->type == NULL) return;
    builder_reset(builder);
    for (int index = 0; index < builder->child_count; index++) builder_free(&builder->children[index]);
    PyMem_RawFree(builder->children);
    memset(builder, 0, sizeof *builder);
}

/* ---- Handing over ---- */

/* What an exported array owns. */
typedef struct Owned {
    const void *buffers[4];
    int64_t data_lengths[1];
    struct ArrowArray **children;
    struct ArrowArray *child_arrays;
    int64_t child_count;
} Owned;

static void release_array(struct ArrowArray *array)
{
    Owned *owned = array->private_data;
    for (int64_t index = 0; index < owned->child_count; index++) {
        if (owned->child_arrays[index].release != NULL) owned->child_arrays[index].release(&owned->child_arrays[index]);
    }
    for (int64_t index = 0; index < 3 && index < array->n_buffers; index++) free((void *)(intptr_t)owned->buffers[index]);
    free(owned->children);
    free(owned->child_arrays);
    free(owned);
    array->release = NULL;
}

/* An array without buffers that owns room for so many children. */
static int make_array(struct ArrowArray *out, int64_t length, int64_t child_count)
{
    memset(out, 0, sizeof *out);
    Owned *owned = calloc(1, sizeof *owned);
    if (owned == NULL) return PyErr_NoMemory(), -1;
    out->private_data = owned;
    out->release = release_array;
    out->length = length;
    out->buffers = owned->buffers;
    if (child_count == 0) return 0;
    owned->children = calloc((size_t)child_count, sizeof *owned->children);
    owned->child_arrays = calloc((size_t)child_count, sizeof *owned->child_arrays);
    if (owned->children == NULL || owned->child_arrays == NULL) {
        release_array(out);
        return PyErr_NoMemory(), -1;
    }
    for (int64_t index = 0; index < child_count; index++) owned->children[index] = &owned->child_arrays[index];
    owned->child_count = child_count;
    out->children = owned->children;
    out->n_children = child_count;
    return 0;
}

static int export_builder(Builder *builder, struct ArrowArray *out);

static int export_children(Builder *builder, struct ArrowArray *out)
{
    for (int index = 0; index < builder->child_count; index++) {
        if (export_builder(&builder->children[index], out->children[index]) < 0) return -1;
    }
    return 0;
}

static int export_entries(Builder *builder, struct ArrowArray *out)
{
    if (make_array(out, builder->children[0].count, builder->child_count) < 0) return -1;
    out->n_buffers = 1;
    return export_children(builder, out);
}

static int export_builder(Builder *builder, struct ArrowArray *out)
{
    TypeKind kind = builder->type->kind;
    bool has_entries = kind == TYPE_MAP || kind == TYPE_MULTISET;
    bool is_list = has_entries || kind == TYPE_ARRAY;
    if (is_list && builder->values == NULL) {
        if (builder_reserve(builder, 1) < 0) return -1;
        memset(builder->values, 0, 4);
    }
    if (make_array(out, builder->count, has_entries ? 1 : builder->child_count) < 0) return -1;
    Owned *owned = out->private_data;
    out->null_count = builder->null_count;
    out->n_buffers = kind == TYPE_ROW || kind == TYPE_TUPLE ? 1 : kind == TYPE_NULL ? 0 : 2;
    owned->buffers[0] = builder->validity;
    owned->buffers[1] = builder->values;
    if (type_byte_width(builder->type) == 16 && kind != TYPE_DECIMAL) {
        owned->buffers[2] = builder->data;
        owned->data_lengths[0] = builder->data_count;
        owned->buffers[3] = owned->data_lengths;
        out->n_buffers = 4;
    }
    int status = has_entries ? export_entries(builder, out->children[0]) : export_children(builder, out);
    if (kind == TYPE_NULL) free(builder->validity);
    forget(builder);
    if (status < 0) {
        out->release(out);
        return -1;
    }
    return 0;
}

/* ---- Rows ---- */

static Builder *make_columns(const Schema *schema)
{
    Builder *columns = PyMem_RawCalloc((size_t)(schema->column_count == 0 ? 1 : schema->column_count), sizeof(Builder));
    if (columns == NULL) return (Builder *)PyErr_NoMemory();
    for (int index = 0; index < schema->column_count; index++) {
        if (builder_make(&columns[index], schema->columns[index]) < 0) break;
    }
    return columns;
}

int row_builder_make(RowBuilder *builder, const Schema *schema, const Schema *key_schema)
{
    builder->schema = schema;
    builder->key_schema = key_schema;
    builder->columns = make_columns(schema);
    builder->key_columns = key_schema == NULL ? NULL : make_columns(key_schema);
    return PyErr_Occurred() ? -1 : 0;
}

static void free_columns(Builder *columns, const Schema *schema)
{
    for (int index = 0; columns != NULL && index < schema->column_count; index++) builder_free(&columns[index]);
    PyMem_RawFree(columns);
}

void row_builder_free(RowBuilder *builder)
{
    free_columns(builder->columns, builder->schema);
    free_columns(builder->key_columns, builder->key_schema);
    builder->columns = builder->key_columns = NULL;
}

void row_builder_reset_keys(RowBuilder *builder)
{
    for (int index = 0; builder->key_schema != NULL && index < builder->key_schema->column_count; index++) builder_reset(&builder->key_columns[index]);
}

void row_builder_reset(RowBuilder *builder)
{
    for (int index = 0; index < builder->schema->column_count; index++) builder_reset(&builder->columns[index]);
    row_builder_reset_keys(builder);
}

void row_builder_truncate(RowBuilder *builder, int64_t count)
{
    for (int index = 0; index < builder->schema->column_count; index++) builder_truncate(&builder->columns[index], count);
}

int row_builder_reserve(RowBuilder *builder, int64_t count)
{
    for (int index = 0; index < builder->schema->column_count; index++) {
        if (builder_reserve(&builder->columns[index], count) < 0) return -1;
    }
    for (int index = 0; builder->key_schema != NULL && index < builder->key_schema->column_count; index++) {
        if (builder_reserve(&builder->key_columns[index], count) < 0) return -1;
    }
    return 0;
}

int row_builder_finish(RowBuilder *builder, int64_t count, struct ArrowArray *out)
{
    int column_count = builder->schema->column_count, key_count = builder->key_schema == NULL ? 0 : builder->key_schema->column_count;
    if (make_array(out, count, column_count + key_count) < 0) return -1;
    out->n_buffers = 1;
    for (int index = 0; index < column_count + key_count; index++) {
        Builder *column = index < column_count ? &builder->columns[index] : &builder->key_columns[index - column_count];
        if (export_builder(column, out->children[index]) < 0) {
            out->release(out);
            return -1;
        }
    }
    return 0;
}
