/* Values of states between Python and the engine: handles for OBJECT, numbers and bytes for simple declared types. */
#ifndef MILLSTREAM_NATIVE_STATE_VALUES_H
#define MILLSTREAM_NATIVE_STATE_VALUES_H

#include <Python.h>

#include "process.h"

/* How one declared type crosses. Rows, lists, maps and decimals are kept as Python objects; `check` finds whether they are of the type, and is NULL for
 * others. */
typedef struct StateCodec {
    Schema *schema;
    PyObject *check;
    /* Of values with a check: the type's text, interned, which is kept beside each. NULL for keys of maps, which are compared as they are. */
    PyObject *type;
} StateCodec;

/* 0 or -1. */
int state_codec_make(StateCodec *codec, PyObject *text, bool is_key);
/* A reference to the value as it is kept, to be held until the engine has it; NULL for one of another type. */
PyObject *state_codec_hold(const StateCodec *codec, PyObject *value);
/* `is_lent`: for lookups; otherwise a reference goes with an object, and `holder` keeps text alive until the call is over. */
int state_codec_write(const StateCodec *codec, PyObject *value, bool is_lent, millstream_value *target);
PyObject *state_codec_read(const StateCodec *codec, const millstream_value *value);

/* Common to all state objects. */
typedef struct StateObject {
    PyObject_HEAD
    ContextObject *context;
    int32_t index;
    StateCodec value;
    StateCodec key;
    /* The default of a value state; the function or functions of reducing and aggregating states. */
    PyObject *extra;
    /* The subtask's, and not of a key. */
    int is_operator_state;
} StateObject;

/* What each method begins with: the running request's state and row. */
static inline millstream_state *state_begin(StateObject *self, int64_t *row)
{
    if (self->context == NULL) return PyErr_SetString(PyExc_SystemError, "the state was not initialised"), NULL;
    if (!self->is_operator_state) return context_state(self->context, row);
    *row = 0;
    return context_operator_state(self->context);
}
PyObject *state_done(millstream_status status, millstream_error *error);

int state_traverse(StateObject *self, visitproc visit, void *arg);
int state_clear_references(StateObject *self);
void state_dealloc(StateObject *self);
int state_init(StateObject *self, PyObject *context, int index, PyObject *value_schema, PyObject *key_schema, PyObject *extra);
PyObject *state_clear(StateObject *self, PyObject *unused);

#define STATE_TYPE(type_name, init, methods, ...)                                                                                                      \
    {                                                                                                                                                  \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "millstream._native." type_name, .tp_basicsize = sizeof(StateObject),                                 \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)(init),           \
        .tp_dealloc = (destructor)state_dealloc, .tp_traverse = (traverseproc)state_traverse, .tp_clear = (inquiry)state_clear_references,             \
        .tp_methods = (methods), __VA_ARGS__                                                                                                           \
    }

extern PyTypeObject MapState_Type;

#endif
