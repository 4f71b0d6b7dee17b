// RocksDB behind the functions of CRocksDB/rocks.h. A batch of keys is one call.

#include "../CRocksDB/rocks.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
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
    std::unique_ptr<rocksdb::Env> env;
    int background_threads = 0;
};

// A key's place in its batch, and its first bytes behind those that all keys of the batch share, as a number that compares as they do.
struct rocks_rank {
    uint64_t head;
    uint32_t place;
};

// Keys that are read together. Their blocks are held meanwhile: more of them would push the filters out of the cache.
constexpr size_t read_count = 256;

struct rocks_store {
    std::unique_ptr<rocksdb::DB> db;
    rocksdb::ReadOptions reading;
    rocksdb::WriteOptions writing;
    // Kept from batch to batch.
    std::vector<rocks_rank> ranks;
    std::vector<Slice> keys;
    rocksdb::PinnableSlice values[read_count];
    Status statuses[read_count];
    std::vector<uint32_t> slots;
    // What `get` has found, of each key once, in the order of keys; `slots` says where a key's value is there.
    std::string found;
    std::vector<ptrdiff_t> found_ends;
    std::vector<uint8_t> missing;
    bool is_in_order = false;
    rocksdb::WriteBatch batch;
};

struct rocks_snapshot {
    const rocksdb::Snapshot *snapshot;
    // Its last cursor's, which the next one goes on with: an iterator has to put the write buffer in order.
    std::unique_ptr<rocksdb::Iterator> idle;
};

struct rocks_cursor {
    std::unique_ptr<rocksdb::Iterator> iterator;
    // Whose iterator it is, if any.
    rocks_snapshot *snapshot = nullptr;
    std::string upper;
    bool has_upper = false;
    std::string key_bytes, value_bytes;
    std::vector<ptrdiff_t> key_ends, value_ends;
    std::vector<uint8_t> absent;
};

struct rocks_capture {
    rocksdb::DB *db = nullptr;
    std::string path;
    std::thread thread;
    std::mutex mutex;
    std::condition_variable ended;
    std::atomic<bool> is_done{false};
    bool is_right = false;
    struct rocks_error error = {};
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

// The entries of a write buffer, found by a hash of their keys, and put in order when they are read in order: when the buffer is written to a file. A sorted list, which
// RocksDB has otherwise, costs a dozen cache misses for each entry.
//
// One thread inserts and looks up; others read in order meanwhile.
class HashedBuffer final : public rocksdb::MemTableRep {
  public:
    HashedBuffer(const KeyComparator &comparator, rocksdb::Allocator *allocator) : MemTableRep(allocator), comparator(comparator) {}

    rocksdb::KeyHandle Allocate(const size_t length, char **text) override {
        Entry *entry = static_cast<Entry *>(allocate(sizeof(Entry) + length));
        *text = entry->text();
        return entry;
    }

    void Insert(rocksdb::KeyHandle handle) override {
        // An empty buffer takes next to nothing: there may be many. RocksDB's filter of a buffer's keys answers first, so that ways of some entries are seldom gone.
        if (count >= entries_per_bucket * bucket_count) grow();
        Entry *entry = static_cast<Entry *>(handle);
        link(entry);
        entry->older = newest.load(std::memory_order_relaxed);
        newest.store(entry, std::memory_order_release);
        count++;
    }

    bool Contains(const char *text) const override {
        const Slice key = user_key(text);
        for (const Entry *entry = first(key); entry != nullptr; entry = entry->next)
            if (comparator(entry->text(), text) == 0) return true;
        return false;
    }

    static constexpr size_t entries_per_bucket = 4;

    // All of it is the allocator's.
    size_t ApproximateMemoryUsage() override { return 0; }

    Iterator *GetIterator(rocksdb::Arena *) override {
        // Whoever asks with an arena never gives the memory back, and who asks without one deletes it: it lives as long as the buffer, and is little.
        std::lock_guard<std::mutex> guard(ordering);
        places.emplace_back(new Place);
        return new (places.back().get()) Ordered(*this, order());
    }

