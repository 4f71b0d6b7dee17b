/* Value, list, reducing and aggregating state: each method is one call into the engine. */
#include "errors.h"
#include "state_values.h"

static PyObject *get_value(StateObject *self)
{
    int64_t row;
    millstream_value value;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    if (state == NULL) return NULL;
    millstream_status status = millstream_state_get(state, self->index, row, &value, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    return state_codec_read(&self->value, &value);
}

static PyObject *set_value(StateObject *self, PyObject *new_value)
{
    int64_t row;
    millstream_value value = {.kind = MILLSTREAM_VALUE_NULL};
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    if (state == NULL) return NULL;
    PyObject *held = new_value == Py_None ? Py_NewRef(new_value) : state_codec_hold(&self->value, new_value), *result = NULL;
    if (held != NULL && (held == Py_None || state_codec_write(&self->value, held, false, &value) == 0)) {
        result = state_done(millstream_state_set(state, self->index, row, &value, &error), error);
    }
    Py_XDECREF(held);
    return result;
}

/* ---- ValueState ---- */

static int value_init(StateObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"context", "index", "value_schema", "default", NULL};
    PyObject *context, *schema = NULL, *fallback = Py_None;
    int index;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Oi|UO:ValueState", names, &context, &index, &schema, &fallback)) return -1;
    return state_init(self, context, index, schema, NULL, fallback);
}

static PyObject *value_value(StateObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *value = get_value(self);
    if (value == Py_None && self->extra != Py_None) Py_SETREF(value, Py_NewRef(self->extra));
    return value;
}

