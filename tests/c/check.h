/* What the C tests share: checks that count, and calls that must succeed or must fail with a status. */
#ifndef CHECK_H
#define CHECK_H

#include <millstream.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Functions that jobs call check too, on their own threads. */
static _Atomic int check_failures;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            check_failures++; \
        } \
    } while (0)

/* The call must succeed; what it says otherwise is printed. `error` must be NULL before and is afterwards. */
#define OK(call) check_status(__FILE__, __LINE__, #call, (call), MILLSTREAM_OK, NULL)
/* The call must fail with a status, and its message must contain a text (or NULL). */
#define FAILS(status, text, call) check_status(__FILE__, __LINE__, #call, (call), (status), (text))

static _Thread_local millstream_error *error;

static inline void check_status(
    const char *file, int line, const char *call, millstream_status actual, millstream_status wanted, const char *text) {
    const char *message = error ? millstream_error_message(error) : "";
    if (actual != wanted || (text && !strstr(message, text)) || (actual == MILLSTREAM_OK) != (error == NULL)) {
        fprintf(stderr, "%s:%d: %s\n    gave %d where %d was wanted: %s\n", file, line, call, actual, wanted, message);
        check_failures++;
    }
    if (error && millstream_error_status(error) != actual) {
        fprintf(stderr, "%s:%d: the error's status differs\n", file, line);
        check_failures++;
    }
    millstream_error_free(error);
    error = NULL;
}

static inline int check_end(void) {
    if (check_failures) fprintf(stderr, "%d checks failed\n", check_failures);
    return check_failures != 0;
}

/* An input from a node, spread by a partitioning without keys. */
static inline millstream_input input_from(millstream_node node) {
    millstream_input input;
    memset(&input, 0, sizeof input);
    input.struct_size = sizeof input;
    input.node = node;
    return input;
}

/* An input from a node, keyed by one column. `key` must live as long as the input. */
static inline millstream_input keyed_by(millstream_node node, const int32_t *key) {
    millstream_input input = input_from(node);
    input.partitioning = MILLSTREAM_HASH;
    input.keys = key;
    input.key_count = 1;
    return input;
}

#endif
