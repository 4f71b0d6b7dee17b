/* Map state, with Python's mapping syntax. */
#include "errors.h"
#include "state_values.h"

static int map_init(StateObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"context", "index", "key_schema", "value_schema", "is_operator_state", NULL};
    PyObject *context, *key = NULL, *value = NULL;
    int index;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Oi|UUp:MapState", names, &context, &index, &key, &value, &self->is_operator_state)) return -1;
    return state_init(self, context, index, value, key, NULL);
}

/* 1 found, 0 not, -1 failed. `found` may be NULL. */
static int look_up(StateObject *self, PyObject *key, PyObject **found)
{
    int64_t row;
    millstream_value wanted, value;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    PyObject *held = state == NULL ? NULL : state_codec_hold(&self->key, key);
    if (held == NULL || state_codec_write(&self->key, held, true, &wanted) < 0) return Py_XDECREF(held), -1;
    millstream_status status = millstream_state_map_get(state, self->index, row, &wanted, &value, &error);
    Py_DECREF(held);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error), -1;
    if (value.kind == MILLSTREAM_VALUE_NULL) return 0;
    if (found == NULL) return 1;
    *found = state_codec_read(&self->value, &value);
    return *found == NULL ? -1 : 1;
}

static PyObject *map_get(StateObject *self, PyObject *key)
{
    PyObject *value = NULL;
    int found = look_up(self, key, &value);
    if (found != 0) return found < 0 ? NULL : value;
    Py_RETURN_NONE;
}

static PyObject *map_subscript(StateObject *self, PyObject *key)
{
    PyObject *value = NULL;
    int found = look_up(self, key, &value);
    if (found == 0) PyErr_SetObject(PyExc_KeyError, key);
    return found == 1 ? value : NULL;
}

static int map_put_entry(StateObject *self, PyObject *key, PyObject *item)
{
    int64_t row;
    millstream_value name, value;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    PyObject *held_item = state == NULL ? NULL : state_codec_hold(&self->value, item);
    PyObject *held_key = held_item == NULL ? NULL : state_codec_hold(&self->key, key);
    int result = -1;
    /* The value first: if it is refused, no reference to the key has been given away. */
    if (held_key != NULL && state_codec_write(&self->value, held_item, true, &value) == 0 && state_codec_write(&self->key, held_key, true, &name) == 0) {
        if (value.kind == MILLSTREAM_VALUE_OBJECT) Py_INCREF(held_item);
        if (name.kind == MILLSTREAM_VALUE_OBJECT) Py_INCREF(held_key);
        millstream_status status = millstream_state_map_put(state, self->index, row, &name, &value, &error);
        result = status == MILLSTREAM_OK ? 0 : -1;
        if (status != MILLSTREAM_OK) error_raise_engine(status, error);
    }
    Py_XDECREF(held_item);
    Py_XDECREF(held_key);
    return result;
}

