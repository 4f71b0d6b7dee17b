/* Operators and sinks of an environment. */
#include <stdlib.h>

#include "environment.h"
#include "errors.h"
#include "host.h"

typedef millstream_status (*FunctionCall)(millstream_environment *, const millstream_input *, millstream_function *, millstream_node *, millstream_error **);

static const millstream_input *input_of(PyObject *input) { return &((InputObject *)input)->input; }

static PyObject *add_function(EnvironmentObject *self, PyObject *arguments, PyObject *keywords, FunctionCall call)
{
    static char *names[] = {"input", "function", NULL};
    PyObject *input, *function;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!", names, &Input_Type, &input, &Function_Type, &function)) return NULL;
    if (!environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = call(self->handle, input_of(input), function_handle(function), &node, &error);
    return node_result(status, error, node);
}

PyObject *operator_transform(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    return add_function(self, arguments, keywords, millstream_transform);
}

PyObject *operator_key_selector(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    return add_function(self, arguments, keywords, millstream_key_selector);
}

PyObject *operator_reduce(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    return add_function(self, arguments, keywords, millstream_reduce);
}

PyObject *sink_function(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    return add_function(self, arguments, keywords, millstream_sink_function);
}

PyObject *operator_project(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "expressions", NULL};
    PyObject *input, *given;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O:project", names, &Input_Type, &input, &given) || !environment_check(self)) return NULL;
    int32_t count = 0;
    const millstream_expression **expressions = expressions_of(given, &count);
    if (expressions == NULL) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_project(self->handle, input_of(input), expressions, count, &node, &error);
    free(expressions);
    return node_result(status, error, node);
}

PyObject *operator_filter(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "condition", NULL};
    PyObject *input, *condition;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!:filter", names, &Input_Type, &input, &Expression_Type, &condition)) return NULL;
    if (!environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_filter(self->handle, input_of(input), ((ExpressionObject *)condition)->handle, &node, &error);
    return node_result(status, error, node);
}

PyObject *operator_assign_timestamps(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "watermarks", NULL};
    PyObject *input, *watermarks;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!:assign_timestamps", names, &Input_Type, &input, &Watermarks_Type, &watermarks)) return NULL;
    if (!environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status
        = millstream_assign_timestamps(self->handle, input_of(input), &((WatermarksObject *)watermarks)->watermarks, &node, &error);
    return node_result(status, error, node);
}

PyObject *operator_union(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"inputs", NULL};
    PyObject *given;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O:union", names, &given) || !environment_check(self)) return NULL;
    PyObject *list = PySequence_Fast(given, "inputs is a sequence of Input");
    if (list == NULL) return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    millstream_input *inputs = calloc((size_t)count + 1, sizeof *inputs);
    bool is_read = inputs != NULL;
    for (Py_ssize_t index = 0; is_read && index < count; index++) {
        PyObject *item = PySequence_Fast_GET_ITEM(list, index);
        is_read = Py_TYPE(item) == &Input_Type;
        if (is_read) inputs[index] = *input_of(item);
        else PyErr_Format(PyExc_TypeError, "an Input was expected, not %.100s", Py_TYPE(item)->tp_name);
    }
    PyObject *result = NULL;
    if (is_read) {
        millstream_node node = -1;
        millstream_error *error = NULL;
        millstream_status status = millstream_union(self->handle, inputs, (int32_t)count, &node, &error);
        result = node_result(status, error, node);
    }
    free(inputs);
    Py_DECREF(list);
    return result;
}

static const char *const rolling_kinds[] = {"SUM", "MIN", "MAX", "MIN_BY", "MAX_BY", NULL};

PyObject *operator_rolling(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "kind", "column", NULL};
    PyObject *input;
    const char *kind;
    int column;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!si:rolling", names, &Input_Type, &input, &kind, &column)) return NULL;
    int number = name_to_number(kind, rolling_kinds, "rolling aggregate");
    if (number < 0 || !environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_rolling(self->handle, input_of(input), (millstream_rolling_kind)number, column, &node, &error);
    return node_result(status, error, node);
}

static const char *const state_kinds[] = {"VALUE", "LIST", "MAP", "REDUCING", "AGGREGATING", "BROADCAST", "OPERATOR_LIST", "UNION_LIST", NULL};

int state_declaration_read(PyObject *item, millstream_state_declaration *declaration)
{
    const char *kind;
    if (!PyTuple_Check(item)) return PyErr_SetString(PyExc_TypeError, "a state is a tuple (name, kind, value schema, key schema)"), -1;
    if (!PyArg_ParseTuple(item, "sssz:state", &declaration->name, &kind, &declaration->value_type, &declaration->key_type)) return -1;
    int number = name_to_number(kind, state_kinds, "kind of state");
    if (number < 0) return -1;
    declaration->kind = (millstream_state_kind)number;
    return 0;
}

