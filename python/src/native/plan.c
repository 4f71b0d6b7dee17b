/* Inputs, watermarks and windows: plain holders of the header's structures. */
#include "plan.h"

#include <stdlib.h>
#include <structmember.h>
#include <string.h>

#include "errors.h"
#include "host.h"

int name_to_number(const char *name, const char *const *names, const char *what)
{
    for (int index = 0; names[index] != NULL; index++) {
        if (strcmp(name, names[index]) == 0) return index;
    }
    PyErr_Format(PyExc_ValueError, "there is no %s '%.100s'", what, name);
    return -1;
}

/* NULL for None. False with a TypeError for anything but a Function. */
static bool read_function(PyObject *object, const char *what, millstream_function **function)
{
    *function = NULL;
    if (object == NULL || object == Py_None) return true;
    if (Py_TYPE(object) == &Function_Type) {
        *function = function_handle(object);
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s is a Function, not %.100s", what, Py_TYPE(object)->tp_name);
    return false;
}

/* ---- Input ---- */

static const char *const partitionings[] = {"FORWARD", "REBALANCE", "RESCALE", "SHUFFLE", "BROADCAST", "GLOBAL", "HASH", "CUSTOM", NULL};

static int read_keys(InputObject *self, PyObject *keys)
{
    PyObject *list = PySequence_Fast(keys, "keys is a sequence of column positions");
    if (list == NULL) return -1;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    self->keys = calloc((size_t)count + 1, sizeof *self->keys);
    for (Py_ssize_t index = 0; self->keys != NULL && index < count; index++) {
        self->keys[index] = (int32_t)PyLong_AsLong(PySequence_Fast_GET_ITEM(list, index));
    }
    Py_DECREF(list);
    self->input.keys = self->keys;
    self->input.key_count = (int32_t)count;
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *input_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"node", "partitioning", "side_output", "keys", "partitioner", NULL};
    int node;
    const char *partitioning = "FORWARD";
    PyObject *side_output = Py_None, *keys = NULL, *partitioner = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "i|s$OOO:Input", names, &node, &partitioning, &side_output, &keys, &partitioner)) return NULL;
    int number = name_to_number(partitioning, partitionings, "partitioning");
    if (number < 0) return NULL;
    if (side_output != Py_None && !PyUnicode_Check(side_output)) return PyErr_SetString(PyExc_TypeError, "side_output is a str or None"), NULL;
    InputObject *self = (InputObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->input.struct_size = sizeof self->input;
    self->input.node = node;
    self->input.partitioning = (millstream_partitioning)number;
    self->side_output = Py_NewRef(side_output);
    self->partitioner = Py_NewRef(partitioner);
    bool is_read = read_function(partitioner, "partitioner", &self->input.partitioner);
    if (is_read && side_output != Py_None) is_read = (self->input.side_output = PyUnicode_AsUTF8(side_output)) != NULL;
    if (is_read && keys != NULL) is_read = read_keys(self, keys) == 0;
    if (is_read) return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void input_dealloc(InputObject *self)
{
    free(self->keys);
    Py_XDECREF(self->side_output);
    Py_XDECREF(self->partitioner);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject Input_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Input",
    .tp_doc = "A stream: a node's output and how its rows are spread over whoever reads it.",
    .tp_basicsize = sizeof(InputObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = input_new,
    .tp_dealloc = (destructor)input_dealloc,
};

/* ---- Watermarks ---- */

static PyObject *watermarks_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[]
        = {"timestamp_column", "timestamps", "out_of_orderness", "generator", "idle_timeout", "max_future_drift", "future_output",
            "alignment_group", "alignment_drift", NULL};
    int column = -1;
    long long bound = -1, idle = -1, drift = 0, alignment = 0;
    PyObject *timestamps = Py_None, *generator = Py_None, *tag = Py_None, *group = Py_None;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "|$iOLOLLOOL:Watermarks", names, &column, &timestamps, &bound, &generator, &idle, &drift, &tag, &group, &alignment)) return NULL;
    if (group != Py_None && !PyUnicode_Check(group)) return PyErr_SetString(PyExc_TypeError, "alignment_group is a str or None"), NULL;
    if (tag != Py_None && !PyUnicode_Check(tag)) return PyErr_SetString(PyExc_TypeError, "future_output is a str or None"), NULL;
    WatermarksObject *self = (WatermarksObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->watermarks = (millstream_watermarks){
        .struct_size = sizeof self->watermarks, .timestamp_column = column, .out_of_orderness = bound, .idle_timeout = idle, .max_future_drift = drift,
        .alignment_drift = alignment};
    self->functions[0] = Py_NewRef(timestamps);
    self->functions[1] = Py_NewRef(generator);
    self->future_output = Py_NewRef(tag);
    self->alignment_group = Py_NewRef(group);
    self->settings = keywords == NULL ? PyDict_New() : Py_NewRef(keywords);
    bool is_read = tag == Py_None || (self->watermarks.future_output = PyUnicode_AsUTF8(tag)) != NULL;
    is_read = is_read && (group == Py_None || (self->watermarks.alignment_group = PyUnicode_AsUTF8(group)) != NULL);
    if (self->settings != NULL && is_read && read_function(timestamps, "timestamps", &self->watermarks.timestamps) && read_function(generator, "generator", &self->watermarks.generator)) {
        return (PyObject *)self;
    }
    Py_DECREF(self);
    return NULL;
}