    // RocksDB looks keys up with it, in the thread that inserts.
    Iterator *GetDynamicPrefixIterator(rocksdb::Arena *) override { return new (&lookup) Lookup(*this); }

  private:
    struct Entry {
        // Of the bucket; not newer.
        Entry *next;
        // What came before it. Other threads follow these alone.
        Entry *older;
        char *text() { return reinterpret_cast<char *>(this + 1); }
        const char *text() const { return reinterpret_cast<const char *>(this + 1); }
    };

    // An entry with the first bytes of its key, as a number that compares as they do.
    struct Ranked {
        uint64_t head;
        const char *text;
    };
    using Order = std::vector<Ranked>;

    void *allocate(size_t byte_count) {
        constexpr uintptr_t last = alignof(Entry) - 1;
        char *bytes = nullptr;
        MemTableRep::Allocate(byte_count + last, &bytes);
        return reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(bytes) + last) & ~last);
    }

    // A text begins with the length of the internal key: the user's, and eight bytes.
    static Slice user_key(const char *text) {
        uint32_t length = 0;
        for (int shift = 0;; shift += 7) {
            const unsigned char byte = static_cast<unsigned char>(*text++);
            length |= static_cast<uint32_t>(byte & 127) << shift;
            if (byte < 128) return Slice(text, length - 8);
        }
    }

    static uint64_t hash(const Slice &key) {
        constexpr uint64_t factor = 0x9FB21C651E98DF25ULL;
        uint64_t state = key.size() * factor;
        const char *from = key.data();
        size_t left = key.size();
        while (left > 0) {
            uint64_t word = 0;
            const size_t taken = std::min<size_t>(left, sizeof word);
            std::memcpy(&word, from, taken);
            state = (state ^ word) * factor;
            state ^= state >> 32;
            from += taken;
            left -= taken;
        }
        return state ^ state >> 29;
    }

    const Entry *first(const Slice &key) const { return bucket_count == 0 ? nullptr : buckets[hash(key) & (bucket_count - 1)]; }

    void link(Entry *entry) {
        Entry *&bucket = buckets[hash(user_key(entry->text())) & (bucket_count - 1)];
        entry->next = bucket;
        bucket = entry;
    }

    // The former buckets stay with the allocator: a third of the new ones' size.
    void grow() {
        bucket_count = std::max<size_t>(64, bucket_count * 4);
        buckets = static_cast<Entry **>(allocate(bucket_count * sizeof(Entry *)));
        std::fill(buckets, buckets + bucket_count, nullptr);
        // From the newest to the oldest: each goes to its bucket's end, which is where `link` would have put it.
        std::vector<Entry **> ends(bucket_count);
        for (size_t bucket = 0; bucket < bucket_count; bucket++) ends[bucket] = &buckets[bucket];
        for (Entry *entry = newest.load(std::memory_order_relaxed); entry != nullptr; entry = entry->older) {
            Entry **&end = ends[hash(user_key(entry->text())) & (bucket_count - 1)];
            entry->next = nullptr;
            *end = entry;
            end = &entry->next;
        }
    }

    // The entries of now; with `ordering` held.
    std::shared_ptr<const Order> order() {
        const Entry *last = newest.load(std::memory_order_acquire);
        if (ordered != nullptr && ordered_last == last) return ordered;
        auto made = std::make_shared<Order>();
        for (const Entry *entry = last; entry != nullptr; entry = entry->older) {
            const Slice key = user_key(entry->text());
            uint64_t head = 0;
            std::memcpy(&head, key.data(), std::min<size_t>(key.size(), sizeof head));
            made->push_back({__builtin_bswap64(head), entry->text()});
        }
        std::sort(made->begin(), made->end(), [this](const Ranked &left, const Ranked &right) {
            return left.head != right.head ? left.head < right.head : comparator(left.text, right.text) < 0;
        });
        ordered = made;
        ordered_last = last;
        return made;
    }

    // The entries of one key, newest first.
    class Lookup final : public Iterator {
      public:
        explicit Lookup(const HashedBuffer &buffer) : buffer(buffer) {}
        static void operator delete(void *) {}
        static void *operator new(size_t, void *place) { return place; }
        bool Valid() const override { return entry != nullptr; }
        const char *key() const override { return entry->text(); }
        void Next() override {
            entry = entry->next;
            skip();
        }
        void Seek(const Slice &internal_key, const char *) override {
            from = internal_key;
            wanted = Slice(internal_key.data(), internal_key.size() - 8);
            entry = buffer.first(wanted);
            skip();
        }
        // One key has no order.
        void Prev() override { entry = nullptr; }
        void SeekForPrev(const Slice &, const char *) override { entry = nullptr; }
        void SeekToFirst() override { entry = nullptr; }
        void SeekToLast() override { entry = nullptr; }

      private:
        void skip() {
            while (entry != nullptr && (user_key(entry->text()) != wanted || buffer.comparator(entry->text(), from) < 0)) entry = entry->next;
        }

        const HashedBuffer &buffer;
        const Entry *entry = nullptr;
        Slice from, wanted;
    };

    class Ordered final : public Iterator {
      public:
        Ordered(const HashedBuffer &buffer, std::shared_ptr<const Order> order) : buffer(buffer), order(std::move(order)), place(this->order->size()) {}
        static void operator delete(void *) {}
        static void *operator new(size_t, void *place) { return place; }
        bool Valid() const override { return place < order->size(); }
        const char *key() const override { return (*order)[place].text; }
        void Next() override { place++; }
        void Prev() override { place = place == 0 ? order->size() : place - 1; }
        void Seek(const Slice &internal_key, const char *text) override {
            place = static_cast<size_t>(
                std::partition_point(order->begin(), order->end(), [&](const Ranked &entry) { return compare(entry.text, internal_key, text) < 0; }) -
                order->begin());
        }
        void SeekForPrev(const Slice &internal_key, const char *text) override {
            Seek(internal_key, text);
            if (!Valid()) return SeekToLast();
            if (compare(key(), internal_key, text) > 0) Prev();
        }
        void SeekToFirst() override { place = 0; }
        void SeekToLast() override { place = order->empty() ? 0 : order->size() - 1; }

      private:
        int compare(const char *entry, const Slice &internal_key, const char *text) const {
            return text != nullptr ? buffer.comparator(entry, text) : buffer.comparator(entry, internal_key);
        }

        const HashedBuffer &buffer;
        std::shared_ptr<const Order> order;
        size_t place;
    };

    struct Place {
        alignas(Ordered) char bytes[sizeof(Ordered)];
    };

    const KeyComparator &comparator;
    std::atomic<Entry *> newest{nullptr};
    // Of the thread that inserts.
    size_t count = 0;
    size_t bucket_count = 0;
    Entry **buckets = nullptr;
    alignas(Lookup) char lookup[sizeof(Lookup)];

    std::mutex ordering;
    std::shared_ptr<const Order> ordered;
    const Entry *ordered_last = nullptr;
    std::vector<std::unique_ptr<Place>> places;
};

