/* Expressions of the plan: immutable, bigger ones made of smaller ones. */
#include <stdlib.h>

#include "errors.h"
#include "gate.h"
#include "plan.h"

static PyObject *wrap(millstream_status status, millstream_error *error, millstream_expression *handle)
{
    if (status != MILLSTREAM_OK) return error_raise_engine(status, error);
    ExpressionObject *self = PyObject_New(ExpressionObject, &Expression_Type);
    if (self == NULL) millstream_expression_free(handle);
    else self->handle = handle;
    return (PyObject *)self;
}

static PyObject *expression_name(PyObject *type, PyObject *name)
{
    (void)type;
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text == NULL) return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "a name is a str");
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    if (!gate_check()) return NULL;
    millstream_status status = millstream_expression_name(text, &handle, &error);
    return wrap(status, error, handle);
}

static PyObject *expression_column(PyObject *type, PyObject *position)
{
    (void)type;
    long number = PyLong_AsLong(position);
    if (PyErr_Occurred() || !gate_check()) return NULL;
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_expression_column((int32_t)number, &handle, &error);
    return wrap(status, error, handle);
}

static PyObject *expression_row_time(PyObject *type, PyObject *unused)
{
    (void)type, (void)unused;
    if (!gate_check()) return NULL;
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_expression_row_time(&handle, &error);
    return wrap(status, error, handle);
}

static int read_literal(PyObject *object, millstream_value *value, const char **type)
{
    value->kind = MILLSTREAM_VALUE_NULL;
    if (object == Py_None) return 0;
    Py_ssize_t length = 0;
    if (PyBool_Check(object)) {
        value->kind = MILLSTREAM_VALUE_BOOLEAN;
        value->as.integer = object == Py_True;
    } else if (PyLong_Check(object)) {
        value->kind = MILLSTREAM_VALUE_INT64;
        value->as.integer = PyLong_AsLongLong(object);
    } else if (PyFloat_Check(object)) {
        value->kind = MILLSTREAM_VALUE_DOUBLE;
        value->as.number = PyFloat_AS_DOUBLE(object);
    } else if (PyUnicode_Check(object)) {
        value->kind = MILLSTREAM_VALUE_BYTES;
        value->as.bytes = (const uint8_t *)PyUnicode_AsUTF8AndSize(object, &length);
        if (*type == NULL) *type = "STRING";
    } else if (PyBytes_Check(object)) {
        value->kind = MILLSTREAM_VALUE_BYTES;
        value->as.bytes = (const uint8_t *)PyBytes_AS_STRING(object);
        length = PyBytes_GET_SIZE(object);
    } else {
        PyErr_Format(PyExc_TypeError, "a literal is a bool, int, float, str, bytes or None, not %.100s", Py_TYPE(object)->tp_name);
    }
    value->length = length;
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *expression_literal(PyObject *class, PyObject *arguments, PyObject *keywords)
{
    (void)class;
    static char *names[] = {"value", "type", NULL};
    PyObject *object;
    const char *type = NULL;
    millstream_value value = {0};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|z:literal", names, &object, &type) || read_literal(object, &value, &type) < 0) return NULL;
    if (!gate_check()) return NULL;
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_expression_literal(&value, type, &handle, &error);
    return wrap(status, error, handle);
}

static const char *const unary_names[] = {"NEGATE", "NOT", "IS_NULL", "IS_NOT_NULL", "ABSOLUTE", NULL};
static const char *const binary_names[] = {"ADD", "SUBTRACT", "MULTIPLY", "DIVIDE", "REMAINDER", "EQUAL", "NOT_EQUAL", "LESS", "LESS_OR_EQUAL", "GREATER",
    "GREATER_OR_EQUAL", "AND", "OR", NULL};

static PyObject *expression_unary(PyObject *class, PyObject *arguments)
{
    (void)class;
    const char *name;
    ExpressionObject *operand;
    if (!PyArg_ParseTuple(arguments, "sO!:unary", &name, &Expression_Type, &operand)) return NULL;
    int number = name_to_number(name, unary_names, "operation");
    if (number < 0 || !gate_check()) return NULL;
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_expression_unary((millstream_unary)number, operand->handle, &handle, &error);
    return wrap(status, error, handle);
}

static PyObject *expression_binary(PyObject *class, PyObject *arguments)
{
    (void)class;
    const char *name;
    ExpressionObject *left, *right;
    if (!PyArg_ParseTuple(arguments, "sO!O!:binary", &name, &Expression_Type, &left, &Expression_Type, &right)) return NULL;
    int number = name_to_number(name, binary_names, "operation");
    if (number < 0 || !gate_check()) return NULL;
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    millstream_status status = millstream_expression_binary((millstream_binary)number, left->handle, right->handle, &handle, &error);
    return wrap(status, error, handle);
}

typedef millstream_status (*TextCall)(const millstream_expression *, const char *, millstream_expression **, millstream_error **);

static PyObject *call_with_text(ExpressionObject *self, PyObject *text, TextCall call)
{
    const char *bytes = PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : NULL;
    if (bytes == NULL) return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "a str was expected");
    if (!gate_check()) return NULL;
    millstream_expression *handle = NULL;
    millstream_error *error = NULL;
    millstream_status status = call(self->handle, bytes, &handle, &error);
    return wrap(status, error, handle);
}

