#ifndef MILLSTREAM_DECODING_H
#define MILLSTREAM_DECODING_H

// What Connectors takes from C++ libraries: numbers from text (std::from_chars), UTF-8 and JSON (simdjson). No function throws or keeps a pointer.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum decoding_number {
    decoding_number_ok = 0,
    // Not a number, or something behind it.
    decoding_number_malformed = 1,
    // Larger than any finite value of the type.
    decoding_number_out_of_range = 2,
};

// Correctly rounded, without the process's locale. "inf", "infinity" and "nan" in any case are numbers here.
int32_t decoding_double(const uint8_t *text, size_t count, double *value);
int32_t decoding_float(const uint8_t *text, size_t count, float *value);

bool decoding_is_utf8(const uint8_t *text, size_t count);

enum decoding_json_kind {
    decoding_json_null = 0,
    decoding_json_true = 1,
    decoding_json_false = 2,
    // `text` is the number as it is written; its grammar has been checked.
    decoding_json_number = 3,
    // `text` is the string without escapes.
    decoding_json_string = 4,
    decoding_json_key = 5,
    // `length` is the position of the matching end.
    decoding_json_object = 6,
    decoding_json_array = 7,
    decoding_json_end = 8,
};

struct decoding_json_event {
    const uint8_t *text;
    uint32_t length;
    uint32_t kind;
};

typedef struct decoding_json decoding_json;

// `depth_max` bounds the nesting. NULL if there is no memory. One thread at a time.
decoding_json *decoding_json_create(uint32_t depth_max);
void decoding_json_free(decoding_json *json);

// Reads one JSON document. At least decoding_json_padding() bytes behind it must be readable. The events are valid until the next call.
// NULL if all is well; otherwise what is wrong, as a constant text, with the place in `error_offset`.
const char *decoding_json_parse(
    decoding_json *json, const uint8_t *text, size_t count, const struct decoding_json_event **events, size_t *event_count,
    size_t *error_offset);
size_t decoding_json_padding(void);

#ifdef __cplusplus
}
#endif
#endif
