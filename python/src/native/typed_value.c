/* Values beside their types. Nothing of the user's refers to one of these, so that they are in no cycle. */
#include "typed_value.h"

#include <structmember.h>

PyObject *typed_value_make(PyObject *value, PyObject *type)
{
    TypedValue *held = PyObject_New(TypedValue, &TypedValue_Type);
    if (held == NULL) return NULL;
    held->value = Py_NewRef(value);
    held->type = Py_NewRef(type);
    return (PyObject *)held;
}

PyObject *typed_value_as(TypedValue *held, PyObject *wanted)
{
    if (held->type == wanted) return Py_NewRef(held->value);
    PyObject *module = PyImport_ImportModule("millstream.typed_state_values");
    PyObject *value = module == NULL ? NULL : PyObject_CallMethod(module, "evolved", "OOO", held->value, held->type, wanted);
    Py_XDECREF(module);
    return value;
}

static PyObject *typed_value_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"value", "type", NULL};
    PyObject *value, *text;
    (void)type;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OU:TypedValue", names, &value, &text)) return NULL;
    Py_INCREF(text);
    PyUnicode_InternInPlace(&text);
    PyObject *held = typed_value_make(value, text);
    Py_DECREF(text);
    return held;
}

static void typed_value_dealloc(TypedValue *self)
{
    Py_XDECREF(self->value);
    Py_XDECREF(self->type);
    PyObject_Free(self);
}

static PyObject *typed_value_repr(TypedValue *self) { return PyObject_Repr(self->value); }

static PyMemberDef typed_value_members[] = {
    {"value", T_OBJECT_EX, offsetof(TypedValue, value), READONLY, NULL},
    {"type", T_OBJECT_EX, offsetof(TypedValue, type), READONLY, NULL},
    {NULL},
};

PyTypeObject TypedValue_Type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "millstream._native.TypedValue", .tp_basicsize = sizeof(TypedValue), .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = typed_value_new, .tp_repr = (reprfunc)typed_value_repr, .tp_dealloc = (destructor)typed_value_dealloc, .tp_members = typed_value_members,
    .tp_doc = "A value of a state, and the text of its type.",
};
