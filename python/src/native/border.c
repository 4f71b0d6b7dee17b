/* The border of the package: a function's calls, and the exceptions that leave through them without the package's frames. A wrapper written in Python
 * would have a frame of its own in every traceback. */
#include "border.h"

#include <structmember.h>

#include "errors.h"

void border_leave(void)
{
    if (PyErr_ExceptionMatches(PyExc_StopIteration) || PyErr_ExceptionMatches(PyExc_GeneratorExit)) return;
    PyObject *exception = error_take();
    PyObject *module = PyImport_ImportModule("millstream._tracebacks");
    PyObject *result = module == NULL ? NULL : PyObject_CallMethod(module, "leave", "O", exception);
    /* Without memory or stack left, the exception goes as it is. */
    if (result == NULL) PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(module);
    error_restore(exception);
}

/* ---- Functions ---- */

typedef struct BorderObject {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
} BorderObject;

static PyObject *border_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    PyObject *result = PyObject_Vectorcall(((BorderObject *)self)->function, arguments, count, names);
    if (result == NULL) border_leave();
    return result;
}

static PyObject *border_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"function", NULL};
    PyObject *function;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O:Border", names, &function)) return NULL;
    if (!PyCallable_Check(function)) return PyErr_Format(PyExc_TypeError, "a function is needed, not %.100s", Py_TYPE(function)->tp_name);
    BorderObject *self = (BorderObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->vectorcall = border_call;
    self->function = Py_NewRef(function);
    return (PyObject *)self;
}

static PyObject *border_bind(PyObject *self, PyObject *object, PyObject *type)
{
    (void)type;
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

/* Whatever else a function has: its name, its signature's parts, its module. */
static PyObject *border_attribute(BorderObject *self, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr((PyObject *)self, name);
    if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
    PyErr_Clear();
    return PyObject_GetAttr(self->function, name);
}

static PyObject *border_doc(BorderObject *self, void *unused)
{
    (void)unused;
    return PyObject_GetAttrString(self->function, "__doc__");
}

static PyObject *border_repr(BorderObject *self) { return PyObject_Repr(self->function); }

/* By its name, as functions are copied and pickled. */
static PyObject *border_reduce(BorderObject *self, PyObject *unused)
{
    (void)unused;
    return PyObject_GetAttrString(self->function, "__qualname__");
}

static int border_traverse(BorderObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    return 0;
}

static int border_clear(BorderObject *self)
{
    Py_CLEAR(self->function);
    return 0;
}

static void border_dealloc(BorderObject *self)
{
    PyObject_GC_UnTrack(self);
    border_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef border_methods[] = {{"__reduce__", (PyCFunction)border_reduce, METH_NOARGS, "By name."}, {NULL, NULL, 0, NULL}};

static PyMemberDef border_members[] = {
    {"__wrapped__", T_OBJECT_EX, offsetof(BorderObject, function), READONLY, "The function."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef border_attributes[] = {{"__doc__", (getter)border_doc, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject Border_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Border",
    .tp_basicsize = sizeof(BorderObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_vectorcall_offset = offsetof(BorderObject, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = border_new,
    .tp_descr_get = border_bind,
    .tp_getattro = (getattrofunc)border_attribute,
    .tp_repr = (reprfunc)border_repr,
    .tp_traverse = (traverseproc)border_traverse,
    .tp_clear = (inquiry)border_clear,
    .tp_dealloc = (destructor)border_dealloc,
    .tp_methods = border_methods,
    .tp_members = border_members,
    .tp_getset = border_attributes,
};

/* ---- Iterators ---- */

typedef struct BorderIteratorObject {
    PyObject_HEAD
    PyObject *iterator;
    PyObject *owner;
} BorderIteratorObject;

static PyObject *iterator_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"iterator", "owner", NULL};
    PyObject *iterator, *owner;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO:BorderIterator", names, &iterator, &owner)) return NULL;
    if (!PyIter_Check(iterator)) return PyErr_Format(PyExc_TypeError, "an iterator is needed, not %.100s", Py_TYPE(iterator)->tp_name);
    BorderIteratorObject *self = (BorderIteratorObject *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->iterator = Py_NewRef(iterator);
    self->owner = Py_NewRef(owner);
    return (PyObject *)self;
}

static PyObject *iterator_next(BorderIteratorObject *self)
{
    PyObject *value = Py_TYPE(self->iterator)->tp_iternext(self->iterator);
    if (value == NULL && PyErr_Occurred() != NULL) border_leave();
    return value;
}

static int iterator_traverse(BorderIteratorObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->iterator);
    Py_VISIT(self->owner);
    return 0;
}

static int iterator_clear(BorderIteratorObject *self)
{
    Py_CLEAR(self->owner);
    return 0;
}

static void iterator_dealloc(BorderIteratorObject *self)
{
    PyObject_GC_UnTrack(self);
    iterator_clear(self);
    Py_XDECREF(self->iterator);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject BorderIterator_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.BorderIterator",
    .tp_doc = "An iterator that keeps its owner alive.",
    .tp_basicsize = sizeof(BorderIteratorObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = iterator_new,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)iterator_next,
    .tp_traverse = (traverseproc)iterator_traverse,
    .tp_clear = (inquiry)iterator_clear,
    .tp_dealloc = (destructor)iterator_dealloc,
};
