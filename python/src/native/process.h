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
    /* apply_to_keys: the row whose key is current, 1-based; 0: the loop's. */
    int64_t selected_row;
} ContextObject;

extern PyTypeObject Context_Type;
extern PyTypeObject WindowContext_Type;
int process_add_types(PyObject *module);
int states_add_types(PyObject *module);

/* The state of the running request and the current row; NULL with an exception outside process_element and on_timer. */
millstream_state *context_state(ContextObject *context, int64_t *row);
/* For operator state, which has no row: also in open. */
millstream_state *context_operator_state(ContextObject *context);
/* apply_to_keys(function, state index, state): function(key, state) for each key that has something in the state. */
PyObject *context_apply_to_keys(ContextObject *context, PyObject *arguments);

/* A tuple (name, kind, value schema, key schema or None), which keeps the texts. 0 or -1. */
int state_declaration_read(PyObject *item, millstream_state_declaration *declaration);

/* What process.c and co_process.c share. */
PyObject *process_step_timer(Rows *rows, int64_t row);
/* Generates host->function: `names` of the loop's values, `call` of f0 with them; `context` NULL: the host's own. */
int process_make_loop(Host *host, const char *names, const char *call, PyObject *callable, PyObject *context);
int process_prepare_common(Host *host, RowsStep step);
int process_run(Host *host, const millstream_request *request);
int process_snapshot(Host *host, const millstream_request *request);
void process_clear(Host *host);
/* The context's request, also for sources and sinks that have a context; NULL at its end. */
void process_set_request(Host *host, const millstream_request *request);
Host *process_make_host(const HostKind *kind, PyObject *make, PyObject *input, PyObject *output, PyObject *name, PyObject *keys, PyObject *sides,
    PyObject *describe, PyObject *context, PyTypeObject *base);

#endif