static PyObject *map_put(StateObject *self, PyObject *arguments)
{
    PyObject *key, *value;
    if (!PyArg_ParseTuple(arguments, "OO:put", &key, &value) || map_put_entry(self, key, value) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *map_put_all(StateObject *self, PyObject *entries)
{
    PyObject *pairs = PyDict_Check(entries) ? PyDict_Items(entries) : PyMapping_Check(entries) ? PyMapping_Items(entries) : PySequence_List(entries);
    if (pairs == NULL) return NULL;
    int status = 0;
    for (Py_ssize_t index = 0; status == 0 && index < PyList_GET_SIZE(pairs); index++) {
        PyObject *pair = PyList_GET_ITEM(pairs, index);
        bool is_pair = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2;
        if (!is_pair) PyErr_SetString(PyExc_TypeError, "put_all takes a mapping");
        status = is_pair ? map_put_entry(self, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)) : -1;
    }
    Py_DECREF(pairs);
    if (status < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *map_remove(StateObject *self, PyObject *key)
{
    int64_t row;
    millstream_value name;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    PyObject *held = state == NULL ? NULL : state_codec_hold(&self->key, key), *result = NULL;
    if (held != NULL && state_codec_write(&self->key, held, true, &name) == 0) {
        result = state_done(millstream_state_map_remove(state, self->index, row, &name, &error), error);
    }
    Py_XDECREF(held);
    return result;
}

static int map_assign(StateObject *self, PyObject *key, PyObject *value)
{
    if (value != NULL) return map_put_entry(self, key, value);
    int found = look_up(self, key, NULL);
    if (found == 0) PyErr_SetObject(PyExc_KeyError, key);
    PyObject *removed = found == 1 ? map_remove(self, key) : NULL;
    Py_XDECREF(removed);
    return removed == NULL ? -1 : 0;
}

static int map_contains_key(StateObject *self, PyObject *key) { return look_up(self, key, NULL); }

static PyObject *map_contains(StateObject *self, PyObject *key)
{
    int found = look_up(self, key, NULL);
    return found < 0 ? NULL : PyBool_FromLong(found);
}

static Py_ssize_t map_length(StateObject *self)
{
    int64_t row, count;
    millstream_error *error = NULL;
    millstream_state *state = state_begin(self, &row);
    if (state == NULL) return -1;
    millstream_status status = millstream_state_count(state, self->index, row, &count, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error), -1;
    return (Py_ssize_t)count;
}

static PyObject *map_is_empty(StateObject *self, PyObject *unused)
{
    (void)unused;
    Py_ssize_t count = map_length(self);
    return count < 0 ? NULL : PyBool_FromLong(count == 0);
}

/* Which part of an entry an iteration gives. */
enum { PART_ENTRY, PART_KEY, PART_VALUE };

static PyObject *read_entry(StateObject *self, millstream_state *state, int64_t row, int64_t position, int part)
{
    millstream_value key, value;
    millstream_error *error = NULL;
    millstream_status status = millstream_state_map_entry(state, self->index, row, position, &key, &value, &error);
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    PyObject *first = part == PART_VALUE ? NULL : state_codec_read(&self->key, &key);
    if (part == PART_KEY || (part == PART_ENTRY && first == NULL)) return first;
    PyObject *second = state_codec_read(&self->value, &value);
    if (part == PART_VALUE || second == NULL) return Py_XDECREF(first), second;
    PyObject *pair = PyTuple_Pack(2, first, second);
    Py_DECREF(first);
    Py_DECREF(second);
    return pair;
}

/* An iterator over a copy, so that the map may be changed while it is read. */
static PyObject *iterate(StateObject *self, int part)
{
    int64_t row;
    Py_ssize_t count = map_length(self);
    millstream_state *state = count < 0 ? NULL : state_begin(self, &row);
    PyObject *list = state == NULL ? NULL : PyList_New(count);
    for (Py_ssize_t position = 0; list != NULL && position < count; position++) {
        PyObject *entry = read_entry(self, state, row, position, part);
        if (entry == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, position, entry);
    }
    PyObject *iterator = list == NULL ? NULL : PyObject_GetIter(list);
    Py_XDECREF(list);
    return iterator;
}

static PyObject *map_items(StateObject *self, PyObject *unused) { return (void)unused, iterate(self, PART_ENTRY); }
static PyObject *map_keys(StateObject *self, PyObject *unused) { return (void)unused, iterate(self, PART_KEY); }
static PyObject *map_values(StateObject *self, PyObject *unused) { return (void)unused, iterate(self, PART_VALUE); }
static PyObject *map_iterate(StateObject *self) { return iterate(self, PART_KEY); }

static PyMethodDef map_methods[] = {
    {"get", (PyCFunction)map_get, METH_O, "The value of a key of the map; None if there is none."},
    {"put", (PyCFunction)map_put, METH_VARARGS, "Sets the value of a key of the map."},
    {"put_all", (PyCFunction)map_put_all, METH_O, "Sets the values of a mapping."},
    {"remove", (PyCFunction)map_remove, METH_O, "Removes a key of the map; does nothing if it is not there."},
    {"contains", (PyCFunction)map_contains, METH_O, "Whether the map has the key."},
    {"items", (PyCFunction)map_items, METH_NOARGS, "An iterator over a copy of the entries."},
    {"keys", (PyCFunction)map_keys, METH_NOARGS, "An iterator over a copy of the keys."},
    {"values", (PyCFunction)map_values, METH_NOARGS, "An iterator over a copy of the values."},
    {"is_empty", (PyCFunction)map_is_empty, METH_NOARGS, "Whether the map has no entry."},
    {"clear", (PyCFunction)state_clear, METH_NOARGS, "Empties the map of the current key."},
    {NULL, NULL, 0, NULL},
};

static PyMappingMethods map_mapping = {
    .mp_length = (lenfunc)map_length, .mp_subscript = (binaryfunc)map_subscript, .mp_ass_subscript = (objobjargproc)map_assign};
static PySequenceMethods map_sequence = {.sq_contains = (objobjproc)map_contains_key};

PyTypeObject MapState_Type = STATE_TYPE("MapState", map_init, map_methods, .tp_doc = "A map per key.", .tp_as_mapping = &map_mapping,
    .tp_as_sequence = &map_sequence, .tp_iter = (getiterfunc)map_iterate);
