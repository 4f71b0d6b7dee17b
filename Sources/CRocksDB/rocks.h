#ifndef MILLSTREAM_ROCKS_H
#define MILLSTREAM_ROCKS_H

// What State takes from RocksDB, a call per batch. The functions are in a library of their own, libmillstream_rocksdb.so (Sources/RocksDBLibrary), which is loaded when the
// first store is opened: RocksDB costs 8 MB and 5 ms that other programs need not pay.
//
// No function throws. Those with an error return false where they failed. Strings are packed: string i is bytes[ends[i - 1] .. ends[i]), from 0 for the first.
// A store is used by one thread at a time; snapshots and cursors by one thread each, also beside the store.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { rocks_version = 2, rocks_text_size = 1024 };

enum rocks_error_kind {
    rocks_error_none = 0,
    rocks_error_io = 1,
    rocks_error_no_space = 2,
    rocks_error_corruption = 3,
    rocks_error_other = 4,
};

struct rocks_error {
    int32_t kind;
    char text[rocks_text_size];
};

// What all stores of a process share: a cache of blocks, the limit of all write buffers, which count as part of the cache, and threads.
typedef struct rocks_memory rocks_memory;
typedef struct rocks_store rocks_store;
typedef struct rocks_snapshot rocks_snapshot;
typedef struct rocks_cursor rocks_cursor;
typedef struct rocks_capture rocks_capture;

struct rocks_memory_options {
    uint64_t byte_count;
    // The part of it for write buffers, and the part that filters and indices have first.
    double write_buffer_ratio;
    double high_priority_ratio;
    int32_t background_threads;
};

struct rocks_options {
    uint64_t write_buffer_byte_count;
    int32_t write_buffer_count;
    uint64_t block_byte_count;
    double filter_bits_per_key;
    bool filter_at_last_level;
    // 0 none, 1 lz4, 2 zstd: of the levels below the second.
    int32_t compression;
    uint64_t file_byte_count;
    uint64_t level_base_byte_count;
    int32_t open_file_count_max;
};

struct rocks_strings {
    const void *bytes;
    const ptrdiff_t *ends;
    const uint8_t *absent;
    size_t count;
};

struct rocks_functions {
    uint32_t version;
    rocks_memory *(*memory_create)(const struct rocks_memory_options *options, struct rocks_error *error);
    void (*memory_resize)(rocks_memory *memory, uint64_t byte_count, double write_buffer_ratio);
    uint64_t (*memory_used)(rocks_memory *memory);

    // Opens or creates the store in a directory.
    rocks_store *(*open)(rocks_memory *memory, const char *path, const struct rocks_options *options, struct rocks_error *error);
    // Behind its snapshots' and cursors' end.
    void (*close)(rocks_store *store);
    // Finds the values and holds them until `take`, which copies them into `bytes`, as many as `byte_count` said, with their ends and marks.
    bool (*get)(rocks_store *store, const struct rocks_strings *keys, size_t *byte_count, struct rocks_error *error);
    void (*take)(rocks_store *store, void *bytes, ptrdiff_t *ends, uint8_t *absent);
    bool (*write)(rocks_store *store, const struct rocks_strings *keys, const struct rocks_strings *values, struct rocks_error *error);
    // `upper` NULL: to the end.
    bool (*delete_range)(
        rocks_store *store, const void *lower, size_t lower_count, const void *upper, size_t upper_count, struct rocks_error *error);
    // Like `delete_range`; files that lie within go at once.
    bool (*drop_range)(
        rocks_store *store, const void *lower, size_t lower_count, const void *upper, size_t upper_count, struct rocks_error *error);
    uint64_t (*byte_count)(rocks_store *store);
    // A number of RocksDB's own, for tests and benchmarks; 0 where there is none of that name.
    uint64_t (*property)(rocks_store *store, const char *name);

    rocks_snapshot *(*snapshot_create)(rocks_store *store);
    void (*snapshot_free)(rocks_store *store, rocks_snapshot *snapshot);
    // `snapshot` NULL: the entries of now. `once`: each is read once, so that it should not push others out of the cache.
    rocks_cursor *(*cursor_create)(
        rocks_store *store, rocks_snapshot *snapshot, bool once, const void *lower, size_t lower_count, const void *upper, size_t upper_count);
    // The next entries, valid until the next call: at most so many, and not many more bytes than that. None at the end.
    bool (*cursor_next)(
        rocks_cursor *cursor, size_t count_max, size_t byte_count_max, struct rocks_strings *keys, struct rocks_strings *values,
        struct rocks_error *error);
    void (*cursor_free)(rocks_cursor *cursor);

    // The store as it is now, in a directory that is not there yet: its files are linked, not copied. What is in memory becomes a file first, on a thread of its own: until
    // that is done nothing may be written to the store, which may be read meanwhile.
    rocks_capture *(*capture_begin)(rocks_store *store, const char *path, struct rocks_error *error);
    // From any thread.
    bool (*capture_is_done)(const rocks_capture *capture);
    // Waits until it is done; false where it failed. From any thread.
    bool (*capture_wait)(rocks_capture *capture, struct rocks_error *error);
    // Waits until it is done. Comes before the store's end.
    void (*capture_free)(rocks_capture *capture);
    // Takes over the entries of a cursor, all of whose keys lie beside those that the store has; makes its files at paths that begin with `path`.
    bool (*ingest)(rocks_store *store, rocks_cursor *cursor, const char *path, struct rocks_error *error);
};

// What the library exports.
const struct rocks_functions *millstream_rocksdb(void);

#ifndef __cplusplus
// dladdr, which Swift's Glibc does not show: the path of the library or program that an address lies in, or NULL.
struct rocks_image {
    const char *path;
    void *base;
    const char *symbol;
    void *symbol_address;
};
int dladdr(const void *address, struct rocks_image *image);
#endif

#ifdef __cplusplus
}
#endif
#endif
