/*
 * Makes Arrow arrays in plain C: just enough for the examples. Real programs may use nanoarrow or Arrow's own libraries instead.
 *
 * An array owns its buffers (from malloc) and its children. Whoever gets it calls `release`, which frees all of it.
 */
#ifndef ARROW_ARRAYS_H
#define ARROW_ARRAYS_H

#include <millstream.h>
#include <stdlib.h>
#include <string.h>

static inline void arrow_array_release(struct ArrowArray *array) {
    for (int64_t index = 0; index < array->n_children; index++) {
        struct ArrowArray *child = array->children[index];
        if (child->release) child->release(child);
        free(child);
    }
    for (int64_t index = 0; index < array->n_buffers; index++) free((void *)array->buffers[index]);
    free(array->buffers);
    free(array->children);
    array->release = NULL;
}

/* An array of `length` values without nulls. Takes over the buffers behind the validity bitmap: one for numbers, offsets and bytes for text. */
static inline struct ArrowArray arrow_array(int64_t length, void *first, void *second) {
    struct ArrowArray array = {.length = length, .n_buffers = second ? 3 : 2, .release = arrow_array_release};
    array.buffers = calloc(3, sizeof *array.buffers);
    array.buffers[1] = first;
    array.buffers[2] = second;
    return array;
}

/* Rows: a struct array over columns of the same length, which it takes over. */
static inline struct ArrowArray arrow_rows(int64_t length, int32_t count, const struct ArrowArray *columns) {
    struct ArrowArray array = {.length = length, .n_buffers = 1, .n_children = count, .release = arrow_array_release};
    array.buffers = calloc(1, sizeof *array.buffers);
    array.children = calloc((size_t)count, sizeof *array.children);
    for (int32_t index = 0; index < count; index++) {
        array.children[index] = malloc(sizeof **array.children);
        *array.children[index] = columns[index];
    }
    return array;
}

/* A copy of memory, as a buffer for the functions above. */
static inline void *arrow_buffer(const void *bytes, size_t count) {
    void *copy = malloc(count ? count : 1);
    return count ? memcpy(copy, bytes, count) : copy;
}

/* Whether a value is there. */
static inline int arrow_is_valid(const struct ArrowArray *array, int64_t index) {
    const uint8_t *validity = array->buffers[0];
    int64_t bit = array->offset + index;
    return !validity || (validity[bit >> 3] >> (bit & 7) & 1);
}

#endif
