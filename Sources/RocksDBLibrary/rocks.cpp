// RocksDB behind the functions of CRocksDB/rocks.h. A batch of keys is one call.

#include "../CRocksDB/rocks.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

using rocksdb::Slice;
using rocksdb::Status;

struct rocks_memory {
    std::shared_ptr<rocksdb::Cache> cache;
    std::shared_ptr<rocksdb::WriteBufferManager> buffers;
    int background_threads = 0;
};

// A key's place in its batch, and its first bytes behind those that all keys of the batch share, as a number that compares as they do.
struct rocks_rank {
    uint64_t head;
    uint32_t place;
};

struct rocks_store {
    std::unique_ptr<rocksdb::DB> db;
    rocksdb::ReadOptions reading;
    rocksdb::WriteOptions writing;
    // Kept from batch to batch.
    std::vector<rocks_rank> ranks;
    std::vector<Slice> keys;
    std::vector<rocksdb::PinnableSlice> values;
    std::vector<Status> statuses;
    std::vector<uint32_t> slots;
    size_t found_count = 0;
    rocksdb::WriteBatch batch;
};

struct rocks_snapshot {
    const rocksdb::Snapshot *snapshot;
};

struct rocks_cursor {
    std::unique_ptr<rocksdb::Iterator> iterator;
    std::string upper;
    Slice upper_slice;
    std::string key_bytes, value_bytes;
    std::vector<ptrdiff_t> key_ends, value_ends;
    std::vector<uint8_t> absent;
};

namespace {

bool fail(struct rocks_error *error, int32_t kind, const char *text) {
    error->kind = kind;
    std::strncpy(error->text, text, sizeof error->text - 1);
    error->text[sizeof error->text - 1] = 0;
    return false;
}

bool check(const Status &status, struct rocks_error *error) {
    if (status.ok()) return true;
    int32_t kind = status.IsNoSpace()      ? rocks_error_no_space
                   : status.IsCorruption() ? rocks_error_corruption
                   : status.IsIOError()    ? rocks_error_io
                                           : rocks_error_other;
    return fail(error, kind, status.ToString().c_str());
}

// Runs `body`; whatever is thrown (there may be no memory) becomes an error.
template <typename Body> bool guarded(struct rocks_error *error, Body body) {
    try {
        return body();
    } catch (const std::exception &thrown) {
        return fail(error, rocks_error_other, thrown.what());
    } catch (...) {
        return fail(error, rocks_error_other, "an unknown exception");
    }
}

// RocksDB counts each comparison of keys in a variable of the thread, which takes a sixth of the time of a lookup. Nobody reads it.
void quiet() { rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable); }

const char *start(const struct rocks_strings &strings, size_t index) {
    return static_cast<const char *>(strings.bytes) + (index == 0 ? 0 : strings.ends[index - 1]);
}

Slice slice(const struct rocks_strings &strings, size_t index) {
    const char *from = start(strings, index);
    return Slice(from, static_cast<const char *>(strings.bytes) + strings.ends[index] - from);
}

// Sorts a batch's keys; equal ones stay in their order. Most are told apart by eight bytes.
void rank(const struct rocks_strings &keys, std::vector<rocks_rank> &ranks) {
    const size_t count = keys.count;
    ranks.resize(count);
    if (count == 0) return;
    const Slice first = slice(keys, 0);
    size_t shared = first.size();
    for (size_t index = 1; index < count && shared > 0; index++) {
        const Slice key = slice(keys, index);
        shared = std::min(shared, key.size());
        if (std::memcmp(first.data(), key.data(), shared) != 0) shared = first.difference_offset(Slice(key.data(), shared));
    }
    bool sorted = true;
    for (size_t index = 0; index < count; index++) {
        const Slice key = slice(keys, index);
        const size_t left = key.size() - shared;
        uint64_t head = 0;
        std::memcpy(&head, key.data() + shared, std::min<size_t>(left, 8));
        ranks[index] = {__builtin_bswap64(head), static_cast<uint32_t>(index)};
        // Whether the heads alone say so; equal ones are looked at below.
        if (index > 0 && ranks[index - 1].head >= ranks[index].head) sorted = false;
    }
    if (sorted) return;
    std::sort(ranks.begin(), ranks.end(), [&](const rocks_rank &left, const rocks_rank &right) {
        if (left.head != right.head) return left.head < right.head;
        const int order = slice(keys, left.place).compare(slice(keys, right.place));
        return order != 0 ? order < 0 : left.place < right.place;
    });
}

