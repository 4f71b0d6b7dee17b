/* PerSubtask: how a function object of the user becomes one copy per subtask. */
#include "host.h"

#include <structmember.h>

typedef struct PerSubtask {
    PyObject_HEAD
    PyObject *make;
    PyObject *describe;
} PerSubtask;

static PyObject *per_subtask_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"make", "describe", NULL};
    PyObject *make, *describe = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:PerSubtask", names, &make, &describe)) return NULL;
    if (!PyCallable_Check(make)) {
        PyErr_Format(PyExc_TypeError, "make is a callable, not %.100s", Py_TYPE(make)->tp_name);
        return NULL;
    }
    PerSubtask *self = (PerSubtask *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->make = Py_NewRef(make);
    self->describe = Py_NewRef(describe);
    return (PyObject *)self;
}

static int per_subtask_traverse(PerSubtask *self, visitproc visit, void *arg)
{
    Py_VISIT(self->make);
    Py_VISIT(self->describe);
    return 0;
}

static int per_subtask_clear(PerSubtask *self)
{
    Py_CLEAR(self->make);
    Py_CLEAR(self->describe);
    return 0;
}

static void per_subtask_dealloc(PerSubtask *self)
{
    PyObject_GC_UnTrack(self);
    per_subtask_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef per_subtask_members[] = {
    {"make", T_OBJECT, offsetof(PerSubtask, make), READONLY, "Gives (callables, open, close) for one subtask."}, {NULL, 0, 0, 0, NULL}};

PyTypeObject PerSubtask_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.PerSubtask",
    .tp_doc = "A function that each subtask gets its own copy of.",
    .tp_basicsize = sizeof(PerSubtask),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = per_subtask_new,
    .tp_members = per_subtask_members,
    .tp_traverse = (traverseproc)per_subtask_traverse,
    .tp_clear = (inquiry)per_subtask_clear,
    .tp_dealloc = (destructor)per_subtask_dealloc,
};

PyObject *per_subtask_make(PyObject *object) { return ((PerSubtask *)object)->make; }

PyObject *per_subtask_describe(PyObject *object)
{
    PyObject *describe = ((PerSubtask *)object)->describe;
    return describe == Py_None ? NULL : describe;
}
