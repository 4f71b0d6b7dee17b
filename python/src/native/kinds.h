/* The factories of host functions, one per kind, as module functions. */
#ifndef MILLSTREAM_NATIVE_KINDS_H
#define MILLSTREAM_NATIVE_KINDS_H

#include <Python.h>

PyObject *make_transform(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_extract_timestamps(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_watermark_generator(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_partitioner(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_reducer(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_aggregator(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_process(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_co_process(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_window_process(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_asynchronous(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_source(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_collection(PyObject *module, PyObject *arguments, PyObject *keywords);
PyObject *make_sink(PyObject *module, PyObject *arguments, PyObject *keywords);
extern PyTypeObject Notifier_Type;
int transform_add_types(void);

#endif
