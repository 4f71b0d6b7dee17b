/* The engine's references to Python objects. Neither taking nor giving back waits for the GIL: both go into one queue, which whoever next holds the GIL
 * applies, references taken first. So a count is never lower than what the engine still holds. */
#include "objects.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "coding.h"
#include "errors.h"
#include "gate.h"
#include "millstream.h"
#include "values.h"

/* Entries beyond which the main thread is asked to apply the queue. */
#define PENDING_SOFT_LIMIT 65536
/* Beyond this whoever gives references back waits for the GIL after all: 64 MB of queue. */
#define PENDING_HARD_LIMIT 8388608

typedef struct Deferred {
    void (*action)(void *);
    void *argument;
    struct Deferred *next;
} Deferred;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Pointers; the lowest bit says that a reference was taken, not given back. */
static uintptr_t *pending;
static size_t pending_count;
static size_t pending_capacity;
static Deferred *deferred;
static atomic_bool has_pending;
static atomic_bool is_asked;
/* Only touched with the GIL. */
static bool is_draining;

static int drain_pending(void *unused)
{
    (void)unused;
    atomic_store(&is_asked, false);
    objects_drain();
    return 0;
}

/* With the lock. */
static bool make_room(size_t count)
{
    if (pending_count + count <= pending_capacity) return true;
    size_t capacity = (pending_count + count) * 2;
    uintptr_t *grown = realloc(pending, capacity * sizeof *grown);
    if (grown == NULL) return false;
    pending = grown;
    pending_capacity = capacity;
    return true;
}

static void enqueue(void *const *handles, intptr_t count, uintptr_t mark)
{
    pthread_mutex_lock(&lock);
    /* Without memory for the queue the objects leak, which is the lesser evil. */
    if (count > 0 && make_room((size_t)count)) {
        for (intptr_t index = 0; index < count; index++) {
            if (handles[index] != NULL) pending[pending_count++] = (uintptr_t)handles[index] | mark;
        }
    }
    size_t total = pending_count;
    atomic_store(&has_pending, true);
    pthread_mutex_unlock(&lock);
    if (total > PENDING_SOFT_LIMIT && !atomic_exchange(&is_asked, true) && Py_AddPendingCall(drain_pending, NULL) != 0) atomic_store(&is_asked, false);
    PyGILState_STATE state;
    if (total > PENDING_HARD_LIMIT && !PyGILState_Check() && gate_enter(&state)) {
        objects_drain();
        gate_leave(state);
    }
}

static void table_retain(void *const *handles, intptr_t count) { enqueue(handles, count, 1); }
static void table_release(void *const *handles, intptr_t count) { enqueue(handles, count, 0); }
static void table_release_exception(void *exception) { enqueue(&exception, 1, 0); }

void objects_defer(void (*action)(void *), void *argument)
{
    Deferred *entry = malloc(sizeof *entry);
    if (entry == NULL) return;
    entry->action = action;
    entry->argument = argument;
    pthread_mutex_lock(&lock);
    entry->next = deferred;
    deferred = entry;
    atomic_store(&has_pending, true);
    pthread_mutex_unlock(&lock);
}

static void apply(uintptr_t *entries, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        if (entries[index] & 1) Py_INCREF((PyObject *)(entries[index] & ~(uintptr_t)1));
    }
    for (size_t index = 0; index < count; index++) {
        if (!(entries[index] & 1)) Py_DECREF((PyObject *)entries[index]);
    }
}

void objects_drain(void)
{
    /* A destructor of a released object may come here again; its entries are applied by the loop below, in order. */
    if (is_draining || !atomic_load_explicit(&has_pending, memory_order_acquire)) return;
    is_draining = true;
    PyObject *raised = error_take();
    while (atomic_load(&has_pending)) {
        pthread_mutex_lock(&lock);
        uintptr_t *entries = pending;
        size_t count = pending_count, capacity = pending_capacity;
        Deferred *actions = deferred;
        pending = NULL;
        pending_count = pending_capacity = 0;
        deferred = NULL;
        atomic_store(&has_pending, false);
        pthread_mutex_unlock(&lock);
        apply(entries, count);
        while (actions != NULL) {
            Deferred *next = actions->next;
            actions->action(actions->argument);
            free(actions);
            actions = next;
        }
        /* The buffer serves again unless it grew beyond the ordinary. */
        pthread_mutex_lock(&lock);
        bool is_kept = pending == NULL && capacity <= PENDING_SOFT_LIMIT * 2;
        if (is_kept) {
            pending = entries;
            pending_capacity = capacity;
        }
        pthread_mutex_unlock(&lock);
        if (!is_kept) free(entries);
    }
    is_draining = false;
    error_restore(raised);
}

