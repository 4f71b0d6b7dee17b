/* A window's elements, as the user's function sees them. */
#ifndef MILLSTREAM_NATIVE_ELEMENTS_H
#define MILLSTREAM_NATIVE_ELEMENTS_H

#include <Python.h>

#include "millstream.h"
#include "read.h"

/* The columns of a request that windows' elements are in; shared by the windows, and there as long as one of them is. The GIL is held. */
typedef struct ElementBatch ElementBatch;

/* Moves the array out of its request. NULL with an exception. */
ElementBatch *element_batch_take(struct ArrowArray *array, const struct ArrowSchema *array_schema, const Schema *schema);
/* NULL is fine. */
void element_batch_release(ElementBatch *batch);

extern PyTypeObject WindowElements_Type;
extern PyTypeObject WindowElementsIterator_Type;
/* Rows start ..< end. A new reference, or NULL with an exception. */
PyObject *window_elements_make(ElementBatch *batch, int64_t start, int64_t end);

#endif
