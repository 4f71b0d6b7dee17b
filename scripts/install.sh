#!/usr/bin/env bash
# Installs headers, library and pkg-config file: scripts/install.sh PREFIX [directory of libmillstream.so]. DESTDIR is respected.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix="${1:?usage: scripts/install.sh PREFIX [directory of libmillstream.so]}"
library="${2:-python/src/millstream}/libmillstream.so"
[[ $prefix == /* ]] || { echo "install: PREFIX must be an absolute path, not '$prefix'" >&2; exit 1; }
[[ -f $library ]] || { echo "install: $library is missing; run make build first" >&2; exit 1; }

root="${DESTDIR:-}$prefix"
# The version that the library itself tells.
version="$(grep -oE 'pointer\("[0-9][^"]*"\)' Sources/CABI/Version.swift | head -n 1 | cut -d'"' -f2)"

install -d "$root/include" "$root/lib/pkgconfig"
install -m 644 include/millstream.h include/millstream_arrow.h "$root/include/"
install -m 755 "$library" "$root/lib/libmillstream.so"
# Loaded by jobs that keep state in RocksDB; others do without.
rocksdb="$(dirname "$library")/libmillstream_rocksdb.so"
if [[ -f $rocksdb ]]; then install -m 755 "$rocksdb" "$root/lib/"; fi
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" scripts/millstream.pc.in >"$root/lib/pkgconfig/millstream.pc"
chmod 644 "$root/lib/pkgconfig/millstream.pc"
echo "install: $root/include/millstream.h, $root/lib/libmillstream.so, $root/lib/pkgconfig/millstream.pc"
if [[ -z ${DESTDIR:-} ]]; then
    cat <<EOF
install: a program is compiled with
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  cc program.c \$(pkg-config --cflags --libs millstream) -o program
and finds the library when it runs. Linked without pkg-config it needs -Wl,-rpath,$prefix/lib, or LD_LIBRARY_PATH=$prefix/lib.
EOF
fi