class HashedBufferFactory final : public rocksdb::MemTableRepFactory {
  public:
    rocksdb::MemTableRep *CreateMemTableRep(
        const rocksdb::MemTableRep::KeyComparator &comparator, rocksdb::Allocator *allocator, const rocksdb::SliceTransform *, rocksdb::Logger *) override {
        return new HashedBuffer(comparator, allocator);
    }
    const char *Name() const override { return "millstream.HashedBuffer"; }
};

// A store's directory is worth nothing after a crash of the machine, and what a checkpoint takes from it is synced there: nothing is synced here.
class UnsyncedFile final : public rocksdb::FSWritableFileOwnerWrapper {
  public:
    explicit UnsyncedFile(std::unique_ptr<rocksdb::FSWritableFile> &&file) : FSWritableFileOwnerWrapper(std::move(file)) {}
    rocksdb::IOStatus Sync(const rocksdb::IOOptions &, rocksdb::IODebugContext *) override { return rocksdb::IOStatus::OK(); }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions &, rocksdb::IODebugContext *) override { return rocksdb::IOStatus::OK(); }
    rocksdb::IOStatus RangeSync(uint64_t, uint64_t, const rocksdb::IOOptions &, rocksdb::IODebugContext *) override { return rocksdb::IOStatus::OK(); }
};

