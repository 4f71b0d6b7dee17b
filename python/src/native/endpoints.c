/* READ, WRITE and FLUSH: sources and sinks that the program defines. */
#include <math.h>

#include "arrow.h"
#include "errors.h"
#include "host.h"
#include "kinds.h"
#include "process.h"

/* One crossing of a collection; the engine asks for less where batches are smaller. */
#define READ_LIMIT 65536

/* A source or sink with operator state has a context, made of the class in `extra`. */
static void attach_context(Host *host)
{
    if (host->context != NULL) ((ContextObject *)host->context)->host = host;
}

static void endpoint_clear(Host *host)
{
    if (host->context == NULL) return;
    ((ContextObject *)host->context)->host = NULL;
    ((ContextObject *)host->context)->request = NULL;
}

static bool take_context_class(Host *host, PyObject *context)
{
    if (host == NULL || context == Py_None) return host != NULL;
    if (!PyType_Check(context) || !PyType_IsSubtype((PyTypeObject *)context, &Context_Type)) {
        PyErr_Format(PyExc_TypeError, "context is a subclass of %s", Context_Type.tp_name);
        return false;
    }
    host->extra = Py_NewRef(context);
    return true;
}

static int builder_prepare(Host *host)
{
    attach_context(host);
    return row_builder_make(&host->builder, host->output, NULL);
}

static int64_t read_limit(const millstream_request *request)
{
    int64_t limit = request->integer_count > 0 ? request->integers[0] : OUTPUT_LIMIT;
    return limit < 1 ? 1 : limit > READ_LIMIT ? READ_LIMIT : limit;
}

/* ---- Checkpoints: what sources and sinks keep, in bytes of their own ---- */

static int answer_payload(PyObject *payload, const millstream_request *request)
{
    if (!PyBytes_Check(payload)) {
        PyErr_Format(PyExc_TypeError, "a payload is bytes, not %.100s", Py_TYPE(payload)->tp_name);
        return -1;
    }
    millstream_response_payload(request->response, (const uint8_t *)PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload));
    return 0;
}

static PyObject *payload_bytes(const millstream_bytes *payload)
{
    return PyBytes_FromStringAndSize((const char *)payload->bytes, (Py_ssize_t)payload->length);
}

/* snapshot() -> bytes or None. */
static int endpoint_snapshot(Host *host, const millstream_request *request, PyObject *callable)
{
    if (callable == NULL) return 0;
    process_set_request(host, request);
    PyObject *result = PyObject_CallNoArgs(callable);
    process_set_request(host, NULL);
    if (result == NULL) return host_fail_at(host, -1, 0);
    int status = result == Py_None ? 0 : answer_payload(result, request);
    Py_DECREF(result);
    return status;
}

/* restore(row, bytes or None) */
static int endpoint_restore(Host *host, const millstream_request *request, PyObject *callable)
{
    if (callable == NULL) return 0;
    PyObject *payload = request->payload_count > 0 ? payload_bytes(&request->payloads[0]) : Py_NewRef(Py_None);
    if (payload == NULL) return -1;
    process_set_request(host, request);
    PyObject *result = PyObject_CallFunction(callable, "LO", request->integer_count > 0 ? (long long)request->integers[0] : 0LL, payload);
    process_set_request(host, NULL);
    Py_DECREF(payload);
    if (result == NULL) return host_fail_at(host, -1, 0);
    Py_DECREF(result);
    return 0;
}

/* ---- A source function ---- */