rocks_memory *memory_create(const struct rocks_memory_options *options, struct rocks_error *error) {
    rocks_memory *memory = nullptr;
    guarded(error, [&] {
        std::unique_ptr<rocks_memory> made(new rocks_memory);
        rocksdb::LRUCacheOptions cache(options->byte_count, 6, false, options->high_priority_ratio);
        cache.metadata_charge_policy = rocksdb::kFullChargeCacheMetadata;
        made->cache = rocksdb::NewLRUCache(cache);
        made->buffers = std::make_shared<rocksdb::WriteBufferManager>(
            static_cast<size_t>(static_cast<double>(options->byte_count) * options->write_buffer_ratio), made->cache);
        made->background_threads = std::max(1, options->background_threads);
        rocksdb::Env *env = rocksdb::Env::Default();
        env->SetBackgroundThreads(made->background_threads, rocksdb::Env::LOW);
        env->SetBackgroundThreads(1, rocksdb::Env::HIGH);
        memory = made.release();
        return true;
    });
    return memory;
}

void memory_resize(rocks_memory *memory, uint64_t byte_count, double write_buffer_ratio) {
    memory->cache->SetCapacity(byte_count);
    memory->buffers->SetBufferSize(static_cast<size_t>(static_cast<double>(byte_count) * write_buffer_ratio));
}

uint64_t memory_used(rocks_memory *memory) { return memory->cache->GetUsage(); }

rocksdb::Options options_for(rocks_memory *memory, const struct rocks_options *wanted) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.max_background_jobs = memory->background_threads + 1;
    options.max_subcompactions = 1;
    options.max_open_files = wanted->open_file_count_max;
    options.max_file_opening_threads = 2;
    options.skip_stats_update_on_db_open = true;
    options.skip_checking_sst_file_sizes_on_db_open = true;
    // There is no log to keep in step with; what is not in a checkpoint is not needed after a crash.
    options.avoid_flush_during_shutdown = true;
    options.avoid_unnecessary_blocking_io = true;
    options.allow_concurrent_memtable_write = false;
    options.enable_write_thread_adaptive_yield = false;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.info_log_level = rocksdb::WARN_LEVEL;
    options.keep_log_file_num = 1;
    options.write_buffer_manager = memory->buffers;

    options.write_buffer_size = wanted->write_buffer_byte_count;
    options.max_write_buffer_number = wanted->write_buffer_count;
    options.memtable_whole_key_filtering = true;
    options.memtable_prefix_bloom_size_ratio = 0.1;
    options.target_file_size_base = wanted->file_byte_count;
    options.max_bytes_for_level_base = wanted->level_base_byte_count;
    options.level_compaction_dynamic_level_bytes = true;
    options.optimize_filters_for_hits = !wanted->filter_at_last_level;
    options.bytes_per_sync = 1 << 20;
    const rocksdb::CompressionType types[] = {rocksdb::kNoCompression, rocksdb::kLZ4Compression, rocksdb::kZSTD};
    const rocksdb::CompressionType below = types[std::clamp(wanted->compression, 0, 2)];
    options.compression = below;
    options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression, below};

    rocksdb::BlockBasedTableOptions table;
    table.block_cache = memory->cache;
    table.block_size = wanted->block_byte_count;
    table.format_version = 5;
    table.checksum = rocksdb::kXXH3;
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.pin_top_level_index_and_filter = true;
    table.metadata_cache_options.top_level_index_pinning = rocksdb::PinningTier::kAll;
    table.metadata_cache_options.partition_pinning = rocksdb::PinningTier::kFlushedAndSimilar;
    table.metadata_cache_options.unpartitioned_pinning = rocksdb::PinningTier::kFlushedAndSimilar;
    table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    if (wanted->filter_bits_per_key > 0) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(wanted->filter_bits_per_key));
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

rocks_store *store_open(rocks_memory *memory, const char *path, const struct rocks_options *wanted, struct rocks_error *error) {
    rocks_store *store = nullptr;
    guarded(error, [&] {
        std::unique_ptr<rocks_store> made(new rocks_store);
        rocksdb::DB *db = nullptr;
        if (!check(rocksdb::DB::Open(options_for(memory, wanted), path, &db), error)) return false;
        made->db.reset(db);
        made->writing.disableWAL = true;
        store = made.release();
        return true;
    });
    return store;
}

void store_close(rocks_store *store) { delete store; }