class UnsyncedDirectory final : public rocksdb::FSDirectoryWrapper {
  public:
    explicit UnsyncedDirectory(std::unique_ptr<rocksdb::FSDirectory> &&directory) : FSDirectoryWrapper(std::move(directory)) {}
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions &, rocksdb::IODebugContext *) override { return rocksdb::IOStatus::OK(); }
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions &, rocksdb::IODebugContext *, const rocksdb::DirFsyncOptions &) override {
        return rocksdb::IOStatus::OK();
    }
};

class UnsyncedFiles final : public rocksdb::FileSystemWrapper {
  public:
    UnsyncedFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
    const char *Name() const override { return "millstream.UnsyncedFiles"; }
    rocksdb::IOStatus NewWritableFile(
        const std::string &path, const rocksdb::FileOptions &options, std::unique_ptr<rocksdb::FSWritableFile> *made,
        rocksdb::IODebugContext *context) override {
        return wrap(target()->NewWritableFile(path, options, made, context), made);
    }
    rocksdb::IOStatus ReopenWritableFile(
        const std::string &path, const rocksdb::FileOptions &options, std::unique_ptr<rocksdb::FSWritableFile> *made,
        rocksdb::IODebugContext *context) override {
        return wrap(target()->ReopenWritableFile(path, options, made, context), made);
    }
    rocksdb::IOStatus ReuseWritableFile(
        const std::string &path, const std::string &old, const rocksdb::FileOptions &options, std::unique_ptr<rocksdb::FSWritableFile> *made,
        rocksdb::IODebugContext *context) override {
        return wrap(target()->ReuseWritableFile(path, old, options, made, context), made);
    }
    rocksdb::IOStatus NewDirectory(
        const std::string &path, const rocksdb::IOOptions &options, std::unique_ptr<rocksdb::FSDirectory> *made, rocksdb::IODebugContext *context) override {
        const rocksdb::IOStatus status = target()->NewDirectory(path, options, made, context);
        if (status.ok()) made->reset(new UnsyncedDirectory(std::move(*made)));
        return status;
    }

  private:
    static rocksdb::IOStatus wrap(rocksdb::IOStatus status, std::unique_ptr<rocksdb::FSWritableFile> *made) {
        if (status.ok()) made->reset(new UnsyncedFile(std::move(*made)));
        return status;
    }
};

rocks_memory *memory_create(const struct rocks_memory_options *options, struct rocks_error *error) {
    rocks_memory *memory = nullptr;
    guarded(error, [&] {
        std::unique_ptr<rocks_memory> made(new rocks_memory);
        // Parts of 32 MB or more, because what is larger than one is never kept: a file's filter has some megabytes.
        int part_bits = 0;
        while (part_bits < 6 && options->byte_count >> (part_bits + 1) >= 32 << 20) part_bits++;
        rocksdb::LRUCacheOptions cache(options->byte_count, part_bits, false, options->high_priority_ratio);
        cache.metadata_charge_policy = rocksdb::kFullChargeCacheMetadata;
        made->cache = rocksdb::NewLRUCache(cache);
        made->buffers = std::make_shared<rocksdb::WriteBufferManager>(
            static_cast<size_t>(static_cast<double>(options->byte_count) * options->write_buffer_ratio), made->cache);
        made->background_threads = std::max(1, options->background_threads);
        made->env = rocksdb::NewCompositeEnv(std::make_shared<UnsyncedFiles>());
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
    options.env = memory->env.get();
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
    options.memtable_factory = std::make_shared<HashedBufferFactory>();
    // Merged with the next level when there are so many: each time that level is written anew. Until then a key is looked for in the filters of all.
    options.level0_file_num_compaction_trigger = 8;
    options.memtable_whole_key_filtering = true;
    options.memtable_prefix_bloom_size_ratio = 0.1;
    options.target_file_size_base = wanted->file_byte_count;
    options.max_bytes_for_level_base = wanted->level_base_byte_count;
    options.level_compaction_dynamic_level_bytes = true;
    options.optimize_filters_for_hits = !wanted->filter_at_last_level;
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
        // Keys that are asked for are in memory afterwards, and their blocks are not asked for again soon: to keep them costs more than a third of a read, and pushes out what
        // is of use. Indices and filters stay all the same, and the system has the files in memory that nobody else needs.
        made->reading.fill_cache = false;
        store = made.release();
        return true;
    });
    return store;
}