static int source_call(Host *host, const millstream_request *request)
{
    if (request->operation == MILLSTREAM_OPERATION_SNAPSHOT) return endpoint_snapshot(host, request, stage_callable(&host->stages[0], 1));
    if (request->operation == MILLSTREAM_OPERATION_RESTORE) return endpoint_restore(host, request, stage_callable(&host->stages[0], 2));
    PyObject *limit = PyLong_FromLongLong(read_limit(request));
    process_set_request(host, request);
    PyObject *values = limit == NULL ? NULL : PyObject_CallOneArg(stage_callable(&host->stages[0], 0), limit);
    process_set_request(host, NULL);
    Py_XDECREF(limit);
    if (values == NULL) return host_fail_at(host, -1, 0);
    int status = 0;
    if (values == Py_None) {
        millstream_response_end(request->response);
    } else if (PyFloat_Check(values) || (PyLong_Check(values) && !PyBool_Check(values))) {
        double seconds = PyFloat_AsDouble(values);
        bool is_time = isfinite(seconds) && seconds >= 0 && seconds < 1e9;
        if (is_time) millstream_response_wait(request->response, (int64_t)(seconds * 1000));
        else status = (PyErr_Clear(), PyErr_SetString(PyExc_ValueError, "a source waits a number of seconds that is not negative"), -1);
    } else if (PyList_Check(values) || PyTuple_Check(values)) {
        status = host_emit_values(host, request->response, values);
        if (status == 0) host->record_count += PySequence_Fast_GET_SIZE(values);
    } else if (arrow_is_array(values)) {
        int64_t count = arrow_emit(host, request, values);
        if (count < 0) status = -1;
        else host->record_count += count;
    } else {
        PyErr_Format(PyExc_TypeError, "a source's read gives a list, a number of seconds, or None, not %.100s", Py_TYPE(values)->tp_name);
        status = -1;
    }
    Py_DECREF(values);
    return status;
}

static const HostKind source_kind = {
    .prepare = builder_prepare, .call = source_call, .clear = endpoint_clear, .set_request = process_set_request};

static PyObject *make_reading(const HostKind *kind, PyObject *callable, PyObject *text, PyObject *name)
{
    Host *host = host_new(kind, callable == NULL ? 0 : 1, name);
    bool is_made = host != NULL && (host->output = schema_from_object(text)) != NULL;
    if (is_made && callable != NULL) is_made = host_set_stage(host, 0, STAGE_OTHER, callable, name, host->output, PyTuple_Check(callable) ? 3 : 1) == 0;
    if (is_made) return (PyObject *)host;
    host_free(host);
    return NULL;
}

PyObject *make_source(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"read", "schema", "name", "context", "snapshots", NULL};
    PyObject *callable, *text, *name, *context = Py_None;
    int snapshots = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUU|$Op:source", names, &callable, &text, &name, &context, &snapshots)) return NULL;
    Host *host = (Host *)make_reading(&source_kind, callable, text, name);
    if (host != NULL && snapshots) host->capabilities = MILLSTREAM_CAN_SNAPSHOT;
    if (take_context_class(host, context)) return function_wrap(host);
    host_free(host);
    return NULL;
}

/* ---- A collection ---- */

/* Some values of a collection as a list or tuple, a new reference, and where they begin in it. A range makes its numbers slice by slice; other sequences
 * than lists and tuples are asked for one value after the other. */
static PyObject *read_slice(Host *host, PyObject *values, Py_ssize_t start, Py_ssize_t count, PyObject *const **items)
{
    PyObject *list = NULL;
    if (PyList_Check(values) || PyTuple_Check(values)) {
        *items = PySequence_Fast_ITEMS(values) + start;
        return Py_NewRef(values);
    }
    if (PyRange_Check(values)) {
        PyObject *part = PySequence_GetSlice(values, start, start + count);
        list = part == NULL ? NULL : PySequence_List(part);
        Py_XDECREF(part);
    } else {
        list = PyList_New(count);
        for (Py_ssize_t index = 0; list != NULL && index < count; index++) {
            PyObject *value = PySequence_GetItem(values, start + index);
            if (value != NULL) {
                PyList_SET_ITEM(list, index, value);
            } else {
                Py_CLEAR(list);
                host_fail_at(host, index, -1);
            }
        }
    }
    if (list != NULL) *items = PySequence_Fast_ITEMS(list);
    return list;
}