bool store_get(rocks_store *store, const struct rocks_strings *keys, size_t *byte_count, struct rocks_error *error) {
    return guarded(error, [&] {
        quiet();
        const size_t count = keys->count;
        rank(*keys, store->ranks);
        if (store->values.size() < count) {
            store->values.resize(count);
            store->statuses.resize(count);
        }
        store->keys.resize(count);
        store->slots.resize(count);
        // A key that comes more than once is looked up once.
        size_t distinct = 0;
        for (size_t index = 0; index < count; index++) {
            const uint32_t place = store->ranks[index].place;
            const Slice key = slice(*keys, place);
            if (distinct == 0 || store->keys[distinct - 1] != key) store->keys[distinct++] = key;
            store->slots[place] = static_cast<uint32_t>(distinct - 1);
        }
        for (size_t index = 0; index < distinct; index++) store->values[index].Reset();
        store->db->MultiGet(
            store->reading, store->db->DefaultColumnFamily(), distinct, store->keys.data(), store->values.data(), store->statuses.data(), true);
        for (size_t index = 0; index < distinct; index++) {
            const Status &status = store->statuses[index];
            if (!status.ok() && !status.IsNotFound()) return check(status, error);
        }
        size_t total = 0;
        for (size_t index = 0; index < count; index++) {
            const uint32_t slot = store->slots[index];
            if (store->statuses[slot].ok()) total += store->values[slot].size();
        }
        store->found_count = distinct;
        *byte_count = total;
        return true;
    });
}

void store_take(rocks_store *store, void *bytes, ptrdiff_t *ends, uint8_t *absent) {
    char *target = static_cast<char *>(bytes);
    ptrdiff_t end = 0;
    const size_t count = store->slots.size();
    for (size_t index = 0; index < count; index++) {
        const uint32_t slot = store->slots[index];
        const bool is_there = store->statuses[slot].ok();
        if (is_there) {
            const rocksdb::PinnableSlice &value = store->values[slot];
            std::memcpy(target + end, value.data(), value.size());
            end += static_cast<ptrdiff_t>(value.size());
        }
        absent[index] = !is_there;
        ends[index] = end;
    }
    // The blocks may go from the cache.
    for (size_t index = 0; index < store->found_count; index++) store->values[index].Reset();
    store->found_count = 0;
}

bool store_write(rocks_store *store, const struct rocks_strings *keys, const struct rocks_strings *values, struct rocks_error *error) {
    return guarded(error, [&] {
        quiet();
        store->batch.Clear();
        rank(*keys, store->ranks);
        for (size_t index = 0; index < keys->count; index++) {
            const uint32_t place = store->ranks[index].place;
            const Status status =
                values->absent[place] ? store->batch.Delete(slice(*keys, place)) : store->batch.Put(slice(*keys, place), slice(*values, place));
            if (!status.ok()) return check(status, error);
        }
        return check(store->db->Write(store->writing, &store->batch), error);
    });
}

// The end of the last key, where a range has none.
bool upper_bound(rocks_store *store, const void *upper, size_t upper_count, std::string &bound) {
    if (upper != nullptr) {
        bound.assign(static_cast<const char *>(upper), upper_count);
        return true;
    }
    std::unique_ptr<rocksdb::Iterator> last(store->db->NewIterator(store->reading));
    last->SeekToLast();
    if (!last->Valid()) return false;
    bound = last->key().ToString() + '\0';
    return true;
}

bool store_delete_range(
    rocks_store *store, const void *lower, size_t lower_count, const void *upper, size_t upper_count, struct rocks_error *error) {
    return guarded(error, [&] {
        std::string bound;
        const Slice from(static_cast<const char *>(lower), lower_count);
        if (!upper_bound(store, upper, upper_count, bound) || from.compare(bound) >= 0) return true;
        return check(store->db->DeleteRange(store->writing, store->db->DefaultColumnFamily(), from, bound), error);
    });
}

bool store_drop_range(
    rocks_store *store, const void *lower, size_t lower_count, const void *upper, size_t upper_count, struct rocks_error *error) {
    return guarded(error, [&] {
        std::string bound;
        const Slice from(static_cast<const char *>(lower), lower_count);
        if (!upper_bound(store, upper, upper_count, bound) || from.compare(bound) >= 0) return true;
        const Slice to(bound);
        if (!check(rocksdb::DeleteFilesInRange(store->db.get(), store->db->DefaultColumnFamily(), &from, &to, false), error)) return false;
        return check(store->db->DeleteRange(store->writing, store->db->DefaultColumnFamily(), from, to), error);
    });
}

uint64_t store_property(rocks_store *store, const char *name) {
    uint64_t value = 0;
    return store->db->GetIntProperty(name, &value) ? value : 0;
}

uint64_t store_byte_count(rocks_store *store) {
    return store_property(store, "rocksdb.live-sst-files-size") + store_property(store, "rocksdb.cur-size-all-mem-tables");
}