static PyObject *expression_cast(ExpressionObject *self, PyObject *type) { return call_with_text(self, type, millstream_expression_cast); }
static PyObject *expression_alias(ExpressionObject *self, PyObject *name) { return call_with_text(self, name, millstream_expression_alias); }

static void expression_dealloc(ExpressionObject *self)
{
    if (gate_is_usable()) millstream_expression_free(self->handle);
    PyObject_Free(self);
}

static PyMethodDef expression_methods[] = {
    {"name", expression_name, METH_O | METH_STATIC, "A column by name."},
    {"column", expression_column, METH_O | METH_STATIC, "A column by position."},
    {"row_time", expression_row_time, METH_NOARGS | METH_STATIC, "The row's event timestamp."},
    {"literal", (PyCFunction)(void (*)(void))expression_literal, METH_VARARGS | METH_KEYWORDS | METH_STATIC, "A constant."},
    {"unary", expression_unary, METH_VARARGS | METH_STATIC, "An operation on one operand."},
    {"binary", expression_binary, METH_VARARGS | METH_STATIC, "An operation on two operands."},
    {"cast", (PyCFunction)expression_cast, METH_O, "The value as another type."},
    {"alias", (PyCFunction)expression_alias, METH_O, "The value under a name."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject Expression_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.Expression",
    .tp_doc = "An expression of the plan; immutable.",
    .tp_basicsize = sizeof(ExpressionObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)expression_dealloc,
    .tp_methods = expression_methods,
};

const millstream_expression **expressions_of(PyObject *sequence, int32_t *count)
{
    PyObject *list = PySequence_Fast(sequence, "a sequence of expressions was expected");
    if (list == NULL) return NULL;
    Py_ssize_t length = PySequence_Fast_GET_SIZE(list);
    const millstream_expression **handles = calloc((size_t)length + 1, sizeof *handles);
    for (Py_ssize_t index = 0; handles != NULL && index < length; index++) {
        PyObject *item = PySequence_Fast_GET_ITEM(list, index);
        if (Py_TYPE(item) != &Expression_Type) {
            PyErr_Format(PyExc_TypeError, "an Expression was expected, not %.100s", Py_TYPE(item)->tp_name);
            free(handles);
            handles = NULL;
        } else {
            handles[index] = ((ExpressionObject *)item)->handle;
        }
    }
    /* The caller holds the sequence, and it the expressions. */
    Py_DECREF(list);
    *count = (int32_t)length;
    return handles;
}
