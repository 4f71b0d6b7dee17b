/* An environment: options, node properties, text output, execution. */
#include "environment.h"

#include <string.h>

#include "errors.h"
#include "gate.h"
#include "host.h"
#include "objects.h"

bool environment_check(EnvironmentObject *self)
{
    if (!gate_check()) return false;
    if (self->handle != NULL) return true;
    error_raise(MILLSTREAM_INVALID_HANDLE, NULL, "the environment was closed");
    return false;
}

PyObject *node_result(millstream_status status, millstream_error *error, millstream_node node)
{
    return status == MILLSTREAM_OK ? PyLong_FromLong(node) : error_raise_engine(status, error);
}

PyObject *take_text(char *text)
{
    PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    millstream_string_free(text);
    return result;
}

static PyObject *done(millstream_status status, millstream_error *error)
{
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_RETURN_NONE;
}

static PyObject *environment_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, ":Environment", names) || !gate_check()) return NULL;
    EnvironmentObject *self = (EnvironmentObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_environment_create(&self->handle, &error);
    if (status == MILLSTREAM_OK) return (PyObject *)self;
    Py_DECREF(self);
    return error_raise_engine(status, error);
}

static PyObject *environment_close(EnvironmentObject *self, PyObject *unused)
{
    (void)unused;
    millstream_environment *handle = self->handle;
    self->handle = NULL;
    if (handle != NULL && gate_is_usable()) {
        Py_BEGIN_ALLOW_THREADS
        millstream_environment_free(handle);
        Py_END_ALLOW_THREADS
    }
    Py_CLEAR(self->text_output);
    objects_drain();
    Py_RETURN_NONE;
}

static void environment_dealloc(EnvironmentObject *self)
{
    PyObject_GC_UnTrack(self);
    PyObject *closed = environment_close(self, NULL);
    Py_XDECREF(closed);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static int environment_traverse(EnvironmentObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->text_output);
    return 0;
}

static PyObject *environment_configure(EnvironmentObject *self, PyObject *arguments)
{
    const char *key, *value;
    if (!PyArg_ParseTuple(arguments, "ss:configure", &key, &value) || !environment_check(self)) return NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_environment_configure(self->handle, key, value, &error);
    return done(status, error);
}

static PyObject *environment_plan_json(EnvironmentObject *self, PyObject *unused)
{
    (void)unused;
    if (!environment_check(self)) return NULL;
    char *json = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_environment_plan_json(self->handle, &json, &error);
    return status == MILLSTREAM_OK ? take_text(json) : error_raise_engine(status, error);
}

static PyObject *environment_plan_diff(EnvironmentObject *self, PyObject *path)
{
    const char *text = PyUnicode_AsUTF8(path);
    if (text == NULL || !environment_check(self)) return NULL;
    char *json = NULL;
    millstream_error *error = NULL;
    millstream_status status;
    Py_BEGIN_ALLOW_THREADS
    status = millstream_environment_plan_diff(self->handle, text, &json, &error);
    Py_END_ALLOW_THREADS
    return status == MILLSTREAM_OK ? take_text(json) : error_raise_engine(status, error);
}

static PyObject *environment_set(EnvironmentObject *self, PyObject *arguments)
{
    int node;
    const char *key, *value;
    if (!PyArg_ParseTuple(arguments, "iss:set", &node, &key, &value) || !environment_check(self)) return NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_node_set(self->handle, node, key, value, &error);
    return done(status, error);
}

static PyObject *environment_add_side_output(EnvironmentObject *self, PyObject *arguments)
{
    int node;
    const char *tag, *schema;
    if (!PyArg_ParseTuple(arguments, "iss:add_side_output", &node, &tag, &schema) || !environment_check(self)) return NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_node_add_side_output(self->handle, node, tag, schema, &error);
    return done(status, error);
}

static PyObject *environment_schema(EnvironmentObject *self, PyObject *node)
{
    long number = PyLong_AsLong(node);
    if (PyErr_Occurred() || !environment_check(self)) return NULL;
    char *schema = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_node_schema(self->handle, (millstream_node)number, &schema, &error);
    return status == MILLSTREAM_OK ? take_text(schema) : error_raise_engine(status, error);
}

/* ---- Text output: the context is the callable, which the environment and its jobs hold ---- */

static int32_t write_text(void *context, int32_t stream, const char *text, intptr_t length, millstream_response *response)
{
    PyGILState_STATE state;
    if (!gate_enter(&state)) return 1;
    PyObject *result = PyObject_CallFunction(context, "is#", (int)stream, text, (Py_ssize_t)length);
    bool is_written = result != NULL;
    if (!is_written) host_report_text(response);
    Py_XDECREF(result);
    gate_leave(state);
    return is_written ? 0 : 1;
}

