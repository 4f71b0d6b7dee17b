/* The context of process and window functions: PyFlink's names, each one call into the engine. */

#include "errors.h"
#include "process.h"

millstream_state *context_state(ContextObject *context, int64_t *row)
{
    if (context->request == NULL || context->host == NULL || context->host->rows == NULL) {
        error_raise(MILLSTREAM_INVALID_STATE, NULL, "state and timers can only be used inside process_element, process and on_timer");
        return NULL;
    }
    if (context->request->state == NULL) {
        error_raise(MILLSTREAM_INVALID_STATE, NULL, "state and timers need a keyed stream: put key_by before process");
        return NULL;
    }
    if (context->request->operation == MILLSTREAM_OPERATION_OPEN) {
        error_raise(MILLSTREAM_INVALID_STATE, NULL, "state and timers belong to a key, and in open there is none");
        return NULL;
    }
    *row = context->selected_row > 0 ? context->selected_row - 1 : context->host->rows->next - 1;
    return context->request->state;
}

millstream_state *context_operator_state(ContextObject *context)
{
    if (context->request != NULL && context->request->state != NULL) return context->request->state;
    error_raise(MILLSTREAM_INVALID_STATE, NULL, "operator state can only be used while the function is opened or called");
    return NULL;
}

PyObject *context_apply_to_keys(ContextObject *self, PyObject *arguments)
{
    PyObject *function, *state;
    int index;
    if (!PyArg_ParseTuple(arguments, "OiO:apply_to_keys", &function, &index, &state)) return NULL;
    millstream_state *access = context_operator_state(self);
    if (access == NULL) return NULL;
    if (self->host->keys == NULL) return error_raise(MILLSTREAM_INVALID_STATE, NULL, "apply_to_keyed_state needs a keyed stream: put key_by before connect"), NULL;
    int64_t first = 0, count = 0;
    struct ArrowArray keys = {0};
    struct ArrowSchema schema = {0};
    millstream_error *error = NULL;
    millstream_status status = millstream_state_select_keys(access, index, &first, &count, &keys, &schema, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    /* All keys are read first: the reader serves the rows of the request as well. */
    PyObject *list = PyList_New((Py_ssize_t)count);
    bool is_read = list != NULL && (count == 0 || row_reader_bind(&self->host->second_reader, &keys, &schema) == 0);
    for (int64_t row = 0; is_read && row < count; row++) {
        PyObject *key = row_reader_get(&self->host->second_reader, row, 0);
        is_read = key != NULL;
        if (is_read) PyList_SET_ITEM(list, (Py_ssize_t)row, key);
    }
    if (keys.release != NULL) keys.release(&keys);
    if (schema.release != NULL) schema.release(&schema);
    int64_t before = self->selected_row;
    for (int64_t row = 0; is_read && row < count; row++) {
        self->selected_row = first + row + 1;
        PyObject *result = PyObject_CallFunctionObjArgs(function, PyList_GET_ITEM(list, (Py_ssize_t)row), state, NULL);
        is_read = result != NULL;
        Py_XDECREF(result);
    }
    self->selected_row = before;
    Py_XDECREF(list);
    if (!is_read) return NULL;
    Py_RETURN_NONE;
}

static const millstream_request *running(ContextObject *context)
{
    if (context->request == NULL) error_raise(MILLSTREAM_INVALID_STATE, NULL, "the context can only be used inside process_element, process and on_timer");
    return context->request;
}

static PyObject *context_timestamp(ContextObject *self, PyObject *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    if (request == NULL) return NULL;
    int64_t timestamp = request->timestamps == NULL ? INT64_MIN : request->timestamps[self->host->rows->next - 1];
    if (timestamp == INT64_MIN) Py_RETURN_NONE;
    return PyLong_FromLongLong(timestamp);
}

static PyObject *context_key(ContextObject *self, PyObject *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    if (request == NULL) return NULL;
    if (request->keys == NULL || self->host->keys == NULL) Py_RETURN_NONE;
    return row_reader_get(&self->host->second_reader, self->host->rows->next - 1, 0);
}

static PyObject *context_timer_service(PyObject *self, PyObject *unused) { return (void)unused, Py_NewRef(self); }

static PyObject *context_watermark(ContextObject *self, PyObject *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    if (request == NULL) return NULL;
    return PyLong_FromLongLong(request->state == NULL ? INT64_MIN : millstream_state_watermark(request->state));
}

static PyObject *context_processing_time(ContextObject *self, PyObject *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    if (request == NULL) return NULL;
    if (request->state != NULL) return PyLong_FromLongLong(millstream_state_processing_time(request->state));
    PyObject *time_module = PyImport_ImportModule("time");
    PyObject *nanoseconds = time_module == NULL ? NULL : PyObject_CallMethod(time_module, "time_ns", NULL);
    long long now = nanoseconds == NULL ? 0 : PyLong_AsLongLong(nanoseconds);
    Py_XDECREF(nanoseconds);
    Py_XDECREF(time_module);
    return PyErr_Occurred() ? NULL : PyLong_FromLongLong(now / 1000000);
}

typedef millstream_status (*TimerCall)(millstream_state *, int64_t, millstream_time_domain, int64_t, millstream_error **);

static PyObject *call_timer(ContextObject *self, PyObject *timestamp, TimerCall call, millstream_time_domain domain)
{
    int64_t row;
    millstream_state *state = context_state(self, &row);
    if (state == NULL) return NULL;
    PyObject *number = PyFloat_Check(timestamp) && PyFloat_AS_DOUBLE(timestamp) == (double)(int64_t)PyFloat_AS_DOUBLE(timestamp)
                         ? PyNumber_Long(timestamp)
                         : PyNumber_Index(timestamp);
    int overflow = 0;
    long long milliseconds = number == NULL ? 0 : PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_XDECREF(number);
    if (number == NULL) {
        PyObject *shown = PyErr_ExceptionMatches(PyExc_TypeError) ? error_representation(timestamp) : NULL;
        if (shown != NULL) PyErr_Format(PyExc_TypeError, "a timer's timestamp is an int of milliseconds, not %U (%.100s)", shown, Py_TYPE(timestamp)->tp_name);
        Py_XDECREF(shown);
        return NULL;
    }
    if (overflow != 0) {
        error_raise(MILLSTREAM_EVENT_TIME, NULL, "a timer's timestamp is an int of milliseconds within 64 bits");
        return NULL;
    }
    millstream_error *error = NULL;
    millstream_status status = call(state, row, domain, milliseconds, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_RETURN_NONE;
}

static PyObject *register_event(ContextObject *self, PyObject *timestamp)
{
    return call_timer(self, timestamp, millstream_timer_register, MILLSTREAM_EVENT_TIME_DOMAIN);
}
static PyObject *register_processing(ContextObject *self, PyObject *timestamp)
{
    return call_timer(self, timestamp, millstream_timer_register, MILLSTREAM_PROCESSING_TIME_DOMAIN);
}
static PyObject *delete_event(ContextObject *self, PyObject *timestamp)
{
    return call_timer(self, timestamp, millstream_timer_delete, MILLSTREAM_EVENT_TIME_DOMAIN);
}
static PyObject *delete_processing(ContextObject *self, PyObject *timestamp)
{
    return call_timer(self, timestamp, millstream_timer_delete, MILLSTREAM_PROCESSING_TIME_DOMAIN);
}

static PyObject *context_time_domain(ContextObject *self, PyObject *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    if (request == NULL) return NULL;
    return PyLong_FromLongLong(request->integer_count > 0 ? request->integers[0] : 0);
}

/* emit(values, timestamp) */
static PyObject *context_emit(ContextObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (running(self) == NULL) return NULL;
    if (count != 2) return PyErr_SetString(PyExc_TypeError, "emit takes values and a timestamp"), NULL;
    int64_t timestamp = STAMP_OF_PARENT;
    if (arguments[1] != Py_None) {
        timestamp = PyLong_AsLongLong(arguments[1]);
        if (timestamp == -1 && PyErr_Occurred()) return NULL;
    }
    if (rows_take_result_at(self->host->rows, arguments[0], timestamp) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *window_bound(ContextObject *self, const int64_t *bounds)
{
    if (bounds == NULL) Py_RETURN_NONE;
    return PyLong_FromLongLong(bounds[self->host->rows->next - 1]);
}

static PyObject *window_start(ContextObject *self, void *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    return request == NULL ? NULL : window_bound(self, request->window_starts);
}

static PyObject *window_end(ContextObject *self, void *unused)
{
    (void)unused;
    const millstream_request *request = running(self);
    return request == NULL ? NULL : window_bound(self, request->window_ends);
}

static PyObject *window_make(ContextObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *start = window_start(self, NULL);
    PyObject *end = start == NULL ? NULL : window_end(self, NULL);
    PyObject *window = end == NULL ? NULL : self->make_window == NULL ? PyTuple_Pack(2, start, end) : PyObject_CallFunctionObjArgs(self->make_window, start, end, NULL);
    Py_XDECREF(start);
    Py_XDECREF(end);
    return window;
}

static int context_traverse(ContextObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->dictionary);
    Py_VISIT(self->make_window);
    return 0;
}

static int context_clear(ContextObject *self)
{
    Py_CLEAR(self->dictionary);
    Py_CLEAR(self->make_window);
    return 0;
}

static void context_dealloc(ContextObject *self)
{
    PyObject_GC_UnTrack(self);
    context_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* declare_operator_state(name, kind, value_schema, key_schema) */
static PyObject *context_declare(ContextObject *self, PyObject *arguments)
{
    millstream_state_declaration declaration = {0};
    if (state_declaration_read(arguments, &declaration) < 0) return NULL;
    millstream_state *state = context_operator_state(self);
    if (state == NULL) return NULL;
    int32_t index = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_state_declare(state, &declaration, &index, &error);
    return status == MILLSTREAM_OK ? PyLong_FromLong(index) : error_raise_engine(status, error);
}

static PyMethodDef context_methods[] = {
    {"timestamp", (PyCFunction)context_timestamp, METH_NOARGS, "Milliseconds of the current element or timer; None if it has none."},
    {"get_current_key", (PyCFunction)context_key, METH_NOARGS, "The key of the current element or timer."},
    {"timer_service", context_timer_service, METH_NOARGS, "The context itself."},
    {"current_watermark", (PyCFunction)context_watermark, METH_NOARGS, "Milliseconds."},
    {"current_processing_time", (PyCFunction)context_processing_time, METH_NOARGS, "Milliseconds."},
    {"register_event_time_timer", (PyCFunction)register_event, METH_O, "Calls on_timer when the watermark passes the timestamp."},
    {"register_processing_time_timer", (PyCFunction)register_processing, METH_O, "Calls on_timer when the clock passes the timestamp."},
    {"delete_event_time_timer", (PyCFunction)delete_event, METH_O, "Does nothing if there is no such timer."},
    {"delete_processing_time_timer", (PyCFunction)delete_processing, METH_O, "Does nothing if there is no such timer."},
    {"emit", (PyCFunction)(void (*)(void))context_emit, METH_FASTCALL, "Gives results with a timestamp of their own, at once."},
    {"apply_to_keys", (PyCFunction)context_apply_to_keys, METH_VARARGS, "function(key, state) for each key that has something in a state."},
    {"declare_operator_state", (PyCFunction)context_declare, METH_VARARGS, "While the function is opened: the number of an operator state."},
    {"time_domain", (PyCFunction)context_time_domain, METH_NOARGS, "In on_timer: 0 event time, 1 processing time."},
    {NULL, NULL, 0, NULL},
};


PyTypeObject Context_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Context",
    .tp_doc = "The context of a process function; only valid inside process_element and on_timer.",
    .tp_basicsize = sizeof(ContextObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)context_traverse,
    .tp_clear = (inquiry)context_clear,
    .tp_dealloc = (destructor)context_dealloc,
    .tp_dictoffset = offsetof(ContextObject, dictionary),
    .tp_methods = context_methods,
};

static PyMethodDef window_methods[] = {{"window", (PyCFunction)window_make, METH_NOARGS, "The window that fires."}, {NULL, NULL, 0, NULL}};

static PyGetSetDef window_attributes[] = {
    {"window_start", (getter)window_start, NULL, "Milliseconds; None for count windows.", NULL},
    {"window_end", (getter)window_end, NULL, "Milliseconds, exclusive; None for count windows.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject WindowContext_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.WindowContext",
    .tp_doc = "The context of a window function; only valid inside process.",
    .tp_basicsize = sizeof(ContextObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_base = &Context_Type,
    .tp_new = PyType_GenericNew,
    .tp_traverse = (traverseproc)context_traverse,
    .tp_clear = (inquiry)context_clear,
    .tp_dealloc = (destructor)context_dealloc,
    .tp_methods = window_methods,
    .tp_getset = window_attributes,
};

int process_add_types(PyObject *module)
{
    if (PyType_Ready(&Context_Type) < 0 || PyType_Ready(&WindowContext_Type) < 0) return -1;
    if (PyModule_AddObject(module, "Context", Py_NewRef(&Context_Type)) < 0) return -1;
    return PyModule_AddObject(module, "WindowContext", Py_NewRef(&WindowContext_Type));
}
