/*
 * Sums readings of sensors over windows of ten seconds of event time: an Arrow C stream in, Arrow C streams out.
 *
 * One window operator uses the engine's own aggregates, the other a reduce function in C that keeps each window's highest reading.
 *
 * After `make install PREFIX=...`, with PKG_CONFIG_PATH=PREFIX/lib/pkgconfig:
 *
 *   cc -std=c11 windowed_sum.c $(pkg-config --cflags --libs millstream) -o windowed_sum && ./windowed_sum
 */
#include <inttypes.h>
#include <stdio.h>

#include "arrow_arrays.h"

#define READINGS "ROW<sensor INT, reading DOUBLE, at BIGINT>"

/* The readings, in the order of their arrival: a little out of order in event time. */
static const int32_t sensors[] = {1, 2, 1, 1, 2, 2, 1, 2, 1};
static const double readings[] = {20.5, 7.0, 21.0, 19.5, 8.5, 9.0, 22.5, 6.5, 23.0};
static const int64_t times[] = {1000, 1500, 4000, 3500, 9000, 11000, 12500, 10500, 25000};
enum { ROWS = sizeof times / sizeof *times, ROWS_PER_BATCH = 4 };

static void check(millstream_status status, millstream_error **error) {
    if (status == MILLSTREAM_OK) return;
    fprintf(stderr, "windowed_sum: %s\n", millstream_error_message(*error));
    exit(1);
}

/* ---- The Arrow stream: three batches, then the end. `private_data` is the number of the next row. ---- */

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    (void)stream;
    return millstream_schema_to_arrow(READINGS, out, NULL);
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    int64_t *next = stream->private_data, first = *next;
    memset(out, 0, sizeof *out); /* An array that is released already: the end. */
    if (first == ROWS) return 0;
    size_t count = ROWS - first < ROWS_PER_BATCH ? (size_t)(ROWS - first) : ROWS_PER_BATCH;
    struct ArrowArray columns[] = {
        arrow_array((int64_t)count, arrow_buffer(sensors + first, count * sizeof *sensors), NULL),
        arrow_array((int64_t)count, arrow_buffer(readings + first, count * sizeof *readings), NULL),
        arrow_array((int64_t)count, arrow_buffer(times + first, count * sizeof *times), NULL)};
    *out = arrow_rows((int64_t)count, 3, columns);
    *next += (int64_t)count;
    return 0;
}

static const char *stream_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
    free(stream->private_data);
    stream->release = NULL;
}

/* REDUCE: `slots` says for each row which accumulator it belongs to; an accumulator that is null has seen no row yet. */
static int32_t highest(void *context, const millstream_request *request) {
    (void)context;
    if (request->operation != MILLSTREAM_OPERATION_REDUCE) return 0;
    struct ArrowArray **rows = request->columns->children, **old = request->accumulators->children;
    int64_t slots = request->accumulators->length;
    int32_t *sensor = calloc((size_t)slots, sizeof *sensor);
    double *reading = calloc((size_t)slots, sizeof *reading);
    int64_t *at = calloc((size_t)slots, sizeof *at);
    char *is_set = calloc((size_t)slots, 1);
    for (int64_t slot = 0; slot < slots; slot++) {
        if (!arrow_is_valid(old[2], slot)) continue;
        is_set[slot] = 1;
        sensor[slot] = ((const int32_t *)old[0]->buffers[1])[old[0]->offset + slot];
        reading[slot] = ((const double *)old[1]->buffers[1])[old[1]->offset + slot];
        at[slot] = ((const int64_t *)old[2]->buffers[1])[old[2]->offset + slot];
    }
    for (int64_t row = 0; row < request->count; row++) {
        int32_t slot = request->slots[row];
        double value = ((const double *)rows[1]->buffers[1])[rows[1]->offset + row];
        if (is_set[slot] && value <= reading[slot]) continue;
        is_set[slot] = 1;
        sensor[slot] = ((const int32_t *)rows[0]->buffers[1])[rows[0]->offset + row];
        reading[slot] = value;
        at[slot] = ((const int64_t *)rows[2]->buffers[1])[rows[2]->offset + row];
    }
    free(is_set);
    struct ArrowArray columns[] = {arrow_array(slots, sensor, NULL), arrow_array(slots, reading, NULL), arrow_array(slots, at, NULL)};
    struct ArrowArray accumulators = arrow_rows(slots, 3, columns);
    return millstream_response_accumulators(request->response, &accumulators, NULL);
}

