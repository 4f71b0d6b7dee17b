/* RowBase, and the classes of the Python package that C must know. */
#include <Python.h>

#include <structmember.h>

#include "values.h"

static PyTypeObject *row_class = &RowBase_Type;
static PyObject *output_tag_class;

PyObject *row_make(PyObject *values, PyObject *names, int row_kind)
{
    RowObject *row = values == NULL ? NULL : (RowObject *)row_class->tp_alloc(row_class, 0);
    if (row == NULL) {
        Py_XDECREF(values);
        return NULL;
    }
    row->values = values;
    row->fields = Py_NewRef(names == NULL ? Py_None : names);
    row->row_kind = row_kind;
    return (PyObject *)row;
}

static int row_init(RowObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"values", "fields", "row_kind", NULL};
    PyObject *values = NULL, *fields = Py_None;
    int row_kind = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OOi", names, &values, &fields, &row_kind)) return -1;
    PyObject *list = values == NULL ? PyList_New(0) : PySequence_List(values);
    PyObject *tuple = fields == Py_None ? Py_NewRef(Py_None) : PySequence_Tuple(fields);
    if (list == NULL || tuple == NULL) {
        Py_XDECREF(list);
        Py_XDECREF(tuple);
        return -1;
    }
    Py_XSETREF(self->values, list);
    Py_XSETREF(self->fields, tuple);
    self->row_kind = row_kind;
    return 0;
}

static PyObject *row_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    (void)arguments, (void)keywords;
    RowObject *row = (RowObject *)type->tp_alloc(type, 0);
    if (row == NULL) return NULL;
    row->values = PyList_New(0);
    row->fields = Py_NewRef(Py_None);
    if (row->values == NULL) Py_CLEAR(row);
    return (PyObject *)row;
}

static int row_traverse(RowObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->values);
    Py_VISIT(self->fields);
    return 0;
}

static int row_clear(RowObject *self)
{
    Py_CLEAR(self->values);
    Py_CLEAR(self->fields);
    return 0;
}

static void row_dealloc(RowObject *self)
{
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, row_dealloc)
    row_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
    Py_TRASHCAN_END
}

static PyMemberDef row_members[] = {
    {"_values", T_OBJECT, offsetof(RowObject, values), 0, NULL},
    {"_fields", T_OBJECT, offsetof(RowObject, fields), 0, NULL},
    {"_row_kind", T_INT, offsetof(RowObject, row_kind), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject RowBase_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.RowBase",
    .tp_doc = "What Row is made of; C creates and reads it without a Python call.",
    .tp_basicsize = sizeof(RowObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = row_new,
    .tp_init = (initproc)row_init,
    .tp_dealloc = (destructor)row_dealloc,
    .tp_traverse = (traverseproc)row_traverse,
    .tp_clear = (inquiry)row_clear,
    .tp_members = row_members,
};

PyObject *register_row_class(PyObject *module, PyObject *type)
{
    (void)module;
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, &RowBase_Type)) {
        PyErr_SetString(PyExc_TypeError, "a row class is a subclass of RowBase");
        return NULL;
    }
    if (((PyTypeObject *)type)->tp_dictoffset != 0) {
        PyErr_SetString(PyExc_TypeError, "a row class has __slots__ = ()");
        return NULL;
    }
    Py_INCREF(type);
    row_class = (PyTypeObject *)type;
    Py_RETURN_NONE;
}

PyObject *register_output_tag_class(PyObject *module, PyObject *type)
{
    (void)module;
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "a class was expected");
        return NULL;
    }
    Py_XSETREF(output_tag_class, Py_NewRef(type));
    Py_RETURN_NONE;
}

PyObject *values_side_output_tag(PyObject *result)
{
    if (output_tag_class == NULL || !PyTuple_CheckExact(result) || PyTuple_GET_SIZE(result) != 2) return NULL;
    PyObject *tag = PyTuple_GET_ITEM(result, 0);
    bool is_tag = (PyObject *)Py_TYPE(tag) == output_tag_class || PyType_IsSubtype(Py_TYPE(tag), (PyTypeObject *)output_tag_class);
    return is_tag ? tag : NULL;
}
