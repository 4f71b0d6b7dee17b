/* Process functions: the context that the user sees, and the states behind it. */
#ifndef MILLSTREAM_NATIVE_PROCESS_H
#define MILLSTREAM_NATIVE_PROCESS_H

#include <Python.h>

#include "host.h"

/* Only good while a request runs: `host` and `request` are NULL otherwise. */
typedef struct ContextObject {
    PyObject_HEAD
    PyObject *dictionary;
    Host *host;
    const millstream_request *request;
    /* WINDOW: what makes window() of start and end, or NULL. */
    PyObject *make_window;
} ContextObject;

extern PyTypeObject Context_Type;
extern PyTypeObject WindowContext_Type;
int process_add_types(PyObject *module);
int states_add_types(PyObject *module);

/* The state of the running request and the current row; NULL with an exception outside process_element and on_timer. */
millstream_state *context_state(ContextObject *context, int64_t *row);

#endif