/* The next batch of a stream, or 0 at its end. */
static int next_batch(struct ArrowArrayStream *stream, struct ArrowArray *batch) {
    if (stream->get_next(stream, batch)) {
        fprintf(stderr, "windowed_sum: %s\n", stream->get_last_error(stream));
        exit(1);
    }
    return batch->release != NULL;
}

int main(void) {
    millstream_error *error = NULL;
    millstream_environment *environment;
    millstream_node source, sums, sums_out, peaks, peaks_out;
    check(millstream_environment_create(&environment, &error), &error);

    /* The stream is moved into the engine, which releases it. Column 2 is the event time; rows may be two seconds out of order. */
    struct ArrowArrayStream stream = {stream_schema, stream_next, stream_error, stream_release, calloc(1, sizeof(int64_t))};
    millstream_watermarks watermarks = {
        .struct_size = sizeof watermarks, .timestamp_column = 2, .out_of_orderness = 2000, .idle_timeout = -1};
    check(millstream_source_arrow(environment, &stream, "row", &watermarks, &source, &error), &error);

    const int32_t key[] = {0};
    millstream_input by_sensor = {
        .struct_size = sizeof by_sensor, .node = source, .partitioning = MILLSTREAM_HASH, .keys = key, .key_count = 1};
    const millstream_aggregate aggregates[] = {{MILLSTREAM_COUNT_ALL, -1, "readings"}, {MILLSTREAM_SUM, 1, "total"}};
    millstream_window window = {.struct_size = sizeof window, .kind = MILLSTREAM_TUMBLING, .size = 10000, .is_event_time = 1};
    window.aggregates = aggregates;
    window.aggregate_count = 2;
    check(millstream_window_operator(environment, &by_sensor, &window, &sums, &error), &error);
    millstream_input from_sums = {.struct_size = sizeof from_sums, .node = sums};
    check(millstream_sink_collect(environment, &from_sums, &sums_out, &error), &error);

    millstream_function *function;
    millstream_function_options options = {
        .struct_size = sizeof options, .name = "highest", .call = highest, .output_schema = READINGS};
    check(millstream_function_create(&options, &function, &error), &error);
    window.aggregates = NULL;
    window.aggregate_count = 0;
    window.reduce = function;
    check(millstream_window_operator(environment, &by_sensor, &window, &peaks, &error), &error);
    millstream_function_free(function);
    millstream_input from_peaks = {.struct_size = sizeof from_peaks, .node = peaks};
    check(millstream_sink_collect(environment, &from_peaks, &peaks_out, &error), &error);

    /* Both results come out as Arrow streams while the job runs. */
    millstream_job *job;
    struct ArrowArrayStream out;
    struct ArrowArray batch;
    check(millstream_environment_execute(environment, "windowed sum", &job, &error), &error);
    check(millstream_job_collect_stream(job, sums_out, 0, &out, &error), &error);
    while (next_batch(&out, &batch)) {
        for (int64_t row = 0; row < batch.length; row++) {
            struct ArrowArray **column = batch.children;
            printf("sensor %" PRId32 ", window from %5" PRId64 " ms: %" PRId64 " readings, total %.1f\n",
                ((const int32_t *)column[0]->buffers[1])[column[0]->offset + row],
                ((const int64_t *)column[1]->buffers[1])[column[1]->offset + row],
                ((const int64_t *)column[3]->buffers[1])[column[3]->offset + row],
                ((const double *)column[4]->buffers[1])[column[4]->offset + row]);
        }
        batch.release(&batch);
    }
    out.release(&out);
    check(millstream_job_collect_stream(job, peaks_out, 0, &out, &error), &error);
    while (next_batch(&out, &batch)) {
        for (int64_t row = 0; row < batch.length; row++) {
            struct ArrowArray **column = batch.children;
            printf("sensor %" PRId32 ": highest %.1f at %" PRId64 " ms\n",
                ((const int32_t *)column[0]->buffers[1])[column[0]->offset + row],
                ((const double *)column[1]->buffers[1])[column[1]->offset + row],
                ((const int64_t *)column[2]->buffers[1])[column[2]->offset + row]);
        }
        batch.release(&batch);
    }
    out.release(&out);
    millstream_job_free(job);
    millstream_environment_free(environment);
    return 0;
}
