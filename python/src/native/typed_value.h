/* A value of a state with a declared nested type (rows, tuples, lists, maps, decimals), as the engine keeps it: the Python object beside its type, so that a
 * checkpoint says of each value what it is. */
#ifndef MILLSTREAM_NATIVE_TYPED_VALUE_H
#define MILLSTREAM_NATIVE_TYPED_VALUE_H

#include <Python.h>

typedef struct TypedValue {
    PyObject_HEAD
    PyObject *value;
    /* The type's text, interned. */
    PyObject *type;
} TypedValue;

extern PyTypeObject TypedValue_Type;

/* A new reference; takes neither argument's. */
PyObject *typed_value_make(PyObject *value, PyObject *type);
/* The value as one of the type `wanted`, an interned text. Raises TypeMismatchError for a type that it cannot become. A new reference. */
PyObject *typed_value_as(TypedValue *held, PyObject *wanted);

#endif