static int read_states(PyObject *list, millstream_state_declaration *states)
{
    for (Py_ssize_t index = 0; index < PySequence_Fast_GET_SIZE(list); index++) {
        if (state_declaration_read(PySequence_Fast_GET_ITEM(list, index), &states[index]) < 0) return -1;
    }
    return 0;
}

/* `second` NULL: one input. */
static PyObject *add_process(EnvironmentObject *self, PyObject *input, PyObject *second, PyObject *function, PyObject *given)
{
    if (!environment_check(self)) return NULL;
    PyObject *list = given == NULL ? PyList_New(0) : PySequence_Fast(given, "states is a sequence");
    if (list == NULL) return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    millstream_state_declaration *states = calloc((size_t)count + 1, sizeof *states);
    PyObject *result = NULL;
    if (states == NULL) PyErr_NoMemory();
    if (states != NULL && read_states(list, states) == 0) {
        millstream_node node = -1;
        millstream_error *error = NULL;
        millstream_function *handle = function_handle(function);
        millstream_status status = second == NULL
            ? millstream_process(self->handle, input_of(input), handle, states, (int32_t)count, &node, &error)
            : millstream_co_process(self->handle, input_of(input), input_of(second), handle, states, (int32_t)count, &node, &error);
        result = node_result(status, error, node);
    }
    free(states);
    Py_DECREF(list);
    return result;
}

PyObject *operator_process(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "function", "states", NULL};
    PyObject *input, *function, *states = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!|O:process", names, &Input_Type, &input, &Function_Type, &function, &states)) return NULL;
    return add_process(self, input, NULL, function, states);
}

PyObject *operator_co_process(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"first", "second", "function", "states", NULL};
    PyObject *first, *second, *function, *states = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!O!|O:co_process", names, &Input_Type, &first, &Input_Type, &second, &Function_Type,
            &function, &states)) return NULL;
    return add_process(self, first, second, function, states);
}

PyObject *operator_asynchronous(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "function", "capacity", NULL};
    PyObject *input, *function;
    int capacity;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!i:asynchronous", names, &Input_Type, &input, &Function_Type, &function, &capacity)) return NULL;
    if (!environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_async(self->handle, input_of(input), function_handle(function), capacity, &node, &error);
    return node_result(status, error, node);
}

PyObject *operator_window(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "window", NULL};
    PyObject *input, *window;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!O!:window", names, &Input_Type, &input, &Window_Type, &window)) return NULL;
    if (!environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_window_operator(self->handle, input_of(input), &((WindowObject *)window)->window, &node, &error);
    return node_result(status, error, node);
}

/* ---- Sinks ---- */

PyObject *sink_print(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "prefix", "to_error", NULL};
    PyObject *input;
    const char *prefix = NULL;
    int to_error = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!|zp:sink_print", names, &Input_Type, &input, &prefix, &to_error)) return NULL;
    if (!environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = millstream_sink_print(self->handle, input_of(input), prefix, to_error, &node, &error);
    return node_result(status, error, node);
}

PyObject *sink_files(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"input", "directory", "options", "bucket", NULL};
    PyObject *input, *directory, *options, *bucket = Py_None, *held = NULL, *path = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!OO|O:sink_files", names, &Input_Type, &input, &directory, &options, &bucket)) return NULL;
    if (bucket != Py_None && Py_TYPE(bucket) != &Expression_Type) return PyErr_Format(PyExc_TypeError, "bucket is an Expression or None");
    if (!environment_check(self) || !PyUnicode_FSConverter(directory, &path)) return NULL;
    const char **pairs = read_options(options, &held);
    PyObject *result = NULL;
    if (pairs != NULL) {
        millstream_node node = -1;
        millstream_error *error = NULL;
        const millstream_expression *handle = bucket == Py_None ? NULL : ((ExpressionObject *)bucket)->handle;
        millstream_status status = millstream_sink_files(self->handle, input_of(input), PyBytes_AS_STRING(path), pairs, handle, &node, &error);
        result = node_result(status, error, node);
    }
    PyMem_Free(pairs);
    Py_XDECREF(held);
    Py_DECREF(path);
    return result;
}

typedef millstream_status (*SinkCall)(millstream_environment *, const millstream_input *, millstream_node *, millstream_error **);

static PyObject *add_sink(EnvironmentObject *self, PyObject *arguments, PyObject *keywords, SinkCall call)
{
    static char *names[] = {"input", NULL};
    PyObject *input;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!", names, &Input_Type, &input) || !environment_check(self)) return NULL;
    millstream_node node = -1;
    millstream_error *error = NULL;
    millstream_status status = call(self->handle, input_of(input), &node, &error);
    return node_result(status, error, node);
}

PyObject *sink_collect(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    return add_sink(self, arguments, keywords, millstream_sink_collect);
}

PyObject *sink_blackhole(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
{
    return add_sink(self, arguments, keywords, millstream_sink_blackhole);
}
