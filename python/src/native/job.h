/* A running job, and what its users share. */
#ifndef MILLSTREAM_NATIVE_JOB_H
#define MILLSTREAM_NATIVE_JOB_H

#include <Python.h>
#include <stdbool.h>

#include "millstream.h"

typedef struct JobObject {
    PyObject_HEAD
    millstream_job *handle;
    /* What the job's printing calls. */
    PyObject *text_output;
    /* Where the user made the operators: a dict of names -> "file:line", or NULL. */
    PyObject *places;
    /* The failure as it was first told, and its traceback then: raising it adds frames. */
    PyObject *failure;
    PyObject *failure_traceback;
    /* A failed job whose failure is known lets the engine's job go, and keeps what it said last: else the exception, its traceback, a frame that refers
     * to this object, and the engine's job would hold each other for ever, out of the collector's sight. */
    bool is_settled;
    /* Nobody waits for its end any longer: a second Ctrl-C. */
    bool is_abandoned;
    PyObject *metrics;
    /* What explain_time says, as text and as JSON, of a job that was let go. */
    PyObject *times[2];
    /* Its checkpoints and its failures. */
    PyObject *history[2];
} JobObject;

/* How long a wait lets a signal lie. */
#define WAIT_STEP_MILLISECONDS 50

/* False with an exception where the job was closed. A settled job passes. */
bool job_check(JobObject *job);
/* After an interrupt: cancels, waits for the end (a second interrupt stops the waiting), and keeps the exception raised. */
void job_interrupted(JobObject *job);
/* Waits for the end and raises the job's failure if it has one: 1; 0 if not; -1 for other errors. */
int job_raise_failure(JobObject *job);

#endif