void store_close(rocks_store *store) { delete store; }

Slice found(const rocks_store *store, uint32_t slot) {
    const ptrdiff_t from = slot == 0 ? 0 : store->found_ends[slot - 1];
    return Slice(store->found.data() + from, static_cast<size_t>(store->found_ends[slot] - from));
}

bool store_get(rocks_store *store, const struct rocks_strings *keys, size_t *byte_count, struct rocks_error *error) {
    return guarded(error, [&] {
        quiet();
        const size_t count = keys->count;
        rank(*keys, store->ranks);
        store->keys.resize(count);
        store->slots.resize(count);
        // A key that comes more than once is looked up once.
        size_t distinct = 0;
        store->is_in_order = true;
        for (size_t index = 0; index < count; index++) {
            const uint32_t place = store->ranks[index].place;
            const Slice key = slice(*keys, place);
            if (distinct == 0 || store->keys[distinct - 1] != key) store->keys[distinct++] = key;
            store->slots[place] = static_cast<uint32_t>(distinct - 1);
            if (place != distinct - 1) store->is_in_order = false;
        }
        store->found.clear();
        store->found_ends.resize(distinct);
        store->missing.resize(distinct);
        for (size_t from = 0; from < distinct; from += read_count) {
            const size_t part = std::min(read_count, distinct - from);
            store->db->MultiGet(
                store->reading, store->db->DefaultColumnFamily(), part, store->keys.data() + from, store->values, store->statuses, true);
            for (size_t index = 0; index < part; index++) {
                const Status &status = store->statuses[index];
                if (!status.ok() && !status.IsNotFound()) {
                    for (rocksdb::PinnableSlice &value : store->values) value.Reset();
                    return check(status, error);
                }
                store->missing[from + index] = !status.ok();
                if (status.ok()) store->found.append(store->values[index].data(), store->values[index].size());
                store->found_ends[from + index] = static_cast<ptrdiff_t>(store->found.size());
                store->values[index].Reset();
            }
        }
        size_t total = 0;
        for (size_t index = 0; index < count; index++) total += found(store, store->slots[index]).size();
        *byte_count = total;
        return true;
    });
}