static PyMethodDef value_methods[] = {
    {"value", (PyCFunction)value_value, METH_NOARGS, "The value of the current key; the default (None) if there is none."},
    {"update", (PyCFunction)set_value, METH_O, "Sets the value of the current key; None clears it."},
    {"clear", (PyCFunction)state_clear, METH_NOARGS, "Removes the value of the current key."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject ValueState_Type = STATE_TYPE("ValueState", value_init, value_methods, .tp_doc = "A value per key.");

/* ---- ListState ---- */

static int list_init(StateObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"context", "index", "value_schema", "is_operator_state", NULL};
    PyObject *context, *schema = NULL;
    int index;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Oi|Up:ListState", names, &context, &index, &schema, &self->is_operator_state)) return -1;
    return state_init(self, context, index, schema, NULL, NULL);
}

static PyObject *list_get(StateObject *self, PyObject *unused)
{
    (void)unused;
    int64_t row, count;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    if (state == NULL) return NULL;
    millstream_status status = millstream_state_count(state, self->index, row, &count, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (int64_t position = 0; list != NULL && position < count; position++) {
        millstream_value value;
        status = millstream_state_list_get(state, self->index, row, position, &value, &error);
        PyObject *element = status == MILLSTREAM_OK ? state_codec_read(&self->value, &value) : error_raise_engine(status, error);
        if (element == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, position, element);
    }
    PyObject *iterator = list == NULL ? NULL : PyObject_GetIter(list);
    Py_XDECREF(list);
    return iterator;
}

static PyObject *list_add(StateObject *self, PyObject *element)
{
    int64_t row;
    millstream_value value;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    PyObject *held = state == NULL ? NULL : state_codec_hold(&self->value, element), *result = NULL;
    if (held != NULL && state_codec_write(&self->value, held, false, &value) == 0) {
        result = state_done(millstream_state_list_add(state, self->index, row, &value, &error), error);
    }
    Py_XDECREF(held);
    return result;
}

static PyObject *list_add_all(StateObject *self, PyObject *values)
{
    PyObject *items = PySequence_Fast(values, "an iterable was expected");
    if (items == NULL) return NULL;
    PyObject *result = Py_NewRef(Py_None);
    for (Py_ssize_t index = 0; result != NULL && index < PySequence_Fast_GET_SIZE(items); index++) {
        Py_SETREF(result, list_add(self, PySequence_Fast_GET_ITEM(items, index)));
    }
    Py_DECREF(items);
    return result;
}

/* The new values are taken before the old ones go: they may come from get(). */
static PyObject *list_update(StateObject *self, PyObject *values)
{
    PyObject *items = PySequence_List(values);
    PyObject *result = items == NULL ? NULL : state_clear(self, NULL);
    if (result != NULL) Py_SETREF(result, list_add_all(self, items));
    Py_XDECREF(items);
    return result;
}

static PyMethodDef list_methods[] = {
    {"get", (PyCFunction)list_get, METH_NOARGS, "An iterator over a copy of the list."},
    {"add", (PyCFunction)list_add, METH_O, "Appends a value."},
    {"add_all", (PyCFunction)list_add_all, METH_O, "Appends values."},
    {"update", (PyCFunction)list_update, METH_O, "Replaces the list."},
    {"clear", (PyCFunction)state_clear, METH_NOARGS, "Empties the list of the current key."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject ListState_Type = STATE_TYPE("ListState", list_init, list_methods, .tp_doc = "A list per key.");

/* ---- ReducingState ---- */

static int reducing_init(StateObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"context", "index", "reduce", "value_schema", NULL};
    PyObject *context, *reduce, *schema = NULL;
    int index;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OiO|U:ReducingState", names, &context, &index, &reduce, &schema)) return -1;
    if (!PyCallable_Check(reduce)) return PyErr_SetString(PyExc_TypeError, "reduce is a function"), -1;
    return state_init(self, context, index, schema, NULL, reduce);
}

static PyObject *reducing_get(StateObject *self, PyObject *unused) { return (void)unused, get_value(self); }

static PyObject *reducing_add(StateObject *self, PyObject *value)
{
    PyObject *old = get_value(self);
    if (old == NULL) return NULL;
    PyObject *new_value = old == Py_None ? Py_NewRef(value) : PyObject_CallFunctionObjArgs(self->extra, old, value, NULL);
    PyObject *result = new_value == NULL ? NULL : set_value(self, new_value);
    Py_XDECREF(new_value);
    Py_DECREF(old);
    return result;
}

static PyMethodDef reducing_methods[] = {
    {"get", (PyCFunction)reducing_get, METH_NOARGS, "The reduced value; None if nothing was added."},
    {"add", (PyCFunction)reducing_add, METH_O, "Reduces a value into the state."},
    {"clear", (PyCFunction)state_clear, METH_NOARGS, "Removes the value of the current key."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject ReducingState_Type = STATE_TYPE("ReducingState", reducing_init, reducing_methods, .tp_doc = "A reduced value per key.");

/* ---- AggregatingState ---- */

static int aggregating_init(StateObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"context", "index", "callables", "accumulator_schema", NULL};
    PyObject *context, *callables, *schema = NULL;
    int index;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OiO!|U:AggregatingState", names, &context, &index, &PyTuple_Type, &callables, &schema)) return -1;
    if (PyTuple_GET_SIZE(callables) != 3) return PyErr_SetString(PyExc_TypeError, "callables are (create_accumulator, add, get_result)"), -1;
    return state_init(self, context, index, schema, NULL, callables);
}

static PyObject *aggregating_get(StateObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *accumulator = get_value(self);
    if (accumulator == NULL || accumulator == Py_None) return accumulator;
    PyObject *result = PyObject_CallOneArg(PyTuple_GET_ITEM(self->extra, 2), accumulator);
    Py_DECREF(accumulator);
    return result;
}

static PyObject *aggregating_add(StateObject *self, PyObject *value)
{
    PyObject *accumulator = get_value(self);
    if (accumulator == Py_None) Py_SETREF(accumulator, PyObject_CallNoArgs(PyTuple_GET_ITEM(self->extra, 0)));
    if (accumulator == NULL) return NULL;
    PyObject *added = PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(self->extra, 1), value, accumulator, NULL);
    PyObject *result = added == NULL ? NULL : set_value(self, added);
    Py_XDECREF(added);
    Py_DECREF(accumulator);
    return result;
}

static PyMethodDef aggregating_methods[] = {
    {"get", (PyCFunction)aggregating_get, METH_NOARGS, "The result; None if nothing was added."},
    {"add", (PyCFunction)aggregating_add, METH_O, "Adds a value to the accumulator."},
    {"clear", (PyCFunction)state_clear, METH_NOARGS, "Removes the accumulator of the current key."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject AggregatingState_Type = STATE_TYPE("AggregatingState", aggregating_init, aggregating_methods, .tp_doc = "An accumulator per key.");

int states_add_types(PyObject *module)
{
    static const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {{"ValueState", &ValueState_Type}, {"ListState", &ListState_Type}, {"MapState", &MapState_Type}, {"ReducingState", &ReducingState_Type},
        {"AggregatingState", &AggregatingState_Type}};
    for (size_t index = 0; index < sizeof types / sizeof *types; index++) {
        if (PyType_Ready(types[index].type) < 0 || PyModule_AddObject(module, types[index].name, Py_NewRef(types[index].type)) < 0) return -1;
    }
    return 0;
}
