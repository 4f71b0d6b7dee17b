/* decimal.Decimal to and from 16-byte integers; big Python ints to and from bytes. */
#include <string.h>

#include "values.h"

static PyObject *decimal_class;
static PyObject *wide_context;
static PyObject *exponents[39];

/* A context wide enough that nothing is rounded but by quantize, which rounds half up as Flink does. */
static bool decimal_prepare(void)
{
    if (wide_context != NULL) return true;
    PyObject *module = PyImport_ImportModule("decimal");
    if (module == NULL) return false;
    decimal_class = PyObject_GetAttrString(module, "Decimal");
    PyObject *maker = PyObject_GetAttrString(module, "Context");
    PyObject *arguments = Py_BuildValue("{sisssNsisi}", "prec", 120, "rounding", "ROUND_HALF_UP", "traps", PyList_New(0), "Emin", -999999, "Emax", 999999);
    PyObject *none = PyTuple_New(0);
    if (decimal_class != NULL && maker != NULL && arguments != NULL && none != NULL) wide_context = PyObject_Call(maker, none, arguments);
    for (int scale = 0; scale <= 38 && wide_context != NULL; scale++) {
        exponents[scale] = PyObject_CallFunction(decimal_class, "((i(i)i))", 0, 1, -scale);
        if (exponents[scale] == NULL) Py_CLEAR(wide_context);
    }
    Py_XDECREF(none);
    Py_XDECREF(arguments);
    Py_XDECREF(maker);
    Py_DECREF(module);
    return wide_context != NULL;
}

bool values_is_decimal(PyObject *value)
{
    return decimal_prepare() && PyObject_TypeCheck(value, (PyTypeObject *)decimal_class);
}

bool integer_to_bytes(PyObject *value, uint8_t *bytes, size_t byte_count)
{
#if PY_VERSION_HEX >= 0x030D0000
    Py_ssize_t needed = PyLong_AsNativeBytes(value, bytes, (Py_ssize_t)byte_count, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
    if (needed >= 0 && (size_t)needed <= byte_count) return true;
#else
    if (_PyLong_AsByteArray((PyLongObject *)value, bytes, byte_count, 1, 1) == 0) return true;
#endif
    PyErr_Clear();
    return false;
}

PyObject *integer_from_bytes(const uint8_t *bytes, size_t byte_count)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_FromNativeBytes(bytes, byte_count, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    return _PyLong_FromByteArray(bytes, byte_count, 1, 1);
#endif
}

PyObject *decimal_get(const uint8_t *bytes, int scale)
{
    if (!decimal_prepare()) return NULL;
    PyObject *unscaled = integer_from_bytes(bytes, 16);
    PyObject *whole = unscaled == NULL ? NULL : PyObject_CallOneArg(decimal_class, unscaled);
    PyObject *value = whole == NULL ? NULL : PyObject_CallMethod(whole, "scaleb", "iO", -scale, wide_context);
    Py_XDECREF(unscaled);
    Py_XDECREF(whole);
    return value;
}

static const char *decimal_store(PyObject *decimal, int precision, int scale, uint8_t *bytes)
{
    PyObject *rounded = PyObject_CallMethod(decimal, "quantize", "OOO", exponents[scale], Py_None, wide_context);
    PyObject *shifted = rounded == NULL ? NULL : PyObject_CallMethod(rounded, "scaleb", "iO", scale, wide_context);
    PyObject *unscaled = shifted == NULL ? NULL : PyNumber_Long(shifted);
    const char *problem = "it has more digits than the declared precision holds";
    if (unscaled != NULL && integer_to_bytes(unscaled, bytes, 16)) {
        __int128 stored, limit = 1;
        memcpy(&stored, bytes, sizeof stored);
        for (int digit = 0; digit < precision; digit++) limit *= 10;
        if (stored > -limit && stored < limit) problem = NULL;
    }
    PyErr_Clear();
    Py_XDECREF(rounded);
    Py_XDECREF(shifted);
    Py_XDECREF(unscaled);
    return problem;
}

const char *decimal_set(PyObject *value, int precision, int scale, uint8_t *bytes)
{
    if (!decimal_prepare()) return "the decimal module is missing";
    bool is_integer = PyLong_Check(value) && !PyBool_Check(value);
    if (!is_integer && !PyObject_TypeCheck(value, (PyTypeObject *)decimal_class)) return "a decimal.Decimal was expected";
    PyObject *decimal = is_integer ? PyObject_CallOneArg(decimal_class, value) : Py_NewRef(value);
    PyObject *is_finite = decimal == NULL ? NULL : PyObject_CallMethod(decimal, "is_finite", NULL);
    const char *problem = "it is not finite";
    if (is_finite == Py_True) problem = decimal_store(decimal, precision, scale, bytes);
    PyErr_Clear();
    Py_XDECREF(is_finite);
    Py_XDECREF(decimal);
    return problem;
}
