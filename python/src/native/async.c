/* ASYNC_START and ASYNC_POLL: rows go to coroutines as Python values, and what they give comes back some time later. */
#include <stdlib.h>

#include "errors.h"
#include "gate.h"
#include "host.h"
#include "kinds.h"

/* ---- Notifier ---- */

typedef struct Notifier {
    PyObject_HEAD
    millstream_notifier *handle;
} Notifier;

/* The engine knows a handle whose node has ended. Its locks are held for moments, by nobody who waits for the GIL. */
static PyObject *notifier_call(Notifier *self, PyObject *arguments, PyObject *keywords)
{
    (void)arguments, (void)keywords;
    if (gate_is_usable()) millstream_notify(self->handle);
    Py_RETURN_NONE;
}

PyTypeObject Notifier_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Notifier",
    .tp_doc = "Tells a subtask that results can be asked for, from any thread.",
    .tp_basicsize = sizeof(Notifier),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_call = (ternaryfunc)notifier_call,
};

static PyObject *notifier_of(Host *host, const millstream_request *request)
{
    if (host->second_extra != NULL) return host->second_extra;
    Notifier *notifier = PyObject_New(Notifier, &Notifier_Type);
    if (notifier == NULL) return NULL;
    notifier->handle = request->notifier;
    host->second_extra = (PyObject *)notifier;
    return host->second_extra;
}

/* ---- Rows to coroutines ---- */

static int async_prepare(Host *host)
{
    if (stage_callable(&host->stages[0], 1) == NULL) return PyErr_SetString(PyExc_TypeError, "make() gives ((start, poll), open, close)"), -1;
    return row_reader_make(&host->reader, host->input) < 0 ? -1 : row_builder_make(&host->builder, host->output, NULL);
}

static int read_rows(Host *host, const millstream_request *request, PyObject *slots, PyObject *values)
{
    for (int64_t row = 0; row < request->count; row++) {
        PyObject *slot = PyLong_FromLong(request->slots[row]);
        PyObject *value = slot == NULL ? NULL : row_reader_get(&host->reader, row, request->row_kinds == NULL ? 0 : request->row_kinds[row]);
        if (value == NULL) {
            Py_XDECREF(slot);
            return host_fail_at(host, row, 0);
        }
        PyList_SET_ITEM(slots, row, slot);
        PyList_SET_ITEM(values, row, value);
    }
    return 0;
}

/* start(notify, slots, values, epoch, number of the first record) */
static int async_start(Host *host, const millstream_request *request)
{
    PyObject *notifier = notifier_of(host, request);
    if (notifier == NULL || row_reader_bind(&host->reader, request->columns, request->schema) < 0) return -1;
    PyObject *slots = PyList_New((Py_ssize_t)request->count), *values = PyList_New((Py_ssize_t)request->count);
    PyObject *result = NULL;
    if (slots != NULL && values != NULL && read_rows(host, request, slots, values) == 0) {
        long long epoch = request->integer_count > 0 ? request->integers[0] : 0;
        result = PyObject_CallFunction(
            stage_callable(&host->stages[0], 0), "OOOLL", notifier, slots, values, epoch, (long long)host->record_count);
    }
    Py_XDECREF(slots);
    Py_XDECREF(values);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* ---- What they gave ---- */

static int32_t *read_slots(PyObject *slots)
{
    Py_ssize_t count = PyList_GET_SIZE(slots);
    int32_t *numbers = malloc(sizeof(int32_t) * (size_t)(count + 1));
    if (numbers == NULL) return (int32_t *)PyErr_NoMemory();
    for (Py_ssize_t index = 0; index < count; index++) numbers[index] = (int32_t)PyLong_AsLong(PyList_GET_ITEM(slots, index));
    if (!PyErr_Occurred()) return numbers;
    free(numbers);
    return NULL;
}

/* The failing row's value of `records`, (record, value) by output, goes into the message. */
static int fail_at_output(Host *host, int32_t slot, PyObject *record)
{
    /* Notes count from the request's first row; here rows come from anywhere. */
    host->record_count = PyLong_AsLongLong(PyTuple_GET_ITEM(record, 0)) - slot;
    Py_XSETREF(host->failed_value, Py_NewRef(PyTuple_GET_ITEM(record, 1)));
    return host_fail_at(host, slot, 0);
}

/* Emits the values; those before one that is not of the declared type go ahead of the failure. */
static int emit_values(Host *host, millstream_response *response, PyObject *values, PyObject *slots, PyObject *records)
{
    Py_ssize_t count = PyList_GET_SIZE(values);
    if (count == 0) return 0;
    int32_t *parents = read_slots(slots);
    if (parents == NULL) return -1;
    Py_ssize_t appended = row_builder_append(&host->builder, ((PyListObject *)values)->ob_item, count);
    PyObject *raised = appended < count ? error_take() : NULL;
    int status = 0;
    if (raised != NULL) row_builder_truncate(&host->builder, appended);
    if (appended > 0) status = host_send(&host->builder, appended, response, NULL, parents, NULL, NULL);
    else row_builder_reset(&host->builder);
    if (raised != NULL) {
        PyErr_Clear();
        error_restore(raised);
        status = fail_at_output(host, parents[appended], PyList_GET_ITEM(records, appended));
    }
    free(parents);
    return status;
}

/* poll(epoch) -> (values, their slots, their (record, value), slots that are free, whether there is more, None or (exception, slot, (record, value))) */
static int async_poll(Host *host, const millstream_request *request)
{
    PyObject *found = PyObject_CallFunction(stage_callable(&host->stages[0], 1), "L", (long long)(request->integer_count > 0 ? request->integers[0] : 0));
    PyObject *values, *slots, *records, *done, *failed;
    int more, status = -1;
    if (found != NULL && PyArg_ParseTuple(found, "O!O!O!O!pO:poll", &PyList_Type, &values, &PyList_Type, &slots, &PyList_Type, &records, &PyList_Type, &done,
            &more, &failed)) status = emit_values(host, request->response, values, slots, records);
    for (Py_ssize_t index = 0; status == 0 && index < PyList_GET_SIZE(done); index++) {
        millstream_response_integer(request->response, PyLong_AsLongLong(PyList_GET_ITEM(done, index)));
    }
    if (status == 0 && more) millstream_response_resume(request->response, 1);
    if (status == 0 && failed != Py_None) {
        PyObject *exception, *record;
        int slot;
        if (PyArg_ParseTuple(failed, "OiO!:poll", &exception, &slot, &PyTuple_Type, &record)) {
            error_restore(Py_NewRef(exception));
            status = fail_at_output(host, slot, record);
        }
        status = -1;
    }
    Py_XDECREF(found);
    return status;
}

static int async_call(Host *host, const millstream_request *request)
{
    return request->operation == MILLSTREAM_OPERATION_ASYNC_START ? async_start(host, request) : async_poll(host, request);
}

static const HostKind async_kind = {.prepare = async_prepare, .call = async_call};

PyObject *make_asynchronous(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    (void)module;
    static char *names[] = {"make", "schema", "output_schema", "name", NULL};
    PyObject *make, *input, *output, *name;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!UUU:asynchronous", names, &PerSubtask_Type, &make, &input, &output, &name)) return NULL;
    Host *host = host_new(&async_kind, 1, name);
    bool is_made = host != NULL && (host->input = schema_from_object(input)) != NULL && (host->output = schema_from_object(output)) != NULL
                && host_set_stage(host, 0, STAGE_OTHER, make, name, host->output, 2) == 0;
    if (is_made) return function_wrap(host);
    host_free(host);
    return NULL;
}