static int collection_call(Host *host, const millstream_request *request)
{
    PyObject *values = host->second_extra;
    Py_ssize_t count = PySequence_Size(values);
    if (count < 0) return -1;
    if (request->operation == MILLSTREAM_OPERATION_SNAPSHOT) return 0;
    if (request->operation == MILLSTREAM_OPERATION_RESTORE) {
        if (request->integer_count == 0 || request->integers[0] <= count) return 0;
        PyErr_Format(PyExc_ValueError, "the collection has %zd values, and %lld had been read before the checkpoint", count, (long long)request->integers[0]);
        return host_fail_at(host, -1, -1);
    }
    int64_t start = request->integer_count > 1 ? request->integers[1] : host->position;
    if (start < 0 || start > count) start = count;
    Py_ssize_t slice = (Py_ssize_t)(count - start < read_limit(request) ? count - start : read_limit(request));
    host->record_count = start;
    if (slice > 0) {
        PyObject *const *items;
        if (row_builder_reserve(&host->builder, slice) < 0) return -1;
        PyObject *part = read_slice(host, values, start, slice, &items);
        if (part == NULL) return -1;
        Py_ssize_t appended = row_builder_append(&host->builder, items, slice);
        Py_DECREF(part);
        if (appended < slice) {
            row_builder_reset(&host->builder);
            return host_fail_at(host, appended, -1);
        }
        if (host_send(&host->builder, slice, request->response, NULL, NULL, NULL, NULL) < 0) return -1;
    }
    host->position = start + slice;
    if (host->position >= count) millstream_response_end(request->response);
    return 0;
}

static const HostKind collection_kind = {.prepare = builder_prepare, .call = collection_call};

PyObject *make_collection(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"values", "schema", "name", NULL};
    PyObject *values, *text, *name;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUU:collection", names, &values, &text, &name)) return NULL;
    if (PySequence_Size(values) < 0) return NULL;
    Host *host = (Host *)make_reading(&collection_kind, NULL, text, name);
    if (host == NULL) return NULL;
    host->second_extra = Py_NewRef(values);
    host->capabilities = MILLSTREAM_CAN_SNAPSHOT;
    return function_wrap(host);
}

/* ---- A sink function ---- */

static int sink_prepare(Host *host)
{
    attach_context(host);
    return row_reader_make(&host->reader, host->input);
}

static int columns_sink_prepare(Host *host) { return attach_context(host), 0; }

static PyObject *read_rows(Host *host, const millstream_request *request)
{
    if (row_reader_bind(&host->reader, request->columns, request->schema) < 0) return NULL;
    PyObject *list = PyList_New((Py_ssize_t)request->count);
    for (int64_t row = 0; list != NULL && row < request->count; row++) {
        PyObject *value = row_reader_get(&host->reader, row, request->row_kinds == NULL ? 0 : request->row_kinds[row]);
        if (value == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, row, value);
    }
    return list;
}

static int sink_call(Host *host, const millstream_request *request);

static const HostKind sink_kind = {
    .prepare = sink_prepare, .call = sink_call, .clear = endpoint_clear, .set_request = process_set_request};
/* A sink of columns reads no rows. */
static const HostKind columns_sink_kind = {
    .prepare = columns_sink_prepare, .call = sink_call, .clear = endpoint_clear, .set_request = process_set_request};

/* flush(end_of_input) -> committables as bytes. */
static int answer_committables(PyObject *result, const millstream_request *request)
{
    PyObject *list = PySequence_Fast(result, "a committing sink's flush gives a sequence of bytes");
    int status = list == NULL ? -1 : 0;
    for (Py_ssize_t index = 0; status == 0 && index < PySequence_Fast_GET_SIZE(list); index++)
        status = answer_payload(PySequence_Fast_GET_ITEM(list, index), request);
    Py_XDECREF(list);
    return status;
}

