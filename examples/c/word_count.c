/*
 * Counts words: lines from a file (or a built-in text) -> words -> (word, running count) -> standard output.
 *
 * After `make install PREFIX=...`, with PKG_CONFIG_PATH=PREFIX/lib/pkgconfig:
 *
 *   cc -std=c11 word_count.c $(pkg-config --cflags --libs millstream) -o word_count && ./word_count [file]
 */
#include <ctype.h>
#include <stdio.h>

#include "arrow_arrays.h"

static const char *const verse[] = {"to be or not to be", "that is the question"};
enum { VERSE_LINES = sizeof verse / sizeof *verse };

/* Stops the program where a call fails, and says why. */
static void check(millstream_status status, millstream_error **error) {
    if (status == MILLSTREAM_OK) return;
    const char *hint = millstream_error_hint(*error);
    fprintf(stderr, "word_count: %s%s%s\n", millstream_error_message(*error), hint ? "\n  " : "", hint ? hint : "");
    millstream_error_free(*error);
    exit(1);
}

/* A column of text with offsets, as functions with `compatible` send and get it. */
static struct ArrowArray text_column(int64_t count, int32_t *offsets, const char *bytes) {
    return arrow_array(count, offsets, arrow_buffer(bytes, (size_t)offsets[count]));
}

/* READ: gives the whole verse, then says that nothing follows. */
static int32_t read_verse(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_READ) return 0;
    char bytes[256] = "";
    int32_t *offsets = calloc(VERSE_LINES + 1, sizeof *offsets);
    for (int line = 0; line < VERSE_LINES; line++) {
        strcat(bytes, verse[line]);
        offsets[line + 1] = (int32_t)strlen(bytes);
    }
    struct ArrowArray column = text_column(VERSE_LINES, offsets, bytes);
    struct ArrowArray rows = arrow_rows(VERSE_LINES, 1, &column);
    millstream_response_end(request->response);
    return millstream_response_emit(request->response, NULL, &rows, NULL, NULL, NULL, NULL);
}

/* TRANSFORM: a batch of lines becomes a batch of (word, 1). `parents` tells the engine from which line each word came. */
static int32_t split(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_TRANSFORM) return 0;
    const struct ArrowArray *lines = request->columns->children[0];
    const int32_t *starts = (const int32_t *)lines->buffers[1] + lines->offset;
    const char *text = lines->buffers[2];

    /* No more words than bytes: every buffer is large enough from the start. */
    size_t size = (size_t)(starts[request->count] - starts[0]) + 1;
    int32_t *offsets = calloc(size + 1, sizeof *offsets), *parents = calloc(size, sizeof *parents), count = 0;
    int64_t *ones = calloc(size, sizeof *ones);
    char *words = malloc(size);
    for (int32_t line = 0; line < request->count; line++) {
        if (!arrow_is_valid(lines, line)) continue;
        for (int32_t place = starts[line]; place < starts[line + 1];) {
            int32_t end = offsets[count];
            while (place < starts[line + 1] && isalpha((unsigned char)text[place])) words[end++] = (char)tolower(text[place++]);
            if (end == offsets[count]) {
                place++;
                continue;
            }
            parents[count] = line;
            ones[count] = 1;
            offsets[++count] = end;
        }
    }
    struct ArrowArray columns[] = {text_column(count, offsets, words), arrow_array(count, ones, NULL)};
    struct ArrowArray rows = arrow_rows(count, 2, columns);
    /* The engine takes the rows over and copies the parents. A failed emit fails the job with its own message. */
    millstream_status status = millstream_response_emit(request->response, NULL, &rows, parents, NULL, NULL, NULL);
    free(parents);
    free(words);
    return status;
}

int main(int argc, char **argv) {
    millstream_error *error = NULL;
    millstream_environment *environment;
    millstream_function *reader, *splitter;
    millstream_node lines, words, counts, sink;
    millstream_job *job;
    check(millstream_environment_create(&environment, &error), &error);

    if (argc > 1) {
        const char *path = argv[1], *options[] = {"format", "text", NULL};
        check(millstream_source_files(environment, &path, 1, NULL, options, NULL, &lines, &error), &error);
    } else {
        millstream_function_options options = {
            .struct_size = sizeof options, .name = "verse", .call = read_verse, .output_schema = "STRING", .compatible = 1};
        check(millstream_function_create(&options, &reader, &error), &error);
        check(millstream_source_function(environment, reader, 1, NULL, &lines, &error), &error);
        millstream_function_free(reader); /* The node keeps what it needs. */
    }

    millstream_function_options options = {
        .struct_size = sizeof options, .name = "split", .call = split, .output_schema = "TUPLE<STRING, BIGINT>", .compatible = 1};
    check(millstream_function_create(&options, &splitter, &error), &error);
    millstream_input from_lines = {.struct_size = sizeof from_lines, .node = lines};
    check(millstream_transform(environment, &from_lines, splitter, &words, &error), &error);
    millstream_function_free(splitter);

    /* Rows with the same word go to the same subtask, which sums up column 1 and gives the running count for each row. */
    const int32_t key[] = {0};
    millstream_input by_word = {
        .struct_size = sizeof by_word, .node = words, .partitioning = MILLSTREAM_HASH, .keys = key, .key_count = 1};
    check(millstream_rolling(environment, &by_word, MILLSTREAM_ROLLING_SUM, 1, &counts, &error), &error);
    millstream_input from_counts = {.struct_size = sizeof from_counts, .node = counts};
    check(millstream_sink_print(environment, &from_counts, NULL, 0, &sink, &error), &error);

    /* Running is asynchronous. A failure of the job is not one of the calls: it is asked for. */
    millstream_job_status status;
    check(millstream_environment_execute(environment, "word count", &job, &error), &error);
    check(millstream_job_wait(job, -1, &status, &error), &error);
    millstream_error *failure = NULL;
    check(millstream_job_failure(job, &failure, &error), &error);
    if (failure) check(millstream_error_status(failure), &failure);
    millstream_job_free(job);
    millstream_environment_free(environment);
    return status == MILLSTREAM_JOB_FINISHED ? 0 : 1;
}