static void watermarks_dealloc(WatermarksObject *self)
{
    Py_XDECREF(self->functions[0]);
    Py_XDECREF(self->functions[1]);
    Py_XDECREF(self->future_output);
    Py_XDECREF(self->alignment_group);
    Py_XDECREF(self->settings);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef watermarks_members[] = {
    {"settings", T_OBJECT, offsetof(WatermarksObject, settings), READONLY, "The keywords it was made with."}, {NULL, 0, 0, 0, NULL}};

PyTypeObject Watermarks_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Watermarks",
    .tp_doc = "Where timestamps and watermarks come from; milliseconds.",
    .tp_basicsize = sizeof(WatermarksObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = watermarks_new,
    .tp_members = watermarks_members,
    .tp_dealloc = (destructor)watermarks_dealloc,
};

/* ---- Window ---- */

static const char *const window_kinds[] = {"TUMBLING", "SLIDING", "SESSION", "COUNT_WINDOW", "SLIDING_COUNT", NULL};
static const char *const aggregate_kinds[] = {"COUNT_ALL", "COUNT", "SUM", "MIN", "MAX", "AVERAGE", NULL};

static int read_aggregates(WindowObject *self, PyObject *aggregates)
{
    PyObject *list = PySequence_Fast(aggregates, "aggregates is a sequence of (kind, column, name)");
    if (list == NULL || PyList_Append(self->held, list) < 0) return Py_XDECREF(list), -1;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    self->aggregates = calloc((size_t)count + 1, sizeof *self->aggregates);
    int status = self->aggregates == NULL ? -1 : 0;
    for (Py_ssize_t index = 0; status == 0 && index < count; index++) {
        const char *kind;
        PyObject *item = PySequence_Fast_GET_ITEM(list, index);
        millstream_aggregate *aggregate = &self->aggregates[index];
        status = PyTuple_Check(item) && PyArg_ParseTuple(item, "sis:aggregate", &kind, &aggregate->column, &aggregate->name) ? 0 : -1;
        int number = status < 0 ? -1 : name_to_number(kind, aggregate_kinds, "aggregate");
        if (number < 0) status = -1;
        else aggregate->kind = (millstream_aggregate_kind)number;
    }
    if (status < 0 && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "an aggregate is a tuple (kind, column, name)");
    Py_DECREF(list);
    self->window.aggregates = self->aggregates;
    self->window.aggregate_count = (int32_t)count;
    return status;
}

static PyObject *window_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"kind", "size", "slide", "offset", "is_event_time", "allowed_lateness", "late_output", "aggregates", "reduce", "aggregate",
        "process", NULL};
    const char *kind, *late_output = NULL;
    long long size, slide = 0, offset = 0, lateness = 0;
    int is_event_time = 1;
    PyObject *aggregates = NULL, *reduce = Py_None, *aggregate = Py_None, *process = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "sL|$LLpLzOOOO:Window", names, &kind, &size, &slide, &offset, &is_event_time, &lateness,
            &late_output, &aggregates, &reduce, &aggregate, &process)) return NULL;
    int number = name_to_number(kind, window_kinds, "window");
    WindowObject *self = number < 0 ? NULL : (WindowObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->window = (millstream_window){.struct_size = sizeof self->window, .kind = (millstream_window_kind)number, .size = size, .slide = slide,
        .offset = offset, .is_event_time = is_event_time, .allowed_lateness = lateness};
    PyObject *tag = late_output == NULL ? Py_NewRef(Py_None) : PyUnicode_FromString(late_output);
    self->held = tag == NULL ? NULL : Py_BuildValue("[OOON]", reduce, aggregate, process, tag);
    bool is_made = self->held != NULL && read_function(reduce, "reduce", &self->window.reduce)
                && read_function(aggregate, "aggregate", &self->window.aggregate) && read_function(process, "process", &self->window.process);
    if (is_made && late_output != NULL) is_made = (self->window.late_output = PyUnicode_AsUTF8(tag)) != NULL;
    if (is_made && aggregates != NULL) is_made = read_aggregates(self, aggregates) == 0;
    if (is_made) return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void window_dealloc(WindowObject *self)
{
    free(self->aggregates);
    Py_XDECREF(self->held);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject Window_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Window",
    .tp_doc = "A window and what is computed in it; milliseconds or rows.",
    .tp_basicsize = sizeof(WindowObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = window_new,
    .tp_dealloc = (destructor)window_dealloc,
};

int plan_add_types(PyObject *module)
{
    static const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {{"Expression", &Expression_Type}, {"Input", &Input_Type}, {"Watermarks", &Watermarks_Type}, {"Window", &Window_Type}};
    for (size_t index = 0; index < sizeof types / sizeof *types; index++) {
        if (PyType_Ready(types[index].type) < 0 || PyModule_AddObject(module, types[index].name, Py_NewRef(types[index].type)) < 0) return -1;
    }
    return 0;
}
