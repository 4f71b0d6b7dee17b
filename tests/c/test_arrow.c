/* Arrow arrays from outside: taken over in every case, checked, and given back in either form of text. */
#include "../../examples/c/arrow_arrays.h"
#include "check.h"

static int released;

static void count_release(struct ArrowArray *array) {
    released++;
    arrow_array_release(array);
}

/* Two columns of three rows, text with offsets and numbers, as a program would make them. */
static struct ArrowArray sample(void) {
    const int32_t offsets[] = {0, 2, 2, 30};
    const int64_t numbers[] = {1, 2, 3};
    struct ArrowArray columns[] = {
        arrow_array(3, arrow_buffer(offsets, sizeof offsets), arrow_buffer("to" "question of twenty-eight bytes", 30)),
        arrow_array(3, arrow_buffer(numbers, sizeof numbers), NULL)};
    struct ArrowArray rows = arrow_rows(3, 2, columns);
    rows.release = count_release;
    return rows;
}

static struct ArrowSchema text_schema, children[2];
static struct ArrowSchema *child_pointers[] = {&children[0], &children[1]};

static void schema_release(struct ArrowSchema *schema) { schema->release = NULL; }

static void make_schema(void) {
    children[0] = (struct ArrowSchema){.format = "u", .name = "word", .flags = ARROW_FLAG_NULLABLE, .release = schema_release};
    children[1] = (struct ArrowSchema){.format = "l", .name = "n", .release = schema_release};
    text_schema = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 2, .children = child_pointers, .release = schema_release};
}

static void copies(void) {
    for (int32_t compatible = 0; compatible < 2; compatible++) {
        struct ArrowArray array = sample(), out;
        struct ArrowSchema schema;
        char *text = NULL;
        released = 0;
        OK(millstream_arrow_copy(&array, &text_schema, compatible, &out, &schema, &error));
        CHECK(array.release == NULL);
        CHECK(strcmp(schema.children[0]->format, compatible ? "u" : "vu") == 0);
        OK(millstream_schema_from_arrow(&schema, &text, &error));
        CHECK(strcmp(text, "ROW<`word` STRING, `n` BIGINT NOT NULL>") == 0);
        millstream_string_free(text);
        CHECK(out.length == 3 && out.n_children == 2);
        if (compatible) {
            const int32_t *offsets = (const int32_t *)out.children[0]->buffers[1] + out.children[0]->offset;
            CHECK(offsets[3] - offsets[2] == 28);
            CHECK(memcmp((const char *)out.children[0]->buffers[2] + offsets[2], "question", 8) == 0);
        }
        CHECK(((const int64_t *)out.children[1]->buffers[1])[out.children[1]->offset + 2] == 3);
        out.release(&out);
        schema.release(&schema);
        CHECK(released == 1);
    }
}

static void breakages(void) {
    for (int kind = 0; kind < 14; kind++) {
        struct ArrowArray array = sample(), out = {0};
        struct ArrowArray *word = array.children[0], *number = array.children[1];
        int32_t *offsets = (int32_t *)word->buffers[1];
        switch (kind) {
        case 0: array.length = 4; break;
        case 1: array.length = -1; break;
        case 2: array.offset = INT64_MAX; break;
        case 3: array.n_children = 1, number->release(number), free(number); break;
        case 4: word->n_buffers = 2, free((void *)word->buffers[2]); break;
        case 5: offsets[3] = 1; break;
        case 6: offsets[0] = -4; break;
        case 7: memcpy((char *)word->buffers[2], "\xff\xfe", 2); break;
        case 8: number->null_count = 2; break;
        case 9: number->length = 2; break;
        case 10: number->release(number); break;
        case 11: free((void *)number->buffers[1]), number->buffers[1] = NULL; break;
        case 12: word->null_count = 5; break;
        case 13: word->length = INT64_MAX; break;
        }
        released = 0;
        millstream_status status = millstream_arrow_copy(&array, &text_schema, 0, &out, NULL, &error);
        if (status == MILLSTREAM_OK) fprintf(stderr, "breakage %d was not noticed\n", kind);
        CHECK(status == MILLSTREAM_DECODE || status == MILLSTREAM_INVALID_ARGUMENT || status == MILLSTREAM_LIMIT_EXCEEDED);
        CHECK(error && strstr(millstream_error_message(error), "Arrow import"));
        millstream_error_free(error);
        error = NULL;
        CHECK(array.release == NULL);
        CHECK(released == 1);
    }
    struct ArrowArray array = sample(), out;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_arrow_copy(&array, NULL, 0, &out, NULL, &error));
    CHECK(array.release == NULL);
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "released", millstream_arrow_copy(&array, &text_schema, 0, &out, NULL, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_arrow_copy(NULL, &text_schema, 0, &out, NULL, &error));
    array = sample();
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no place", millstream_arrow_copy(&array, &text_schema, 0, NULL, NULL, &error));
    CHECK(array.release == NULL);
}


static int stream_fails(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    (void)stream;
    (void)out;
    return 5;
}
static const char *stream_message(struct ArrowArrayStream *stream) {
    (void)stream;
    return "the tape is torn";
}
static int streams_released;
static void stream_release(struct ArrowArrayStream *stream) {
    streams_released++;
    stream->release = NULL;
}

static void streams(void) {
    millstream_environment *environment = NULL;
    millstream_node node;
    OK(millstream_environment_create(&environment, &error));
    struct ArrowArrayStream stream = {.get_schema = stream_fails, .get_last_error = stream_message, .release = stream_release};
    FAILS(MILLSTREAM_IO, "the tape is torn", millstream_source_arrow(environment, &stream, "row", NULL, &node, &error));
    CHECK(streams_released == 1 && stream.release == NULL);
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "released", millstream_source_arrow(environment, &stream, "row", NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_source_arrow(environment, NULL, "row", NULL, &node, &error));
    stream = (struct ArrowArrayStream){.get_schema = stream_fails, .get_last_error = stream_message, .release = stream_release};
    FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_source_arrow(NULL, &stream, "row", NULL, &node, &error));
    CHECK(stream.release == NULL);
    CHECK(streams_released == 2);
    millstream_environment_free(environment);
}

int main(void) {
    make_schema();
    copies();
    breakages();
    streams();
    return check_end();
}
