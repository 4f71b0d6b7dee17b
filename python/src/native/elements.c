/* WindowElements: a read-only sequence over columns. A value is made when it is asked for, so that a window costs what its columns cost, however many objects
 * its elements would be; and it owns its columns, so that a function may keep it. */
#include "elements.h"

#include <stdlib.h>

struct ElementBatch {
    Py_ssize_t reference_count;
    struct ArrowArray array;
    Schema *schema;
    RowReader reader;
};

ElementBatch *element_batch_take(struct ArrowArray *array, const struct ArrowSchema *array_schema, const Schema *schema)
{
    ElementBatch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return PyErr_NoMemory(), NULL;
    batch->reference_count = 1;
    batch->schema = schema_retain((Schema *)schema);
    batch->array = *array;
    array->release = NULL;
    if (row_reader_make(&batch->reader, batch->schema) == 0 && row_reader_bind(&batch->reader, &batch->array, array_schema) == 0) return batch;
    element_batch_release(batch);
    return NULL;
}

void element_batch_release(ElementBatch *batch)
{
    if (batch == NULL || --batch->reference_count > 0) return;
    row_reader_free(&batch->reader);
    if (batch->array.release != NULL) batch->array.release(&batch->array);
    schema_release(batch->schema);
    free(batch);
}

typedef struct WindowElements {
    PyObject_HEAD
    ElementBatch *batch;
    int64_t start;
    int64_t count;
} WindowElements;

PyObject *window_elements_make(ElementBatch *batch, int64_t start, int64_t end)
{
    WindowElements *elements = PyObject_New(WindowElements, &WindowElements_Type);
    if (elements == NULL) return NULL;
    batch->reference_count++;
    elements->batch = batch;
    elements->start = start;
    elements->count = end - start;
    return (PyObject *)elements;
}

static void elements_dealloc(WindowElements *elements)
{
    element_batch_release(elements->batch);
    PyObject_Free(elements);
}

static Py_ssize_t elements_length(WindowElements *elements) { return (Py_ssize_t)elements->count; }

static PyObject *elements_item(WindowElements *elements, Py_ssize_t index)
{
    if (index < 0 || index >= elements->count) return PyErr_SetString(PyExc_IndexError, "the window has fewer elements"), NULL;
    return row_reader_get(&elements->batch->reader, elements->start + index, 0);
}

static PyObject *elements_slice(WindowElements *elements, PyObject *slice)
{
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return NULL;
    Py_ssize_t count = PySlice_AdjustIndices((Py_ssize_t)elements->count, &start, &stop, step);
    PyObject *list = PyList_New(count);
    for (Py_ssize_t index = 0; list != NULL && index < count; index++) {
        PyObject *value = elements_item(elements, start + index * step);
        if (value == NULL) Py_CLEAR(list);
        else PyList_SET_ITEM(list, index, value);
    }
    return list;
}

static PyObject *elements_subscript(WindowElements *elements, PyObject *key)
{
    if (PySlice_Check(key)) return elements_slice(elements, key);
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return NULL;
    return elements_item(elements, index < 0 ? index + (Py_ssize_t)elements->count : index);
}

/* Equal to a list of the same values. */
static PyObject *elements_compare(PyObject *left, PyObject *right, int operation)
{
    if (!PyList_Check(right) && Py_TYPE(right) != &WindowElements_Type) Py_RETURN_NOTIMPLEMENTED;
    if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
    PyObject *first = PySequence_List(left), *second = first == NULL ? NULL : PySequence_List(right);
    PyObject *result = second == NULL ? NULL : PyObject_RichCompare(first, second, operation);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return result;
}

/* The first elements only: a window may have millions. */
static PyObject *elements_repr(WindowElements *elements)
{
    enum { shown_max = 10 };
    PyObject *end = PyLong_FromLong(shown_max), *slice = end == NULL ? NULL : PySlice_New(NULL, end, NULL);
    PyObject *list = slice == NULL ? NULL : elements_slice(elements, slice);
    PyObject *result = NULL;
    if (list != NULL && elements->count <= shown_max) result = PyObject_Repr(list);
    else if (list != NULL) result = PyUnicode_FromFormat("<%lld elements: %R...>", (long long)elements->count, list);
    Py_XDECREF(end);
    Py_XDECREF(slice);
    Py_XDECREF(list);
    return result;
}

/* Pickled and copied as a list. */
static PyObject *elements_reduce(PyObject *elements, PyObject *unused)
{
    (void)unused;
    PyObject *list = PySequence_List(elements);
    return list == NULL ? NULL : Py_BuildValue("O(N)", &PyList_Type, list);
}

/* ---- Iteration ---- */

typedef struct Iterator {
    PyObject_HEAD
    WindowElements *elements;
    int64_t next;
} Iterator;

static PyObject *elements_iterate(WindowElements *elements)
{
    Iterator *iterator = PyObject_New(Iterator, &WindowElementsIterator_Type);
    if (iterator == NULL) return NULL;
    iterator->elements = (WindowElements *)Py_NewRef((PyObject *)elements);
    iterator->next = 0;
    return (PyObject *)iterator;
}

static PyObject *iterator_next(Iterator *iterator)
{
    const WindowElements *elements = iterator->elements;
    if (iterator->next >= elements->count) return NULL;
    return row_reader_get(&elements->batch->reader, elements->start + iterator->next++, 0);
}

static PyObject *iterator_length_hint(Iterator *iterator, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLongLong(iterator->elements->count - iterator->next);
}

static void iterator_dealloc(Iterator *iterator)
{
    Py_DECREF(iterator->elements);
    PyObject_Free(iterator);
}

static PyMethodDef iterator_methods[] = {
    {"__length_hint__", (PyCFunction)iterator_length_hint, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject WindowElementsIterator_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native._WindowElementsIterator",
    .tp_basicsize = sizeof(Iterator),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)iterator_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)iterator_next,
    .tp_methods = iterator_methods,
};

static PyMethodDef elements_methods[] = {
    {"__reduce__", elements_reduce, METH_NOARGS, "Pickled and copied as a list."},
    {NULL, NULL, 0, NULL},
};

static PySequenceMethods elements_sequence = {.sq_length = (lenfunc)elements_length, .sq_item = (ssizeargfunc)elements_item};
static PyMappingMethods elements_mapping = {.mp_length = (lenfunc)elements_length, .mp_subscript = (binaryfunc)elements_subscript};

PyTypeObject WindowElements_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "millstream._native.WindowElements",
    .tp_doc = "A window's elements: a read-only sequence that makes each value when it is asked for.",
    .tp_basicsize = sizeof(WindowElements),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)elements_dealloc,
    .tp_repr = (reprfunc)elements_repr,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_richcompare = elements_compare,
    .tp_iter = (getiterfunc)elements_iterate,
    .tp_as_sequence = &elements_sequence,
    .tp_as_mapping = &elements_mapping,
    .tp_methods = elements_methods,
};
