/* Python values in checkpoints. A plain value is a letter and its bytes: N None, T and F, i an int of 64 bits, d a float (both little-endian), s text in
 * UTF-8, y bytes. A value of a declared nested type is r, how many bytes the type's text has (4), that text, and the value. All others are p and a pickle,
 * which millstream.pickled_values makes and, with care, reads. */
#include <Python.h>

#include "coding.h"

#include <string.h>

#include "errors.h"
#include "gate.h"
#include "objects.h"
#include "typed_value.h"

/* Bytes of a plain value that need no memory of their own. */
#define PLAIN_CAPACITY 4096

/* Writes what was raised, and clears it. */
static void tell(uint8_t *problem, intptr_t capacity)
{
    PyObject *raised = error_take();
    PyObject *shown = raised == NULL ? NULL : PyObject_Str(raised);
    Py_ssize_t length = 0;
    const char *text = shown == NULL ? NULL : PyUnicode_AsUTF8AndSize(shown, &length);
    if (text == NULL) text = "", length = 0;
    if (length > capacity - 1) {
        /* Not in the middle of a character. */
        length = capacity - 1;
        while (length > 0 && ((uint8_t)text[length] & 0xC0) == 0x80) length--;
    }
    if (capacity > 0) {
        memcpy(problem, text, (size_t)length);
        problem[length] = 0;
    }
    PyErr_Clear();
    Py_XDECREF(shown);
    Py_XDECREF(raised);
}

static void put_word(uint8_t *bytes, uint64_t word)
{
    for (int place = 0; place < 8; place++) bytes[place] = (uint8_t)(word >> (8 * place));
}

static uint64_t get_word(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int place = 0; place < 8; place++) word |= (uint64_t)bytes[place] << (8 * place);
    return word;
}

/* 1 if `value` is plain and was written, 0 if it must be pickled, -1 for a failure. */
static int write_plain(PyObject *value, millstream_append append, void *target)
{
    uint8_t local[PLAIN_CAPACITY], *bytes = local;
    const char *source = NULL;
    Py_ssize_t length = 0;
    if (value == Py_None || value == Py_True || value == Py_False) {
        local[0] = value == Py_None ? 'N' : value == Py_True ? 'T' : 'F';
        return append(target, local, 1), 1;
    }
    if (PyLong_CheckExact(value)) {
        int overflow;
        int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow != 0) return 0;
        local[0] = 'i';
        put_word(local + 1, (uint64_t)number);
        return append(target, local, 9), 1;
    }
    if (PyFloat_CheckExact(value)) {
        double number = PyFloat_AS_DOUBLE(value);
        uint64_t word;
        memcpy(&word, &number, sizeof word);
        local[0] = 'd';
        put_word(local + 1, word);
        return append(target, local, 9), 1;
    }
    if (PyUnicode_CheckExact(value)) {
        source = PyUnicode_AsUTF8AndSize(value, &length);
        /* A lone surrogate is no UTF-8. */
        if (source == NULL) return PyErr_Clear(), 0;
        local[0] = 's';
    } else if (PyBytes_CheckExact(value)) {
        source = PyBytes_AS_STRING(value);
        length = PyBytes_GET_SIZE(value);
        local[0] = 'y';
    } else {
        return 0;
    }
    if (length + 1 > PLAIN_CAPACITY) {
        bytes = PyMem_Malloc((size_t)length + 1);
        if (bytes == NULL) return PyErr_NoMemory(), -1;
        bytes[0] = local[0];
    }
    memcpy(bytes + 1, source, (size_t)length);
    append(target, bytes, length + 1);
    if (bytes != local) PyMem_Free(bytes);
    return 1;
}

/* What is before the value itself: the letter and the length of the type. */
#define TYPED_HEAD 5

/* 1, or -1 for a failure. */
static int write_typed(TypedValue *held, millstream_append append, void *target)
{
    Py_ssize_t length = 0;
    const char *type = PyUnicode_AsUTF8AndSize(held->type, &length);
    PyObject *inner = type == NULL ? NULL : encode_value(NULL, held->value);
    PyObject *whole = inner == NULL ? NULL : PyBytes_FromStringAndSize(NULL, TYPED_HEAD + length + PyBytes_GET_SIZE(inner));
    if (whole != NULL) {
        uint8_t *bytes = (uint8_t *)PyBytes_AS_STRING(whole);
        bytes[0] = 'r';
        for (int place = 0; place < 4; place++) bytes[1 + place] = (uint8_t)((uint64_t)length >> (8 * place));
        memcpy(bytes + TYPED_HEAD, type, (size_t)length);
        memcpy(bytes + TYPED_HEAD + length, PyBytes_AS_STRING(inner), (size_t)PyBytes_GET_SIZE(inner));
        append(target, bytes, PyBytes_GET_SIZE(whole));
    }
    int status = whole == NULL ? -1 : 1;
    Py_XDECREF(inner);
    Py_XDECREF(whole);
    return status;
}

