/* The parts of a plan that Python makes: expressions, inputs, watermarks, windows. */
#ifndef MILLSTREAM_NATIVE_PLAN_H
#define MILLSTREAM_NATIVE_PLAN_H

#include <Python.h>

#include "millstream.h"

typedef struct ExpressionObject {
    PyObject_HEAD
    millstream_expression *handle;
} ExpressionObject;

/* The structures point into what the object holds. */
typedef struct InputObject {
    PyObject_HEAD
    millstream_input input;
    int32_t *keys;
    PyObject *side_output;
    PyObject *partitioner;
} InputObject;

typedef struct WatermarksObject {
    PyObject_HEAD
    millstream_watermarks watermarks;
    PyObject *functions[2];
    PyObject *future_output;
    PyObject *alignment_group;
    /* The keywords it was made with. */
    PyObject *settings;
} WatermarksObject;

typedef struct WindowObject {
    PyObject_HEAD
    millstream_window window;
    millstream_aggregate *aggregates;
    /* The functions, the late output's tag and the aggregates' names. */
    PyObject *held;
} WindowObject;

extern PyTypeObject Expression_Type;
extern PyTypeObject Input_Type;
extern PyTypeObject Watermarks_Type;
extern PyTypeObject Window_Type;
int plan_add_types(PyObject *module);

/* The number of a name in a NULL-terminated list, or -1 with a ValueError. */
int name_to_number(const char *name, const char *const *names, const char *what);
/* An array of the handles of a sequence of expressions, to be freed; NULL with an exception. */
const millstream_expression **expressions_of(PyObject *sequence, int32_t *count);

#endif
