/* Handles that are NULL, freed, foreign, of another kind or made up give MILLSTREAM_INVALID_HANDLE, and freeing them does nothing. */
#include "check.h"

static int32_t nothing(void *context, const millstream_request *request) {
    (void)context;
    (void)request;
    return 0;
}

static void *uintptr(uint64_t number) { return (void *)(uintptr_t)number; }

static void environments(void) {
    millstream_environment *environment = NULL;
    millstream_node node = -7;
    OK(millstream_environment_create(&environment, &error));
    CHECK(environment != NULL);
    OK(millstream_source_sequence(environment, 1, 10, NULL, &node, &error));
    CHECK(node == 0);
    millstream_environment_free(environment);
    millstream_environment_free(environment);
    millstream_environment_free(NULL);
    FAILS(MILLSTREAM_INVALID_HANDLE, "freed already", millstream_source_sequence(environment, 1, 10, NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, "NULL", millstream_source_sequence(NULL, 1, 10, NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, "freed already", millstream_environment_configure(environment, "parallelism.default", "1", &error));
    CHECK(millstream_source_sequence(NULL, 1, 10, NULL, &node, NULL) == MILLSTREAM_INVALID_HANDLE);

    /* A slot that is used again does not revive the handle that had it before. */
    millstream_environment *second = NULL;
    OK(millstream_environment_create(&second, &error));
    CHECK(second != environment);
    FAILS(MILLSTREAM_INVALID_HANDLE, "freed already", millstream_source_sequence(environment, 1, 10, NULL, &node, &error));
    millstream_environment_free(second);

    int local = 0;
    void *foreign[] = {&local, uintptr(1), uintptr(UINT64_MAX), uintptr(0x4D53000000000000), uintptr((uintptr_t)second ^ 1), uintptr((uintptr_t)second ^ (1u << 24))};
    for (size_t index = 0; index < sizeof foreign / sizeof *foreign; index++) {
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_source_sequence(foreign[index], 1, 10, NULL, &node, &error));
        millstream_environment_free(foreign[index]);
        millstream_function_free(foreign[index]);
        millstream_expression_free(foreign[index]);
        millstream_job_free(foreign[index]);
        millstream_error_free(foreign[index]);
    }
}

static void kinds(void) {
    millstream_environment *environment = NULL;
    millstream_expression *expression = NULL;
    millstream_function *function = NULL;
    millstream_node node;
    OK(millstream_environment_create(&environment, &error));
    OK(millstream_expression_column(0, &expression, &error));
    millstream_function_options options = {.struct_size = sizeof options, .call = nothing};
    OK(millstream_function_create(&options, &function, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, "is of an expression", millstream_source_sequence((void *)expression, 1, 2, NULL, &node, &error));
    FAILS(MILLSTREAM_INVALID_HANDLE, "is of a function", millstream_source_sequence((void *)function, 1, 2, NULL, &node, &error));
    millstream_expression_free((void *)function);
    millstream_function_free((void *)environment);
    millstream_job_free((void *)environment);
    OK(millstream_source_sequence(environment, 1, 2, NULL, &node, &error));
    millstream_function_free(function);
    millstream_expression_free(expression);
    millstream_environment_free(environment);
}

static void errors(void) {
    millstream_error *failure = NULL;
    CHECK(millstream_environment_create(NULL, &failure) == MILLSTREAM_INVALID_ARGUMENT);
    CHECK(millstream_error_status(failure) == MILLSTREAM_INVALID_ARGUMENT);
    CHECK(strstr(millstream_error_message(failure), "environment is NULL") != NULL);
    CHECK(millstream_error_hint(failure) == NULL);
    CHECK(millstream_error_operator(failure) == NULL);
    CHECK(millstream_error_record(failure) == -1);
    CHECK(millstream_error_exception(failure) == NULL);
    millstream_error_free(failure);
    millstream_error_free(failure);
    CHECK(millstream_error_status(failure) == MILLSTREAM_INVALID_HANDLE);
    CHECK(millstream_error_message(failure) != NULL);
    CHECK(millstream_error_status(NULL) == MILLSTREAM_INVALID_HANDLE);
    CHECK(millstream_error_message(NULL) != NULL);
    CHECK(millstream_error_hint(NULL) == NULL);
    CHECK(millstream_error_exception(NULL) == NULL);
    CHECK(millstream_error_record(NULL) == -1);
}

/* A response or a state that was never given, or that was made up. */
static void calls(void) {
    int local = 0;
    void *handles[] = {NULL, &local, uintptr(0x4D5A000000000000), uintptr(0x4D5B00000000FFFF), uintptr(0x4D5A000000000001)};
    for (size_t index = 0; index < sizeof handles / sizeof *handles; index++) {
        millstream_value value;
        int64_t count;
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_response_emit(handles[index], NULL, NULL, NULL, NULL, NULL, &error));
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_response_accumulators(handles[index], NULL, &error));
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_state_get(handles[index], 0, 0, &value, &error));
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_state_count(handles[index], 0, 0, &count, &error));
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_timer_register(handles[index], 0, MILLSTREAM_EVENT_TIME_DOMAIN, 0, &error));
        CHECK(millstream_state_watermark(handles[index]) == INT64_MIN);
        millstream_response_end(handles[index]);
        millstream_response_resume(handles[index], 1);
        millstream_response_wait(handles[index], 1);
        millstream_response_integer(handles[index], 1);
        millstream_response_fail(handles[index], MILLSTREAM_IO, "nobody hears it", 0, NULL);
    }
}

static void many(void) {
    enum { COUNT = 100000 };
    static millstream_expression *expressions[COUNT];
    for (int index = 0; index < COUNT; index++) CHECK(millstream_expression_column(index, &expressions[index], NULL) == MILLSTREAM_OK);
    for (int index = 0; index < COUNT; index++) millstream_expression_free(expressions[index]);
    for (int index = 0; index < COUNT; index += 997) {
        millstream_expression *out = NULL;
        FAILS(MILLSTREAM_INVALID_HANDLE, NULL, millstream_expression_unary(MILLSTREAM_NOT, expressions[index], &out, &error));
    }
}

int main(void) {
    CHECK(millstream_abi_version() == MILLSTREAM_ABI_VERSION);
    CHECK(strcmp(millstream_version(), "0.1.0") == 0);
    environments();
    kinds();
    errors();
    calls();
    many();
    return check_end();
}
