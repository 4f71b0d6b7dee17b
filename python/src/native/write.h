/* Builders: Arrow columns out of Python values. A builder is made once from a type; each batch takes its buffers away. */
#ifndef MILLSTREAM_NATIVE_WRITE_H
#define MILLSTREAM_NATIVE_WRITE_H

#include <Python.h>

#include "millstream.h"
#include "types.h"

typedef struct Builder Builder;
struct Builder {
    const Type *type;
    /* 0, or -1 with `conversion_failure` filled or an exception. */
    int (*append)(Builder *builder, PyObject *value);
    int64_t count;
    int64_t capacity;
    int64_t null_count;
    uint8_t *validity;
    /* Fixed-width values, bits, views or (count + 1) offsets. */
    uint8_t *values;
    /* The bytes that views point into. */
    uint8_t *data;
    int64_t data_count;
    int64_t data_capacity;
    int child_count;
    Builder *children;
};

typedef struct RowBuilder {
    const Schema *schema;
    Builder *columns;
    /* Key columns behind the schema's, or NULL. */
    const Schema *key_schema;
    Builder *key_columns;
} RowBuilder;

int row_builder_make(RowBuilder *builder, const Schema *schema, const Schema *key_schema);
void row_builder_free(RowBuilder *builder);
/* Room for so many rows. */
int row_builder_reserve(RowBuilder *builder, int64_t count);
/* Appends values[0 ..< count]; returns how many were appended: on failure fewer, with an exception (TypeMismatchError or the value's own). */
Py_ssize_t row_builder_append(RowBuilder *builder, PyObject *const *values, Py_ssize_t count);
Py_ssize_t row_builder_append_keys(RowBuilder *builder, PyObject *const *keys, Py_ssize_t count);
/* Moves everything out as a struct array and empties the builder. References in OBJECT columns go with it. */
int row_builder_finish(RowBuilder *builder, int64_t count, struct ArrowArray *out);
/* Drops what was appended, references included. */
void row_builder_reset(RowBuilder *builder);
void row_builder_reset_keys(RowBuilder *builder);
/* Keeps the first rows: each column has as many, or more of a row that could not be appended as a whole. To be finished or reset then, not appended to. */
void row_builder_truncate(RowBuilder *builder, int64_t count);

/* Converts one value of a type: for states, checks between fused stages. */
int builder_make(Builder *builder, const Type *type);
void builder_free(Builder *builder);
void builder_reset(Builder *builder);
void builder_truncate(Builder *builder, int64_t count);
int builder_append(Builder *builder, PyObject *value);
int builder_reserve(Builder *builder, int64_t count);
/* Raises TypeMismatchError for what an append found, unless an exception is set. */
void conversion_raise(const Type *declared);
/* As above when the value does not go through a builder. */
void conversion_refuse(const Type *declared, PyObject *value, const char *detail);

/* For builders' parts. */
int conversion_failed(const Builder *builder, PyObject *value, const char *detail);
void conversion_add_path(const char *format, ...);
int (*appender_of(const Type *type))(Builder *, PyObject *);
int builder_append_null(Builder *builder);
int builder_push_view(Builder *builder, PyObject *value, const char *bytes, Py_ssize_t length);

static inline void builder_set_valid(Builder *builder)
{
    if (builder->validity != NULL) builder->validity[builder->count >> 3] |= (uint8_t)(1u << (builder->count & 7));
}

#endif