/* commit(list of bytes) -> (number of the outcome, message or None) for each. */
static int sink_commit(Host *host, const millstream_request *request)
{
    /* An instance for commits is not opened, but closed. */
    host->is_open = true;
    PyObject *callable = stage_callable(&host->stages[0], 4), *list = PyList_New(request->payload_count);
    for (int32_t index = 0; list != NULL && index < request->payload_count; index++) {
        PyObject *payload = payload_bytes(&request->payloads[index]);
        if (payload == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, index, payload);
    }
    PyObject *result = list == NULL || callable == NULL ? NULL : PyObject_CallOneArg(callable, list);
    Py_XDECREF(list);
    if (result == NULL) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a committing sink has no commit");
        return host_fail_at(host, -1, 0);
    }
    PyObject *answers = PySequence_Fast(result, "commit gives a sequence of answers");
    int status = answers == NULL ? -1 : 0;
    for (Py_ssize_t index = 0; status == 0 && index < PySequence_Fast_GET_SIZE(answers); index++) {
        PyObject *answer = PySequence_Fast_GET_ITEM(answers, index);
        int outcome;
        const char *message;
        if (!PyTuple_Check(answer)) PyErr_Format(PyExc_TypeError, "an answer is (number, message), not %.100s", Py_TYPE(answer)->tp_name);
        else if (PyArg_ParseTuple(answer, "iz", &outcome, &message)) millstream_response_outcome(request->response, (millstream_commit_outcome)outcome, message);
        if (PyErr_Occurred()) status = -1;
    }
    Py_XDECREF(answers);
    Py_DECREF(result);
    return status;
}

static int sink_call(Host *host, const millstream_request *request)
{
    if (request->operation == MILLSTREAM_OPERATION_SNAPSHOT) return endpoint_snapshot(host, request, stage_callable(&host->stages[0], 2));
    if (request->operation == MILLSTREAM_OPERATION_RESTORE) return endpoint_restore(host, request, stage_callable(&host->stages[0], 3));
    if (request->operation == MILLSTREAM_OPERATION_COMMIT) return sink_commit(host, request);
    bool is_flush = request->operation == MILLSTREAM_OPERATION_FLUSH;
    PyObject *callable = stage_callable(&host->stages[0], is_flush ? 1 : 0);
    if (callable == NULL) return 0;
    PyObject *argument = is_flush                           ? PyBool_FromLong(request->integer_count > 0 && request->integers[0] != 0)
                       : host->kind == &columns_sink_kind ? arrow_columns(host, request)
                                                           : read_rows(host, request);
    process_set_request(host, request);
    PyObject *result = argument == NULL ? NULL : PyObject_CallOneArg(callable, argument);
    process_set_request(host, NULL);
    Py_XDECREF(argument);
    if (result == NULL) return host_fail_at(host, -1, 0);
    int status = is_flush && host->capabilities & MILLSTREAM_CAN_COMMIT ? answer_committables(result, request) : 0;
    Py_DECREF(result);
    return status;
}

PyObject *make_sink(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"write", "schema", "name", "context", "takes_columns", "commits", NULL};
    PyObject *write, *text, *name, *context = Py_None;
    int takes_columns = 0, commits = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OUU|$Opp:sink", names, &write, &text, &name, &context, &takes_columns, &commits)) return NULL;
    Host *host = host_new(takes_columns ? &columns_sink_kind : &sink_kind, 1, name);
    bool is_made = host != NULL && (host->input = schema_from_object(text)) != NULL
                && host_set_stage(host, 0, STAGE_OTHER, write, name, NULL, PyTuple_Check(write) ? (int)PyTuple_GET_SIZE(write) : 1) == 0 && take_context_class(host, context);
    if (is_made && commits) host->capabilities = MILLSTREAM_CAN_SNAPSHOT | MILLSTREAM_CAN_COMMIT;
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}
