/* Arrow at the Python side: capsules, schemas, and vectorised functions. */
#ifndef MILLSTREAM_NATIVE_ARROW_H
#define MILLSTREAM_NATIVE_ARROW_H

#include <Python.h>

#include "host.h"
#include "read.h"

/* Binds to, and releases, what a builder of the same schema made: with the references in its OBJECT columns. */
int arrow_bind_built(RowReader *reader, const struct ArrowArray *array);
void arrow_release_built(const Schema *schema, struct ArrowArray *array);

/* New capsules; the structures are moved in. NULL with an exception, the structures then released. */
PyObject *arrow_schema_capsule(struct ArrowSchema *schema);
PyObject *arrow_array_capsule(struct ArrowArray *array);
PyObject *arrow_stream_capsule(struct ArrowArrayStream *stream);
/* Moves the stream out of a capsule, or out of what `__arrow_c_stream__` gives. */
int arrow_take_stream(PyObject *source, struct ArrowArrayStream *stream);

/* A stage of kind map_arrow. */
int arrow_transform(Host *host, const millstream_request *request);
/* Whether an object has `__arrow_c_array__`. */
bool arrow_is_array(PyObject *source);
/* Emits the rows of what has `__arrow_c_array__`, in the layout of the function's output. Their number, or -1. */
int64_t arrow_emit(Host *host, const millstream_request *request, PyObject *source);
/* The request's columns as an object with `__arrow_c_array__`; they are moved out of the request. */
PyObject *arrow_columns(Host *host, const millstream_request *request);

/* Module functions. */
PyObject *parse_schema(PyObject *module, PyObject *text);
PyObject *schema_to_arrow(PyObject *module, PyObject *text);
PyObject *schema_from_arrow(PyObject *module, PyObject *source);
int arrow_add_types(void);

/* The value after a journey through a column of the schema. */
PyObject *value_through(const Schema *schema, PyObject *value);

#endif
