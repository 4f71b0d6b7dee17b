/* Side outputs of a process function: results `(OutputTag, value)` leave the main output's list. */
#ifndef MILLSTREAM_NATIVE_SIDES_H
#define MILLSTREAM_NATIVE_SIDES_H

#include "host.h"

/* Reads host->side_outputs. 0 or -1. */
int sides_prepare(Host *host);
void sides_free(Host *host);
/* Puts the tagged ones of the first outputs into their side outputs' builders; `rest` gets the others, or NULL if none was tagged, and `parents` and
 * `timestamps` (may be NULL) theirs. */
int sides_divide(Host *host, Py_ssize_t count, int32_t *parents, int64_t *timestamps, PyObject **rest);
/* Sends what was divided. */
int sides_send(Host *host, millstream_response *response);
/* Forgets what was divided. */
void sides_reset(Host *host);

#endif
