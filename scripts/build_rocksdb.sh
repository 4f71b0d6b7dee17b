#!/usr/bin/env bash
# Builds libmillstream_rocksdb.so, which lies beside libmillstream.so: scripts/build_rocksdb.sh TARGET
set -euo pipefail
cd "$(dirname "$0")/.."
target="${1:-python/src/millstream/libmillstream_rocksdb.so}"
"${CXX:-c++}" -std=c++17 -O2 -fPIC -shared -fvisibility=hidden -fvisibility-inlines-hidden -Wall -Wextra -Wno-unused-parameter -Werror \
    Sources/RocksDBLibrary/rocks.cpp -o "$target" ${MILLSTREAM_CFLAGS:-} -Wl,-soname=libmillstream_rocksdb.so -Wl,--gc-sections -lrocksdb
strip --strip-unneeded "$target"
