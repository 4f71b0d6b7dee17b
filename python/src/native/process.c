/* PROCESS, TIMERS and WINDOW: the user's function gets a context, and what it gives is taken at C's speed. */
#include <stdlib.h>

#include "errors.h"
#include "kinds.h"
#include "process.h"
#include "sides.h"

PyObject *process_step_timer(Rows *rows, int64_t row) { return PyLong_FromLongLong(rows->request->timestamps[row]); }

/* (key, elements) */
static PyObject *step_window(Rows *rows, int64_t row)
{
    const millstream_request *request = rows->request;
    if (rows->elements == NULL) rows->elements = element_batch_take(request->columns, request->schema, rows->reader->schema);
    if (rows->elements == NULL) return NULL;
    PyObject *elements = window_elements_make(rows->elements, request->element_offsets[row], request->element_offsets[row + 1]);
    bool is_keyed = request->keys != NULL && rows->key_reader != NULL;
    return rows_pair(rows, is_keyed ? row_reader_get(rows->key_reader, row, 0) : Py_NewRef(Py_None), elements);
}

int process_make_loop(Host *host, const char *names, const char *call, PyObject *callable, PyObject *context)
{
    Code code = {.lines = PyList_New(0), .indent = 1};
    PyObject *parameters = PyDict_New(), *emit = PyObject_GetAttrString((PyObject *)host->rows, "emit");
    int status = parameters == NULL || emit == NULL || PyDict_SetItemString(parameters, "emit", emit) < 0 ? -1 : 0;
    if (status == 0) status = PyDict_SetItemString(parameters, "f0", callable);
    if (status == 0) status = PyDict_SetItemString(parameters, "context", context == NULL ? host->context : context);
    if (status == 0) {
        code_add(&code, -1, "for %s in rows:", names);
        code_add(&code, 0, " emit(%s)", call);
        status = code_compile(&code, host, parameters);
    }
    Py_XDECREF(emit);
    Py_XDECREF(parameters);
    return status;
}

int process_prepare_common(Host *host, RowsStep step)
{
    if (host_make_rows(host, step) < 0 || row_builder_make(&host->builder, host->output, NULL) < 0 || sides_prepare(host) < 0) return -1;
    if (host->keys != NULL && row_reader_make(&host->second_reader, host->keys) < 0) return -1;
    host->rows->key_reader = host->keys == NULL ? NULL : &host->second_reader;
    host->rows->is_pausing = host->rows->is_expanding = true;
    ((ContextObject *)host->context)->host = host;
    return 0;
}

static int process_prepare(Host *host)
{
    PyObject *on_element = stage_callable(&host->stages[0], 0), *on_timer = stage_callable(&host->stages[0], 1);
    if (on_element == NULL) return PyErr_SetString(PyExc_TypeError, "process_element is missing"), -1;
    if (process_prepare_common(host, NULL) < 0) return -1;
    host->timer_step = host->rows->step;
    if (on_timer != NULL) {
        if (process_make_loop(host, "v0", "f0(v0, context)", on_timer, NULL) < 0) return -1;
        host->timer_function = host->function;
        host->function = NULL;
    }
    return process_make_loop(host, "v0", "f0(v0, context)", on_element, NULL);
}

static int window_prepare(Host *host)
{
    PyObject *callable = stage_callable(&host->stages[0], 0);
    if (callable == NULL) return PyErr_SetString(PyExc_TypeError, "process is missing"), -1;
    if (process_prepare_common(host, step_window) < 0) return -1;
    if (host->third_extra != NULL) Py_XSETREF(((ContextObject *)host->context)->make_window, Py_NewRef(host->third_extra));
    return process_make_loop(host, "k, v0", "f0(k, context, v0)", callable, NULL);
}

/* on_timer has its own loop over timestamps; both have the same lines. */
static void swap_loops(Host *host)
{
    PyObject *function = host->function;
    host->function = host->timer_function;
    host->timer_function = function;
}

int process_run(Host *host, const millstream_request *request)
{
    if (rows_begin(host->rows, request, request->count) < 0) return -1;
    return host_emit_run(host, request->response, host_run(host));
}

