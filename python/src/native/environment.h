/* Environment: a job under construction. Its methods stand in three files: environment.c, sources.c, operators.c. */
#ifndef MILLSTREAM_NATIVE_ENVIRONMENT_H
#define MILLSTREAM_NATIVE_ENVIRONMENT_H

#include <Python.h>
#include <stdbool.h>

#include "plan.h"

typedef struct EnvironmentObject {
    PyObject_HEAD
    millstream_environment *handle;
    PyObject *text_output;
} EnvironmentObject;

extern PyTypeObject Environment_Type;
extern PyTypeObject Clock_Type;
extern PyTypeObject Job_Type;
extern PyTypeObject CollectIterator_Type;
extern PyTypeObject ArrowStream_Type;

/* False with an exception where the environment cannot be used. */
bool environment_check(EnvironmentObject *self);
/* What methods that add a node end with. */
PyObject *node_result(millstream_status status, millstream_error *error, millstream_node node);
/* NULL for None; false with a TypeError for anything else but Watermarks. */
bool read_watermarks(PyObject *object, const millstream_watermarks **watermarks);
/* { key, value, ..., NULL } of a mapping, to be freed; the strings live in `*held`, a new reference. */
const char **read_options(PyObject *options, PyObject **held);
/* `places`: operators' names -> "file:line", or NULL. */
PyObject *job_wrap(millstream_job *handle, PyObject *text_output, PyObject *places);
PyObject *take_text(char *text);
PyObject *environment_set_clock(EnvironmentObject *self, PyObject *clock);

#define METHOD(name) PyObject *name(EnvironmentObject *self, PyObject *arguments, PyObject *keywords)
METHOD(source_sequence);
METHOD(source_generator);
METHOD(source_files);
METHOD(source_socket);
METHOD(source_arrow);
METHOD(source_function);
METHOD(operator_transform);
METHOD(operator_key_selector);
METHOD(operator_project);
METHOD(operator_filter);
METHOD(operator_assign_timestamps);
METHOD(operator_union);
METHOD(operator_reduce);
METHOD(operator_rolling);
METHOD(operator_process);
METHOD(operator_co_process);
METHOD(operator_asynchronous);
METHOD(operator_window);
METHOD(sink_print);
METHOD(sink_files);
METHOD(sink_collect);
METHOD(sink_blackhole);
METHOD(sink_function);

#endif
