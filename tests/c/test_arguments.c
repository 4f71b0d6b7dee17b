/* Bad arguments, structs, options and schemas are refused with a status and a message that says what is wrong. */
#include "check.h"

static millstream_environment *environment;

static int32_t nothing(void *context, const millstream_request *request) {
    (void)context;
    (void)request;
    return 0;
}

static int released;
static void release(void *context) {
    (void)context;
    released++;
}

static void structs(void) {
    millstream_node node, sink;
    OK(millstream_source_sequence(environment, 0, 9, NULL, &node, &error));
    millstream_input input = input_from(node);
    OK(millstream_sink_blackhole(environment, &input, &sink, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "is NULL", millstream_sink_blackhole(environment, NULL, &sink, &error));
    uint32_t wrong[] = {0, 1, sizeof input - 1, sizeof input - 8, 5000, UINT32_MAX};
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++) {
        input.struct_size = wrong[index];
        FAILS(MILLSTREAM_INVALID_ARGUMENT, "struct_size", millstream_sink_blackhole(environment, &input, &sink, &error));
    }
    /* A larger struct is a newer one: fine while the unknown part is zero. */
    struct { millstream_input known; uint64_t more[4]; } larger = {.known = input_from(node)};
    larger.known.struct_size = sizeof larger;
    OK(millstream_sink_blackhole(environment, &larger.known, &sink, &error));
    larger.more[2] = 1;
    FAILS(MILLSTREAM_UNSUPPORTED, "does not know", millstream_sink_blackhole(environment, &larger.known, &sink, &error));

    millstream_function *function = NULL;
    millstream_function_options options = {.struct_size = sizeof options, .release = release, .context = &released};
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "call is NULL", millstream_function_create(&options, &function, &error));
    options.call = nothing;
    options.output_schema = "BANANA";
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "BANANA", millstream_function_create(&options, &function, &error));
    options.output_schema = "\xff";
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "UTF-8", millstream_function_create(&options, &function, &error));
    CHECK(released == 0);
    options.output_schema = "BIGINT";
    OK(millstream_function_create(&options, &function, &error));
    input = input_from(node);
    OK(millstream_transform(environment, &input, function, &node, &error));
    millstream_function_free(function);
    /* The node keeps the function alive. */
    CHECK(released == 0);
    FAILS(MILLSTREAM_INVALID_HANDLE, "freed", millstream_transform(environment, &input, function, &node, &error));
}

static void inputs(void) {
    millstream_node node, sink, next;
    OK(millstream_source_sequence(environment, 0, 9, NULL, &node, &error));
    millstream_input input = input_from(-1);
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no node -1", millstream_sink_blackhole(environment, &input, &sink, &error));
    input.node = 1000000;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no node", millstream_sink_blackhole(environment, &input, &sink, &error));
    input = input_from(node);
    OK(millstream_sink_blackhole(environment, &input, &sink, &error));
    input.node = sink;
    FAILS(MILLSTREAM_PLAN, "is a sink", millstream_sink_blackhole(environment, &input, &next, &error));
    input = input_from(node);
    input.side_output = "late";
    FAILS(MILLSTREAM_PLAN, "no side output", millstream_sink_blackhole(environment, &input, &next, &error));
    int32_t key = 1;
    input = keyed_by(node, &key);
    FAILS(MILLSTREAM_PLAN, "key column 1", millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 0, &next, &error));
    key = -1;
    FAILS(MILLSTREAM_PLAN, "key column -1", millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 0, &next, &error));
    key = 0;
    FAILS(MILLSTREAM_PLAN, "no column 5", millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 5, &next, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "rolling_kind", millstream_rolling(environment, &input, 77, 0, &next, &error));
    input.keys = NULL;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 0, &next, &error));
    input.key_count = -3;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "-3", millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 0, &next, &error));
    input = input_from(node);
    FAILS(MILLSTREAM_PLAN, "keyed", millstream_rolling(environment, &input, MILLSTREAM_ROLLING_SUM, 0, &next, &error));
    input.partitioning = 99;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "partitioning", millstream_sink_blackhole(environment, &input, &next, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no place", millstream_source_sequence(environment, 0, 9, NULL, NULL, &error));
}

