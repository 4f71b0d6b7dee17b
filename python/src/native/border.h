/* Where exceptions leave the package. */
#ifndef MILLSTREAM_NATIVE_BORDER_H
#define MILLSTREAM_NATIVE_BORDER_H

#include <Python.h>

extern PyTypeObject Border_Type;
extern PyTypeObject BorderIterator_Type;

/* Takes the package's frames out of the raised exception. */
void border_leave(void);

#endif
