/* The extension's exceptions, and errors on their way through the border in both directions. Every function needs the GIL. */
#ifndef MILLSTREAM_NATIVE_ERRORS_H
#define MILLSTREAM_NATIVE_ERRORS_H

#include <Python.h>
#include <stdbool.h>

#include "millstream.h"

/* Longer representations of values are cut in messages. */
#define REPRESENTATION_LIMIT 200

bool errors_add_to(PyObject *module);

/* Raises the exception of a status, with a message. `operator_name` may be NULL. */
void error_raise(millstream_status status, const char *operator_name, const char *format, ...);
/* Raises the engine's error, or the user's exception inside it, and frees it. Always returns NULL. */
PyObject *error_raise_engine(millstream_status status, millstream_error *error);
/* As an exception object, without raising it. Frees the error. `places`: operators' names -> "file:line", or NULL. */
PyObject *error_to_exception(millstream_status status, millstream_error *error, PyObject *places);
/* The status of an exception, by its class. */
millstream_status error_status_of(PyObject *exception);

/* Takes the raised exception, normalised and with its traceback; NULL if there is none. */
PyObject *error_take(void);
void error_restore(PyObject *exception);
/* The exception's traceback, a new reference; NULL if it has none, for which Python keeps None as well. */
PyObject *error_traceback(PyObject *exception);
/* Adds a line below the exception's message, where the version of Python can. Never fails. */
void error_add_note(PyObject *exception, PyObject *note);
/* Sets an attribute of one of our own exceptions. Never fails. */
void error_set_attribute(PyObject *exception, const char *name, PyObject *value);
/* Drops the outermost frames that belong to Millstream itself, so that a traceback begins in the user's code. */
/* Whether the user wants every frame: MILLSTREAM_FULL_TRACEBACK. */
bool error_keeps_frames(void);
/* Whether the code of a traceback's first frame belongs to Millstream. */
bool error_is_own_frame(PyObject *traceback);
void error_strip_frames(PyObject *exception);
bool error_is_ours(PyObject *exception);

/* repr(value), cut; a description if repr raises. A new str, or NULL without memory (no exception is set). */
PyObject *error_representation(PyObject *value);
/* "file:line" of a function, method, object with a __call__ or class; a new str, or NULL without an exception. */
PyObject *error_place_of(PyObject *callable);

#endif