rocks_snapshot *snapshot_create(rocks_store *store) { return new rocks_snapshot{store->db->GetSnapshot()}; }

void snapshot_free(rocks_store *store, rocks_snapshot *snapshot) {
    store->db->ReleaseSnapshot(snapshot->snapshot);
    delete snapshot;
}

rocks_cursor *cursor_create(
    rocks_store *store, rocks_snapshot *snapshot, bool once, const void *lower, size_t lower_count, const void *upper, size_t upper_count) {
    rocks_cursor *cursor = new rocks_cursor;
    rocksdb::ReadOptions reading;
    reading.snapshot = snapshot ? snapshot->snapshot : nullptr;
    reading.fill_cache = !once;
    if (once) reading.readahead_size = 2 << 20;
    if (upper != nullptr) {
        cursor->upper.assign(static_cast<const char *>(upper), upper_count);
        cursor->upper_slice = cursor->upper;
        reading.iterate_upper_bound = &cursor->upper_slice;
    }
    cursor->iterator.reset(store->db->NewIterator(reading));
    cursor->iterator->Seek(Slice(static_cast<const char *>(lower), lower_count));
    return cursor;
}

bool cursor_next(
    rocks_cursor *cursor, size_t count_max, size_t byte_count_max, struct rocks_strings *keys, struct rocks_strings *values,
    struct rocks_error *error) {
    return guarded(error, [&] {
        cursor->key_bytes.clear();
        cursor->value_bytes.clear();
        cursor->key_ends.clear();
        cursor->value_ends.clear();
        rocksdb::Iterator &iterator = *cursor->iterator;
        while (iterator.Valid() && cursor->key_ends.size() < count_max && cursor->key_bytes.size() + cursor->value_bytes.size() < byte_count_max) {
            const Slice key = iterator.key(), value = iterator.value();
            cursor->key_bytes.append(key.data(), key.size());
            cursor->value_bytes.append(value.data(), value.size());
            cursor->key_ends.push_back(static_cast<ptrdiff_t>(cursor->key_bytes.size()));
            cursor->value_ends.push_back(static_cast<ptrdiff_t>(cursor->value_bytes.size()));
            iterator.Next();
        }
        if (!iterator.Valid() && !check(iterator.status(), error)) return false;
        cursor->absent.assign(cursor->key_ends.size(), 0);
        *keys = {cursor->key_bytes.data(), cursor->key_ends.data(), cursor->absent.data(), cursor->key_ends.size()};
        *values = {cursor->value_bytes.data(), cursor->value_ends.data(), cursor->absent.data(), cursor->value_ends.size()};
        return true;
    });
}

void cursor_free(rocks_cursor *cursor) { delete cursor; }

bool store_checkpoint(rocks_store *store, const char *path, struct rocks_error *error) {
    return guarded(error, [&] {
        rocksdb::Checkpoint *made = nullptr;
        if (!check(rocksdb::Checkpoint::Create(store->db.get(), &made), error)) return false;
        std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
        return check(checkpoint->CreateCheckpoint(path, 0), error);
    });
}

bool store_ingest(rocks_store *store, rocks_cursor *cursor, const char *path, struct rocks_error *error) {
    return guarded(error, [&] {
        const rocksdb::Options options = store->db->GetOptions();
        std::vector<std::string> files;
        rocksdb::Iterator &iterator = *cursor->iterator;
        while (iterator.Valid()) {
            rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
            const std::string file = path + std::to_string(files.size()) + ".ingest";
            if (!check(writer.Open(file), error)) return false;
            while (iterator.Valid() && writer.FileSize() < options.target_file_size_base) {
                if (!check(writer.Put(iterator.key(), iterator.value()), error)) return false;
                iterator.Next();
            }
            if (!check(writer.Finish(), error)) return false;
            files.push_back(file);
        }
        if (!check(iterator.status(), error)) return false;
        if (files.empty()) return true;
        rocksdb::IngestExternalFileOptions moving;
        moving.move_files = true;
        return check(store->db->IngestExternalFile(files, moving), error);
    });
}

const struct rocks_functions functions = {
    rocks_version,
    memory_create,
    memory_resize,
    memory_used,
    store_open,
    store_close,
    store_get,
    store_take,
    store_write,
    store_delete_range,
    store_drop_range,
    store_byte_count,
    store_property,
    snapshot_create,
    snapshot_free,
    cursor_create,
    cursor_next,
    cursor_free,
    store_checkpoint,
    store_ingest,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const struct rocks_functions *millstream_rocksdb(void) { return &functions; }