/* ---- Hashing and comparing ---- */

static intptr_t table_hash(void *const *handles, intptr_t count, uint64_t *hashes)
{
    intptr_t index = 0;
    while (index < count && handles[index] != NULL && key_hash_plain(handles[index], &hashes[index])) index++;
    if (index == count) return -1;
    PyGILState_STATE state;
    if (!gate_enter(&state)) return index;
    for (; index < count; index++) {
        if (handles[index] == NULL || !key_hash(handles[index], &hashes[index], NULL)) break;
    }
    PyErr_Clear();
    gate_leave(state);
    return index == count ? -1 : index;
}

/* 1, 0, or -1 where the GIL is needed to say. */
static int32_t equal_plain(PyObject *left, PyObject *right)
{
    if (PyLong_CheckExact(left) && PyLong_CheckExact(right)) {
        int first, second;
        int64_t one = PyLong_AsLongLongAndOverflow(left, &first), two = PyLong_AsLongLongAndOverflow(right, &second);
        return first != 0 || second != 0 ? -1 : one == two;
    }
    if (PyUnicode_CheckExact(left) && PyUnicode_CheckExact(right) && PyUnicode_IS_COMPACT_ASCII(left) && PyUnicode_IS_COMPACT_ASCII(right)) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(left);
        return length == PyUnicode_GET_LENGTH(right) && memcmp(PyUnicode_DATA(left), PyUnicode_DATA(right), (size_t)length) == 0;
    }
    return -1;
}

static int32_t table_equal(void *left, void *right)
{
    if (left == right) return 1;
    if (left == NULL || right == NULL) return 0;
    int32_t answer = equal_plain(left, right);
    if (answer >= 0) return answer;
    PyGILState_STATE state;
    if (!gate_enter(&state)) return -1;
    answer = PyObject_RichCompareBool(left, right, Py_EQ);
    /* Equal values of types that hash apart are different keys; and NaN, which Python calls unequal to itself, is one key. */
    if (answer == 1 && PyFloat_Check((PyObject *)left) != PyFloat_Check((PyObject *)right)) answer = 0;
    if (answer == 0 && PyFloat_Check((PyObject *)left) && PyFloat_Check((PyObject *)right)) {
        answer = PyFloat_AS_DOUBLE(left) != PyFloat_AS_DOUBLE(left) && PyFloat_AS_DOUBLE(right) != PyFloat_AS_DOUBLE(right);
    }
    PyErr_Clear();
    gate_leave(state);
    return answer;
}

static int32_t table_compare(void *left, void *right)
{
    if (left == right) return 0;
    PyGILState_STATE state;
    if (left == NULL || right == NULL || !gate_enter(&state)) return 2;
    int32_t answer = 2;
    int is_less = PyObject_RichCompareBool(left, right, Py_LT);
    if (is_less == 1) answer = -1;
    if (is_less == 0) {
        int is_more = PyObject_RichCompareBool(left, right, Py_GT);
        if (is_more >= 0) answer = is_more;
        if (is_more == 0 && PyObject_RichCompareBool(left, right, Py_EQ) != 1) answer = 2;
    }
    PyErr_Clear();
    gate_leave(state);
    return answer;
}

static intptr_t table_describe(void *handle, uint8_t *text, intptr_t capacity)
{
    PyGILState_STATE state;
    if (handle == NULL || capacity <= 0 || !gate_enter(&state)) return 0;
    /* A decimal stands in a column of objects because it has no bounds; it is printed as other numbers are. */
    PyObject *shown = values_is_decimal(handle) ? PyObject_Str(handle) : error_representation(handle);
    Py_ssize_t length = 0;
    const char *bytes = shown == NULL ? NULL : PyUnicode_AsUTF8AndSize(shown, &length);
    if (bytes == NULL) length = 0;
    if (length > capacity) {
        /* Not in the middle of a character. */
        length = capacity;
        while (length > 0 && ((uint8_t)bytes[length] & 0xC0) == 0x80) length--;
    }
    if (length > 0) memcpy(text, bytes, (size_t)length);
    PyErr_Clear();
    Py_XDECREF(shown);
    gate_leave(state);
    return length;
}

int objects_register(void)
{
    millstream_host_objects table = {
        .struct_size = sizeof table,
        .retain = table_retain,
        .release = table_release,
        .hash = table_hash,
        .equal = table_equal,
        .compare = table_compare,
        .describe = table_describe,
        .release_exception = table_release_exception,
        .encode = coding_encode,
        .decode = coding_decode,
    };
    millstream_error *error = NULL;
    millstream_status status = millstream_register_host_objects(&table, &error);
    if (status == MILLSTREAM_OK) return 0;
    error_raise_engine(status, error);
    return -1;
}