static int process_call(Host *host, const millstream_request *request)
{
    bool is_timer = request->operation == MILLSTREAM_OPERATION_TIMERS;
    if (request->operation == MILLSTREAM_OPERATION_SNAPSHOT) return process_snapshot(host, request);
    if (is_timer && host->timer_function == NULL) return 0;
    if (!is_timer && row_reader_bind(&host->reader, request->columns, request->schema) < 0) return -1;
    if (host->keys != NULL && request->keys != NULL && row_reader_bind(&host->second_reader, request->keys, request->key_schema) < 0) return -1;
    ContextObject *context = (ContextObject *)host->context;
    context->request = request;
    if (is_timer) {
        host->rows->step = process_step_timer;
        swap_loops(host);
    }
    int status = process_run(host, request);
    if (is_timer) {
        host->rows->step = host->timer_step;
        /* After a failure the loop stays for the report, which reads its frame. */
        if (status >= 0) swap_loops(host);
    }
    context->request = NULL;
    rows_end(host->rows);
    return status;
}

void process_clear(Host *host)
{
    if (host->context != NULL) {
        ((ContextObject *)host->context)->host = NULL;
        ((ContextObject *)host->context)->request = NULL;
    }
    sides_free(host);
}

void process_set_request(Host *host, const millstream_request *request)
{
    if (host->context != NULL) ((ContextObject *)host->context)->request = request;
}

/* Has a function with operator state put it together for a checkpoint. */
int process_snapshot(Host *host, const millstream_request *request)
{
    PyObject *snapshot = request->integer_count < 2 ? NULL : PyObject_GetAttrString(host->context, "_snapshot");
    if (snapshot == NULL) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
        return 0;
    }
    host->failed_stage = 0;
    process_set_request(host, request);
    PyObject *result = PyObject_CallFunction(snapshot, "LL", (long long)request->integers[0], (long long)request->integers[1]);
    process_set_request(host, NULL);
    Py_DECREF(snapshot);
    if (result == NULL) return -1;
    host->failed_stage = -1;
    Py_DECREF(result);
    return 0;
}

static const HostKind process_kind = {
    .prepare = process_prepare, .call = process_call, .clear = process_clear, .set_request = process_set_request};
static const HostKind window_kind = {.prepare = window_prepare, .call = process_call, .clear = process_clear};

/* ---- Factories ---- */

static PyObject *or_null(PyObject *value) { return value == Py_None ? NULL : value; }

Host *process_make_host(const HostKind *kind, PyObject *make, PyObject *input, PyObject *output, PyObject *name, PyObject *keys, PyObject *sides,
    PyObject *describe, PyObject *context, PyTypeObject *base)
{
    if (context != NULL && (!PyType_Check(context) || !PyType_IsSubtype((PyTypeObject *)context, base))) {
        PyErr_Format(PyExc_TypeError, "context is a subclass of %s", base->tp_name);
        return NULL;
    }
    Host *host = host_new(kind, 1, name);
    bool is_made = host != NULL && (host->input = schema_from_object(input)) != NULL && (host->output = schema_from_object(output)) != NULL;
    if (is_made && keys != NULL) is_made = (host->keys = schema_from_object(keys)) != NULL;
    if (is_made && sides != NULL) {
        host->side_outputs = PyDict_New();
        is_made = host->side_outputs != NULL && PyDict_Update(host->side_outputs, sides) == 0;
    }
    if (is_made) {
        host->extra = Py_NewRef(context == NULL ? (PyObject *)base : context);
        host->second_extra = Py_XNewRef(describe);
        is_made = host_set_stage(host, 0, STAGE_OTHER, make, name, host->output, 1) == 0;
    }
    if (is_made) return host;
    host_free(host);
    return NULL;
}

PyObject *make_process(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"make", "schema", "output_schema", "name", "key_schema", "side_outputs", "describe", "context", NULL};
    PyObject *make, *input, *output, *name, *keys = Py_None, *sides = Py_None, *describe = Py_None, *context = Py_None;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "OUUU|$OOOO:process", names, &make, &input, &output, &name, &keys, &sides, &describe, &context)) return NULL;
    return function_wrap(process_make_host(
        &process_kind, make, input, output, name, or_null(keys), or_null(sides), or_null(describe), or_null(context), &Context_Type));
}

PyObject *make_window_process(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"make", "schema", "output_schema", "name", "key_schema", "side_outputs", "make_window", "describe", "context", NULL};
    PyObject *make, *input, *output, *name, *keys = Py_None, *sides = Py_None, *window = Py_None, *describe = Py_None, *context = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUUU|$OOOOO:window_process", names, &make, &input, &output, &name, &keys, &sides, &window,
            &describe, &context)) return NULL;
    Host *host = process_make_host(
        &window_kind, make, input, output, name, or_null(keys), or_null(sides), or_null(describe), or_null(context), &WindowContext_Type);
    if (host != NULL) host->third_extra = Py_XNewRef(or_null(window));
    return function_wrap(host);
}