static void configuration(void) {
    static const char *const good[][2] = {
        {"parallelism.default", "4"}, {"pipeline.max-parallelism", "32768"}, {"execution.buffer-timeout.interval", "100 ms"},
        {"execution.buffer-timeout.interval", "0 ms"}, {"execution.buffer-timeout.interval", "5 min"}, {"execution.runtime-mode", "batch"},
        {"execution.runtime-mode", "STREAMING"}, {"pipeline.operator-chaining.enabled", "false"}, {"pipeline.auto-watermark-interval", "50 ms"}, {"millstream.workers", "2"},
        {"millstream.batch.rows", "1"}, {"millstream.exchange.memory", "4 mb"}, {"millstream.exchange.memory", "64kb"}, {"millstream.seed", "-1"}};
    static const char *const bad[][2] = {
        {"parallelism.default", "0"}, {"parallelism.default", "-1"}, {"parallelism.default", "32769"}, {"parallelism.default", "banana"},
        {"parallelism.default", "1.5"}, {"parallelism.default", ""}, {"parallelism.default", "99999999999999999999"},
        {"execution.buffer-timeout.interval", "10"}, {"execution.buffer-timeout.interval", "-5 s"}, {"execution.buffer-timeout.interval", "banana"},
        {"execution.buffer-timeout.interval", "ms"}, {"execution.buffer-timeout.interval", "10 parsecs"},
        {"execution.buffer-timeout.interval", "9223372036854775807 d"}, {"execution.runtime-mode", "FAST"}, {"millstream.exchange.memory", "10"},
        {"millstream.exchange.memory", "0 mb"}, {"millstream.exchange.memory", "9999999 tb"}, {"millstream.workers", "0"},
        {"pipeline.operator-chaining.enabled", "maybe"}, {"no.such.key", "1"}, {"", "1"}};
    for (size_t index = 0; index < sizeof good / sizeof *good; index++)
        OK(millstream_environment_configure(environment, good[index][0], good[index][1], &error));
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        FAILS(MILLSTREAM_CONFIGURATION, bad[index][0], millstream_environment_configure(environment, bad[index][0], bad[index][1], &error));
    CHECK(millstream_environment_configure(environment, "paralelism.default", "1", &error) == MILLSTREAM_CONFIGURATION);
    CHECK(strstr(millstream_error_hint(error), "'parallelism.default'") != NULL);
    millstream_error_free(error);
    error = NULL;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_environment_configure(environment, NULL, "1", &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "UTF-8", millstream_environment_configure(environment, "parallelism.default", "\xc3(", &error));
}