void store_take(rocks_store *store, void *bytes, ptrdiff_t *ends, uint8_t *absent) {
    char *target = static_cast<char *>(bytes);
    const size_t count = store->slots.size();
    if (store->is_in_order) {
        std::memcpy(target, store->found.data(), store->found.size());
        std::copy(store->found_ends.begin(), store->found_ends.end(), ends);
        std::copy(store->missing.begin(), store->missing.end(), absent);
        return;
    }
    ptrdiff_t end = 0;
    for (size_t index = 0; index < count; index++) {
        const uint32_t slot = store->slots[index];
        const Slice value = found(store, slot);
        std::memcpy(target + end, value.data(), value.size());
        end += static_cast<ptrdiff_t>(value.size());
        absent[index] = store->missing[slot];
        ends[index] = end;
    }
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

rocks_snapshot *snapshot_create(rocks_store *store) { return new rocks_snapshot{store->db->GetSnapshot(), nullptr}; }

void snapshot_free(rocks_store *store, rocks_snapshot *snapshot) {
    snapshot->idle.reset();
    store->db->ReleaseSnapshot(snapshot->snapshot);
    delete snapshot;
}

rocks_cursor *cursor_create(
    rocks_store *store, rocks_snapshot *snapshot, bool once, const void *lower, size_t lower_count, const void *upper, size_t upper_count) {
    rocks_cursor *cursor = new rocks_cursor;
    cursor->snapshot = snapshot;
    cursor->has_upper = upper != nullptr;
    if (cursor->has_upper) cursor->upper.assign(static_cast<const char *>(upper), upper_count);
    if (snapshot != nullptr) cursor->iterator = std::move(snapshot->idle);
    if (cursor->iterator == nullptr) {
        rocksdb::ReadOptions reading;
        reading.snapshot = snapshot ? snapshot->snapshot : nullptr;
        reading.fill_cache = !once;
        if (once) reading.readahead_size = 2 << 20;
        cursor->iterator.reset(store->db->NewIterator(reading));
    }
    cursor->iterator->Seek(Slice(static_cast<const char *>(lower), lower_count));
    return cursor;
}

// Whether there is an entry before the end.
bool cursor_valid(const rocks_cursor *cursor) { return cursor->iterator->Valid() && (!cursor->has_upper || cursor->iterator->key().compare(cursor->upper) < 0); }

bool cursor_next(
    rocks_cursor *cursor, size_t count_max, size_t byte_count_max, struct rocks_strings *keys, struct rocks_strings *values,
    struct rocks_error *error) {
    return guarded(error, [&] {
        cursor->key_bytes.clear();
        cursor->value_bytes.clear();
        cursor->key_ends.clear();
        cursor->value_ends.clear();
        rocksdb::Iterator &iterator = *cursor->iterator;
        while (cursor_valid(cursor) && cursor->key_ends.size() < count_max && cursor->key_bytes.size() + cursor->value_bytes.size() < byte_count_max) {
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

void cursor_free(rocks_cursor *cursor) {
    if (cursor->snapshot != nullptr) cursor->snapshot->idle = std::move(cursor->iterator);
    delete cursor;
}

void capture_run(rocks_capture *capture) {
    const bool is_right = guarded(&capture->error, [&] {
        rocksdb::Checkpoint *made = nullptr;
        if (!check(rocksdb::Checkpoint::Create(capture->db, &made), &capture->error)) return false;
        std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
        return check(checkpoint->CreateCheckpoint(capture->path, 0), &capture->error);
    });
    std::lock_guard<std::mutex> guard(capture->mutex);
    capture->is_right = is_right;
    capture->is_done.store(true, std::memory_order_release);
    capture->ended.notify_all();
}

rocks_capture *capture_begin(rocks_store *store, const char *path, struct rocks_error *error) {
    rocks_capture *capture = nullptr;
    guarded(error, [&] {
        std::unique_ptr<rocks_capture> made(new rocks_capture);
        made->db = store->db.get();
        made->path = path;
        made->thread = std::thread(capture_run, made.get());
        capture = made.release();
        return true;
    });
    return capture;
}

bool capture_is_done(const rocks_capture *capture) { return capture->is_done.load(std::memory_order_acquire); }

bool capture_wait(rocks_capture *capture, struct rocks_error *error) {
    std::unique_lock<std::mutex> guard(capture->mutex);
    capture->ended.wait(guard, [&] { return capture->is_done.load(std::memory_order_relaxed); });
    if (!capture->is_right) *error = capture->error;
    return capture->is_right;
}

void capture_free(rocks_capture *capture) {
    capture->thread.join();
    delete capture;
}

bool store_ingest(rocks_store *store, rocks_cursor *cursor, const char *path, struct rocks_error *error) {
    return guarded(error, [&] {
        const rocksdb::Options options = store->db->GetOptions();
        std::vector<std::string> files;
        rocksdb::Iterator &iterator = *cursor->iterator;
        while (cursor_valid(cursor)) {
            rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
            const std::string file = path + std::to_string(files.size()) + ".ingest";
            if (!check(writer.Open(file), error)) return false;
            while (cursor_valid(cursor) && writer.FileSize() < options.target_file_size_base) {
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
    capture_begin,
    capture_is_done,
    capture_wait,
    capture_free,
    store_ingest,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const struct rocks_functions *millstream_rocksdb(void) { return &functions; }
