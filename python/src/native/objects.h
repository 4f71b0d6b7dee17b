/* Python objects in OBJECT columns: the table of functions that the engine calls, and the queue of references that it gives back. */
#ifndef MILLSTREAM_NATIVE_OBJECTS_H
#define MILLSTREAM_NATIVE_OBJECTS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

int objects_register(void);
/* Applies the references that the engine's threads took and gave back. With the GIL. */
void objects_drain(void);
/* Runs `action(argument)` the next time that the GIL is held by anyone of us; from any thread. */
void objects_defer(void (*action)(void *), void *argument);

/* How many positions of a tuple have their type remembered. */
#define KEY_POSITION_LIMIT 8
/* The types that the keys of one key_by have had: [0] the key's, then those of a tuple's elements. 0: none yet. */
typedef struct KeyTypes {
    uint8_t types[KEY_POSITION_LIMIT + 1];
} KeyTypes;

/* The stable hash of a key (docs/hash.md). False with KeyValueError. `types` may be NULL. The GIL is held. */
bool key_hash(PyObject *key, uint64_t *hash, KeyTypes *types);
/* Without the GIL, for exact immutable values whose memory can be read safely. False: the GIL is needed. */
bool key_hash_plain(PyObject *key, uint64_t *hash);
PyObject *stable_hash(PyObject *module, PyObject *key);

uint64_t xxh64(const void *bytes, size_t length, uint64_t seed);

#endif
