/* Readers: Python values out of Arrow columns. A reader is made once from a type and bound to the arrays of each request. */
#ifndef MILLSTREAM_NATIVE_READ_H
#define MILLSTREAM_NATIVE_READ_H

#include <Python.h>

#include "millstream.h"
#include "types.h"

typedef struct Reader Reader;
struct Reader {
    const Type *type;
    /* A value that is not null; the position is in the buffers, the array's offset included. A new reference, or NULL with an exception. */
    PyObject *(*get)(const Reader *reader, int64_t position);
    const uint8_t *validity;
    const uint8_t *values;
    /* Text and bytes: 'v' views, 's' 32-bit offsets, 'l' 64-bit offsets. */
    char text_layout;
    const void *const *buffers;
    int64_t offset;
    int64_t length;
    int child_count;
    Reader *children;
};

/* The rows of a schema. */
typedef struct RowReader {
    const Schema *schema;
    Reader *columns;
    int64_t offset;
    int64_t length;
} RowReader;

/* 0, or -1 with an exception. `schema` must outlive the reader. */
int row_reader_make(RowReader *reader, const Schema *schema);
void row_reader_free(RowReader *reader);
/* Binds the first columns of a struct array, which must outlive the reading. `schema` NULL: the array is a builder's. */
int row_reader_bind(RowReader *reader, const struct ArrowArray *array, const struct ArrowSchema *schema);
/* The row's value, or `column`'s alone. A new reference. */
PyObject *row_reader_get(const RowReader *reader, int64_t row, int row_kind);

static inline bool reader_is_null(const Reader *reader, int64_t position)
{
    return reader->validity != NULL && (reader->validity[position >> 3] >> (position & 7) & 1) == 0;
}

/* The value at a row of the array (its offset not included), or None. */
static inline PyObject *reader_get(const Reader *reader, int64_t row)
{
    int64_t position = row + reader->offset;
    if (reader_is_null(reader, position)) return Py_NewRef(Py_None);
    return reader->get(reader, position);
}

#endif
