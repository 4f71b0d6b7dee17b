/* Records of files that do not decode go to the side output that the node property "dead-letters" names. */
#include "jobs.h"

#include <unistd.h>

static char path[] = "/tmp/millstream-c-XXXXXX";

static millstream_node files(const char *const *options) {
    millstream_node node = -1;
    const char *paths[] = {path};
    OK(millstream_source_files(environment, paths, 1, "ROW<id BIGINT, name STRING>", options, NULL, &node, &error));
    return node;
}

static void rows_and_letters(void) {
    const char *options[] = {"format", "csv", NULL};
    const char *names[] = {"file", "line", "column", "offset", "length", "field", "text", "error"};
    start();
    millstream_node source = files(options), rows, letters;
    OK(millstream_node_set(environment, source, "dead-letters", "bad", &error));
    OK(millstream_node_set(environment, source, "dead-letters", "bad", &error));
    /* The engine's own declaration, once more. */
    OK(millstream_node_add_side_output(
        environment, source, "bad",
        "ROW<`file` STRING, `line` BIGINT, `column` BIGINT, `offset` BIGINT, `length` BIGINT, `field` STRING, `text` STRING, `error` STRING>", &error));
    rows = collect(source);
    millstream_input input = input_from(source);
    input.side_output = "bad";
    OK(millstream_sink_collect(environment, &input, &letters, &error));
    millstream_job *job = execute();
    int64_t count;
    CHECK(drain(job, rows, 0, &count) == 5);
    CHECK(count == 2);
    struct ArrowArray array;
    struct ArrowSchema schema;
    int32_t state = 0;
    OK(millstream_job_collect(job, letters, 10000, 0, 0, &array, &schema, &state, &error));
    CHECK(state > 0);
    if (state <= 0) exit(1);
    CHECK(array.length == 1 && array.n_children == 8);
    for (int index = 0; index < 8; index++) CHECK(strcmp(schema.children[index]->name, names[index]) == 0);
    /* line, column, offset, length */
    int64_t wanted[] = {2, 1, 4, 5};
    for (int index = 0; index < 4; index++) {
        const struct ArrowArray *column = array.children[index + 1];
        CHECK(((const int64_t *)column->buffers[1])[column->offset] == wanted[index]);
    }
    array.release(&array);
    schema.release(&schema);
    CHECK(drain(job, letters, 1, &count) == 0 && count == 0);
    CHECK(wait_for(job) == MILLSTREAM_JOB_FINISHED);
    char *json = NULL;
    OK(millstream_job_metrics_json(job, &json, &error));
    CHECK(strstr(json, "\"numRecordsFailed\":1") != NULL && strstr(json, "\"numMalformedRecords\":1") != NULL);
    millstream_string_free(json);
    stop(job);
}

static void refusals(void) {
    const char *csv[] = {"format", "csv", NULL}, *skipping[] = {"format", "csv", "skip-malformed", "true", NULL};
    start();
    FAILS(MILLSTREAM_PLAN, "only files", millstream_node_set(environment, sequence(1, 2), "dead-letters", "bad", &error));
    FAILS(MILLSTREAM_CONFIGURATION, "skips what does not decode", millstream_node_set(environment, files(skipping), "dead-letters", "bad", &error));
    millstream_node source = files(csv);
    OK(millstream_node_add_side_output(environment, source, "other", "BIGINT", &error));
    FAILS(MILLSTREAM_PLAN, "another name", millstream_node_set(environment, source, "dead-letters", "other", &error));
    FAILS(MILLSTREAM_CONFIGURATION, "not empty", millstream_node_set(environment, source, "dead-letters", "", &error));
    millstream_environment_free(environment);
}

int main(void) {
    int file = mkstemp(path);
    const char text[] = "2,a\nx,bad\n3,c\n";
    CHECK(file >= 0 && write(file, text, sizeof text - 1) == (ssize_t)(sizeof text - 1));
    close(file);
    rows_and_letters();
    refusals();
    unlink(path);
    return check_end();
}