static void nodes(void) {
    millstream_node node;
    char *text = NULL;
    OK(millstream_source_sequence(environment, 0, 9, NULL, &node, &error));
    static const char *const good[][2] = {{"name", "numbers"}, {"uid", "n-1"}, {"parallelism", "2"}, {"max-parallelism", "128"}, {"chaining", "never"},
        {"buffer-timeout", "5"}, {"buffer-timeout", "-1"}, {"slot-sharing-group", "g"}, {"defined-at", "main.c:12"}};
    static const char *const bad[][2] = {{"name", ""}, {"parallelism", "0"}, {"parallelism", "32769"}, {"max-parallelism", "0"}, {"chaining", "sometimes"},
        {"buffer-timeout", "5 ms"}, {"buffer-timeout", "-2"}, {"colour", "red"}};
    for (size_t index = 0; index < sizeof good / sizeof *good; index++)
        OK(millstream_node_set(environment, node, good[index][0], good[index][1], &error));
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        FAILS(MILLSTREAM_CONFIGURATION, bad[index][0], millstream_node_set(environment, node, bad[index][0], bad[index][1], &error));
    OK(millstream_node_schema(environment, node, &text, &error));
    CHECK(strcmp(text, "BIGINT NOT NULL") == 0);
    millstream_string_free(text);
    millstream_string_free(NULL);
    OK(millstream_node_add_side_output(environment, node, "late", "BIGINT", &error));
    OK(millstream_node_add_side_output(environment, node, "late", "BIGINT", &error));
    FAILS(MILLSTREAM_PLAN, "declared", millstream_node_add_side_output(environment, node, "late", "STRING", &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "empty", millstream_node_add_side_output(environment, node, "", "STRING", &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no node", millstream_node_schema(environment, 12345, &text, &error));
    OK(millstream_environment_plan_json(environment, &text, &error));
    CHECK(strstr(text, "\"ship_strategy\":\"FORWARD\"") != NULL);
    CHECK(strstr(text, "\"type\":\"numbers\"") != NULL);
    millstream_string_free(text);
}

static void watermarks(void) {
    millstream_node node;
    millstream_watermarks good = {.struct_size = sizeof good, .out_of_orderness = 1000, .idle_timeout = -1};
    OK(millstream_source_sequence(environment, 0, 9, &good, &node, &error));
    millstream_watermarks wrong = good;
    wrong.timestamp_column = 1;
    FAILS(MILLSTREAM_PLAN, "does not exist", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong = good;
    wrong.out_of_orderness = -2;
    FAILS(MILLSTREAM_CONFIGURATION, "out_of_orderness", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong = good;
    wrong.idle_timeout = 0;
    FAILS(MILLSTREAM_CONFIGURATION, "idle_timeout", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong = good;
    wrong.max_future_drift = -1;
    FAILS(MILLSTREAM_CONFIGURATION, "max_future_drift", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong = good;
    wrong.future_output = "ahead";
    FAILS(MILLSTREAM_CONFIGURATION, "max_future_drift", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong.max_future_drift = 1;
    wrong.future_output = "";
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "future_output", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    /* A program built before max_future_drift has no such fields: whatever stands behind its struct is not read. */
    wrong.struct_size = offsetof(millstream_watermarks, max_future_drift);
    OK(millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong.struct_size -= 8;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "struct_size", millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    wrong = good;
    wrong.timestamps = (void *)environment;
    FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_source_sequence(environment, 0, 9, &wrong, &node, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "empty", millstream_source_sequence(environment, 10, 9, NULL, &node, &error));
}

static void files(void) {
    millstream_node node;
    const char *path = "/tmp/no-such-file";
    const char *text[] = {"format", "text", NULL};
    const char *csv[] = {"format", "csv", "csv.delimiter", ";", "csv.header", "true", "projection", "b", NULL};
    OK(millstream_source_files(environment, &path, 1, NULL, text, NULL, &node, &error));
    OK(millstream_source_files(environment, &path, 1, "ROW<a INT, b STRING>", csv, NULL, &node, &error));
    char *schema = NULL;
    OK(millstream_node_schema(environment, node, &schema, &error));
    CHECK(strcmp(schema, "ROW<`b` STRING>") == 0);
    millstream_string_free(schema);
    FAILS(MILLSTREAM_CONFIGURATION, "'b'", millstream_source_files(environment, &path, 1, "ROW<a INT>", csv, NULL, &node, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "schema", millstream_source_files(environment, &path, 1, NULL, csv, NULL, &node, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "schema", millstream_source_files(environment, &path, 1, "STRING", text, NULL, &node, &error));
    const char *unknown[] = {"format", "csv", "csv.bogus", "1", NULL};
    FAILS(MILLSTREAM_CONFIGURATION, "csv.bogus", millstream_source_files(environment, &path, 1, "ROW<a INT>", unknown, NULL, &node, &error));
    const char *twice[] = {"format", "csv", "format", "csv", NULL};
    FAILS(MILLSTREAM_CONFIGURATION, "twice", millstream_source_files(environment, &path, 1, "ROW<a INT>", twice, NULL, &node, &error));
    const char *half[] = {"format", NULL};
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "format", millstream_source_files(environment, &path, 1, "ROW<a INT>", half, NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "no paths", millstream_source_files(environment, NULL, 0, NULL, NULL, NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_source_files(environment, NULL, 1, NULL, NULL, NULL, &node, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "port", millstream_source_socket(environment, "localhost", 0, '\n', 0, NULL, &node, &error));
    FAILS(MILLSTREAM_CONFIGURATION, "port", millstream_source_socket(environment, "localhost", 65536, '\n', 0, NULL, &node, &error));
}

static void expressions(void) {
    millstream_expression *column = NULL, *deep = NULL, *out = NULL;
    OK(millstream_expression_column(0, &column, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "-1", millstream_expression_column(-1, &out, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "unary", millstream_expression_unary(99, column, &out, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "binary", millstream_expression_binary(99, column, column, &out, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, "NULL", millstream_expression_binary(MILLSTREAM_ADD, column, NULL, &out, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "BANANA", millstream_expression_cast(column, "BANANA", &out, &error));
    millstream_value value = {.kind = 42};
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "42", millstream_expression_literal(&value, NULL, &out, &error));
    value = (millstream_value){.kind = MILLSTREAM_VALUE_BYTES, .length = -1};
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "-1 bytes", millstream_expression_literal(&value, NULL, &out, &error));
    value = (millstream_value){.kind = MILLSTREAM_VALUE_BYTES, .length = 2, .as.bytes = (const uint8_t *)"\xff\xff"};
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "UTF-8", millstream_expression_literal(&value, "STRING", &out, &error));
    value = (millstream_value){.kind = MILLSTREAM_VALUE_INT64, .as.integer = 300};
    FAILS(MILLSTREAM_TYPE_MISMATCH, "300", millstream_expression_literal(&value, "TINYINT", &out, &error));

    /* Sharing operands could make an expression of 2^n operations: refused long before. */
    millstream_status status = MILLSTREAM_OK;
    deep = column;
    for (int level = 0; level < 1000 && status == MILLSTREAM_OK; level++) {
        millstream_expression *next = NULL;
        status = millstream_expression_binary(MILLSTREAM_ADD, deep, deep, &next, NULL);
        if (deep != column) millstream_expression_free(deep);
        deep = next;
    }
    CHECK(status == MILLSTREAM_LIMIT_EXCEEDED);
    millstream_expression_free(column);
}

static void schemas(void) {
    char *text = NULL;
    OK(millstream_schema_parse("row<word string, n bigint not null>", &text, &error));
    CHECK(strcmp(text, "ROW<`word` STRING, `n` BIGINT NOT NULL>") == 0);
    millstream_string_free(text);
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "position 10", millstream_schema_parse("ROW<a INT b INT>", &text, &error));
    struct ArrowSchema arrow;
    static const char *const shapes[] = {"BIGINT", "TUPLE<STRING, DOUBLE>", "ROW<`a` ARRAY<INT>, `b` MAP<STRING NOT NULL, DECIMAL(10, 2)> NOT NULL>",
        "ROW<`t` TIMESTAMP_LTZ(3), `c` CHAR(3)>", "OBJECT"};
    for (size_t index = 0; index < sizeof shapes / sizeof *shapes; index++) {
        OK(millstream_schema_to_arrow(shapes[index], &arrow, &error));
        CHECK(strcmp(arrow.format, "+s") == 0);
        OK(millstream_schema_from_arrow(&arrow, &text, &error));
        CHECK(strcmp(text, shapes[index]) == 0);
        millstream_string_free(text);
        arrow.release(&arrow);
    }
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "released", millstream_schema_from_arrow(&arrow, &text, &error));
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "NULL", millstream_schema_from_arrow(NULL, &text, &error));
}

static void windows(void) {
    millstream_node node, out;
    int32_t key = 0;
    OK(millstream_source_sequence(environment, 0, 9, NULL, &node, &error));
    millstream_input input = keyed_by(node, &key);
    millstream_aggregate sum = {MILLSTREAM_SUM, 0, "total"};
    millstream_window window = {.struct_size = sizeof window, .kind = MILLSTREAM_TUMBLING, .size = 1000, .is_event_time = 1, .aggregates = &sum, .aggregate_count = 1};
    OK(millstream_window_operator(environment, &input, &window, &out, &error));
    char *text = NULL;
    OK(millstream_node_schema(environment, out, &text, &error));
    CHECK(strcmp(text, "ROW<`key` BIGINT NOT NULL, `window_start` TIMESTAMP_LTZ(3) NOT NULL, `window_end` TIMESTAMP_LTZ(3) NOT NULL, `total` BIGINT NOT NULL>") == 0);
    millstream_string_free(text);
    millstream_window bad = window;
    bad.size = 0;
    FAILS(MILLSTREAM_CONFIGURATION, "size", millstream_window_operator(environment, &input, &bad, &out, &error));
    bad = window;
    bad.offset = 1000;
    FAILS(MILLSTREAM_CONFIGURATION, "offset", millstream_window_operator(environment, &input, &bad, &out, &error));
    bad.offset = INT64_MIN;
    FAILS(MILLSTREAM_CONFIGURATION, "offset", millstream_window_operator(environment, &input, &bad, &out, &error));
    bad = window;
    bad.kind = MILLSTREAM_SLIDING;
    FAILS(MILLSTREAM_CONFIGURATION, "slide", millstream_window_operator(environment, &input, &bad, &out, &error));
    bad = window;
    bad.kind = 50;
    FAILS(MILLSTREAM_INVALID_ARGUMENT, "window_kind", millstream_window_operator(environment, &input, &bad, &out, &error));
    bad = window;
    bad.allowed_lateness = -1;
    FAILS(MILLSTREAM_CONFIGURATION, "lateness", millstream_window_operator(environment, &input, &bad, &out, &error));
    bad = window;
    bad.aggregate_count = 0;
    FAILS(MILLSTREAM_PLAN, "exactly one", millstream_window_operator(environment, &input, &bad, &out, &error));
    sum.column = 3;
    FAILS(MILLSTREAM_PLAN, "no column 3", millstream_window_operator(environment, &input, &window, &out, &error));
    sum.column = 0;
    sum.name = "key";
    FAILS(MILLSTREAM_PLAN, "called 'key'", millstream_window_operator(environment, &input, &window, &out, &error));
}

int main(void) {
    OK(millstream_environment_create(&environment, &error));
    structs();
    inputs();
    configuration();
    nodes();
    watermarks();
    files();
    expressions();
    schemas();
    windows();
    millstream_environment_free(environment);
    CHECK(released == 1);
    return check_end();
}
