/* Python values in checkpoints. */
#ifndef MILLSTREAM_NATIVE_CODING_H
#define MILLSTREAM_NATIVE_CODING_H

#include <Python.h>

#include "millstream.h"

/* As in millstream_host_objects. */
intptr_t coding_encode(void *const *handles, intptr_t count, millstream_append append, void *target, uint8_t *problem, intptr_t capacity);
intptr_t coding_decode(
    const uint8_t *const *values, const int64_t *lengths, intptr_t count, void **handles, uint8_t *problem, intptr_t capacity);

/* One value, as bytes and back. */
PyObject *encode_value(PyObject *module, PyObject *value);
PyObject *decode_value(PyObject *module, PyObject *bytes);

#endif