/* A new reference, or NULL with an exception. */
static PyObject *read_typed(const uint8_t *bytes, int64_t length)
{
    int64_t count = 0;
    for (int place = 0; length >= TYPED_HEAD && place < 4; place++) count |= (int64_t)bytes[1 + place] << (8 * place);
    if (length < TYPED_HEAD || count > length - TYPED_HEAD) {
        PyErr_SetString(PyExc_ValueError, "a value of a state ends within its type");
        return NULL;
    }
    PyObject *type = PyUnicode_DecodeUTF8((const char *)bytes + TYPED_HEAD, (Py_ssize_t)count, NULL);
    if (type == NULL) return NULL;
    PyUnicode_InternInPlace(&type);
    PyObject *inner = PyBytes_FromStringAndSize((const char *)bytes + TYPED_HEAD + count, (Py_ssize_t)(length - TYPED_HEAD - count));
    PyObject *value = inner == NULL ? NULL : decode_value(NULL, inner);
    PyObject *held = value == NULL ? NULL : typed_value_make(value, type);
    Py_DECREF(type);
    Py_XDECREF(inner);
    Py_XDECREF(value);
    return held;
}

/* A function of millstream.pickled_values. */
static PyObject *pickled_values(const char *name)
{
    PyObject *module = PyImport_ImportModule("millstream.pickled_values");
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return function;
}

intptr_t coding_encode(void *const *handles, intptr_t count, millstream_append append, void *target, uint8_t *problem, intptr_t capacity)
{
    PyGILState_STATE state;
    if (capacity > 0) problem[0] = 0;
    if (!gate_enter(&state)) return 0;
    objects_drain();
    PyObject *encode = NULL;
    intptr_t index = 0;
    for (; index < count; index++) {
        int status = Py_IS_TYPE((PyObject *)handles[index], &TypedValue_Type) ? write_typed(handles[index], append, target)
                                                                              : write_plain(handles[index], append, target);
        if (status == 0) {
            if (encode == NULL) encode = pickled_values("encode");
            PyObject *bytes = encode == NULL ? NULL : PyObject_CallOneArg(encode, handles[index]);
            status = bytes != NULL && PyBytes_Check(bytes) ? 1 : -1;
            if (status == 1) append(target, (const uint8_t *)PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
            Py_XDECREF(bytes);
        }
        if (status < 0) break;
    }
    if (index < count) tell(problem, capacity);
    Py_XDECREF(encode);
    gate_leave(state);
    return index < count ? index : -1;
}

/* A new reference; NULL without an exception for what is not plain. */
static PyObject *read_plain(const uint8_t *bytes, int64_t length)
{
    switch (length > 0 ? bytes[0] : 0) {
    case 'N': return length == 1 ? Py_NewRef(Py_None) : NULL;
    case 'T': return length == 1 ? Py_NewRef(Py_True) : NULL;
    case 'F': return length == 1 ? Py_NewRef(Py_False) : NULL;
    case 'i': return length == 9 ? PyLong_FromLongLong((int64_t)get_word(bytes + 1)) : NULL;
    case 'd': {
        if (length != 9) return NULL;
        uint64_t word = get_word(bytes + 1);
        double number;
        memcpy(&number, &word, sizeof number);
        return PyFloat_FromDouble(number);
    }
    case 's': return PyUnicode_DecodeUTF8((const char *)bytes + 1, (Py_ssize_t)length - 1, NULL);
    case 'y': return PyBytes_FromStringAndSize((const char *)bytes + 1, (Py_ssize_t)length - 1);
    case 'r': return read_typed(bytes, length);
    default: return NULL;
    }
}

intptr_t coding_decode(
    const uint8_t *const *values, const int64_t *lengths, intptr_t count, void **handles, uint8_t *problem, intptr_t capacity)
{
    PyGILState_STATE state;
    if (capacity > 0) problem[0] = 0;
    if (!gate_enter(&state)) return 0;
    objects_drain();
    PyObject *decode = NULL;
    intptr_t index = 0;
    for (; index < count; index++) {
        PyObject *value = read_plain(values[index], lengths[index]);
        if (value == NULL && !PyErr_Occurred()) {
            if (decode == NULL) decode = pickled_values("decode");
            PyObject *bytes = decode == NULL ? NULL : PyBytes_FromStringAndSize((const char *)values[index], (Py_ssize_t)lengths[index]);
            value = bytes == NULL ? NULL : PyObject_CallOneArg(decode, bytes);
            Py_XDECREF(bytes);
        }
        if (value == NULL) break;
        handles[index] = value;
    }
    if (index < count) tell(problem, capacity);
    Py_XDECREF(decode);
    gate_leave(state);
    return index < count ? index : -1;
}

/* ---- For Python: one value ---- */

static void take_bytes(void *target, const uint8_t *bytes, int64_t length)
{
    PyObject **result = target;
    Py_XSETREF(*result, PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)length));
}

static PyObject *raise_problem(const uint8_t *problem)
{
    if (!PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "%s", (const char *)problem);
    return NULL;
}

PyObject *encode_value(PyObject *module, PyObject *value)
{
    (void)module;
    uint8_t problem[1000];
    PyObject *bytes = NULL;
    void *handle = value;
    if (coding_encode(&handle, 1, take_bytes, &bytes, problem, sizeof problem) >= 0 || bytes == NULL) {
        Py_XDECREF(bytes);
        return raise_problem(problem);
    }
    return bytes;
}

PyObject *decode_value(PyObject *module, PyObject *bytes)
{
    (void)module;
    if (!PyBytes_Check(bytes)) return PyErr_Format(PyExc_TypeError, "bytes are needed, not %.100s", Py_TYPE(bytes)->tp_name);
    uint8_t problem[1000];
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(bytes);
    int64_t length = PyBytes_GET_SIZE(bytes);
    void *handle = NULL;
    if (coding_decode(&data, &length, 1, &handle, problem, sizeof problem) >= 0) return raise_problem(problem);
    return handle;
}