static PyObject *environment_set_text_output(EnvironmentObject *self, PyObject *write)
{
    if (!environment_check(self)) return NULL;
    bool is_reset = write == Py_None;
    if (!is_reset && !PyCallable_Check(write)) return PyErr_Format(PyExc_TypeError, "write is a function or None");
    millstream_error *error = NULL;
    millstream_status status = millstream_environment_set_text_output(self->handle, is_reset ? NULL : write_text, is_reset ? NULL : write, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    Py_XSETREF(self->text_output, is_reset ? NULL : Py_NewRef(write));
    Py_RETURN_NONE;
}

static PyObject *environment_execute(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"job_name", "places", NULL};
    const char *text;
    PyObject *places = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "s|O!:execute", names, &text, &PyDict_Type, &places)) return NULL;
    if (!environment_check(self) || !gate_check_may_wait("start a job")) return NULL;
    millstream_job *job = NULL;
    millstream_error *error = NULL;
    millstream_status status;
    Py_BEGIN_ALLOW_THREADS
    status = millstream_environment_execute(self->handle, text, &job, &error);
    Py_END_ALLOW_THREADS
    return status == MILLSTREAM_OK ? job_wrap(job, self->text_output, places) : error_raise_engine(status, error);
}

/* ---- For sources and operators ---- */

bool read_watermarks(PyObject *object, const millstream_watermarks **watermarks)
{
    *watermarks = NULL;
    if (object == NULL || object == Py_None) return true;
    if (Py_TYPE(object) == &Watermarks_Type) {
        *watermarks = &((WatermarksObject *)object)->watermarks;
        return true;
    }
    PyErr_Format(PyExc_TypeError, "watermarks is a Watermarks or None, not %.100s", Py_TYPE(object)->tp_name);
    return false;
}

const char **read_options(PyObject *options, PyObject **held)
{
    *held = PyMapping_Items(options);
    if (*held == NULL) return NULL;
    Py_ssize_t count = PyList_GET_SIZE(*held);
    const char **pairs = PyMem_Calloc((size_t)count * 2 + 1, sizeof *pairs);
    if (pairs == NULL) PyErr_NoMemory();
    for (Py_ssize_t index = 0; pairs != NULL && index < count; index++) {
        if (PyArg_ParseTuple(PyList_GET_ITEM(*held, index), "ss:option", &pairs[2 * index], &pairs[2 * index + 1])) continue;
        PyMem_Free(pairs);
        pairs = NULL;
    }
    if (pairs == NULL) Py_CLEAR(*held);
    return pairs;
}

#define NODE(name, function, doc) {name, (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS, doc}

static PyMethodDef environment_methods[] = {
    {"close", (PyCFunction)environment_close, METH_NOARGS, "Frees the environment; jobs go on."},
    {"configure", (PyCFunction)environment_configure, METH_VARARGS, "Sets an option by Flink's key."},
    {"plan_diff", (PyCFunction)environment_plan_diff, METH_O, "What becomes of a savepoint's state in the job, as JSON."},
    {"plan_json", (PyCFunction)environment_plan_json, METH_NOARGS, "The plan as JSON."},
    {"set", (PyCFunction)environment_set, METH_VARARGS, "Sets a property of a node."},
    {"add_side_output", (PyCFunction)environment_add_side_output, METH_VARARGS, "Declares a side output of a node."},
    {"schema", (PyCFunction)environment_schema, METH_O, "A node's output schema."},
    {"set_text_output", (PyCFunction)environment_set_text_output, METH_O, "Where printing goes: write(stream, text)."},
    {"set_clock", (PyCFunction)environment_set_clock, METH_O, "The clock of the jobs that start from now on; None: the machine's."},
    {"execute", (PyCFunction)(void (*)(void))environment_execute, METH_VARARGS | METH_KEYWORDS, "Starts a job and returns at once."},
    NODE("source_sequence", source_sequence, "The numbers first ... last."),
    NODE("source_generator", source_generator, "Expressions over the row's number."),
    NODE("source_files", source_files, "Files, directories and globs."),
    NODE("source_socket", source_socket, "Lines from a socket."),
    NODE("source_arrow", source_arrow, "An Arrow stream."),
    NODE("source_function", source_function, "A source of the program."),
    NODE("transform", operator_transform, "Calls a function."),
    NODE("key_selector", operator_key_selector, "Appends key columns."),
    NODE("project", operator_project, "Expressions."),
    NODE("filter", operator_filter, "Rows for which the condition is true."),
    NODE("assign_timestamps", operator_assign_timestamps, "Timestamps and watermarks."),
    NODE("union", operator_union, "Rows of all inputs."),
    NODE("reduce", operator_reduce, "Reduces per key, and gives the running value."),
    NODE("rolling", operator_rolling, "Sum, minimum or maximum so far, per key."),
    NODE("process", operator_process, "A process function."),
    NODE("co_process", operator_co_process, "A process function over connected streams."),
    NODE("asynchronous", operator_asynchronous, "A function that is done with a row some time later."),
    NODE("window", operator_window, "A window operator."),
    NODE("sink_print", sink_print, "Prints rows."),
    NODE("sink_files", sink_files, "Writes files."),
    NODE("sink_collect", sink_collect, "Gives rows to Job.collect."),
    NODE("sink_blackhole", sink_blackhole, "Drops rows."),
    NODE("sink_function", sink_function, "A sink of the program."),
    {NULL, NULL, 0, NULL},
};

PyTypeObject Environment_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Environment",
    .tp_doc = "A job under construction. Methods that add a node give its number.",
    .tp_basicsize = sizeof(EnvironmentObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = environment_new,
    .tp_dealloc = (destructor)environment_dealloc,
    .tp_traverse = (traverseproc)environment_traverse,
    .tp_methods = environment_methods,
};
