#!/usr/bin/env bash
# Builds and runs the C tests against the built library. Usage: tests/c/run.sh [directory of libmillstream.so]
# With SANITIZE=address or thread the library was built so, CC is the compiler that has the same runtime, and SWIFT_LIBRARIES is where the libraries are that
# it is linked to; only the tests run then.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
library="$(cd "${1:-$root/python/src/millstream}" && pwd)"
build="$(mktemp -d)"
trap 'rm -rf "$build"' EXIT

compiler="${CC:-gcc}"
flags=(-std=c11 -Wall -Wextra -Werror -O1 -g -I"$root/include" -I"$root/tests/c")
link=(-L"$library" -Wl,-rpath,"$library" -lmillstream -lpthread -lm)
if [[ -n "${SANITIZE:-}" ]]; then
    flags+=(-fsanitize="$SANITIZE")
    link+=(-Wl,-rpath,"$SWIFT_LIBRARIES" -Wl,-rpath-link,"$SWIFT_LIBRARIES")
    # ThreadSanitizer's runtime of this compiler knows libdispatch, and must find it.
    [[ "$SANITIZE" != thread ]] || link+=(-L"$SWIFT_LIBRARIES" -ldispatch -lBlocksRuntime)
fi
failed=0
shopt -s nullglob

check() { # name, command...
    local name="$1"
    shift
    if "$@" >"$build/out" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name (status $?)"
        sed 's/^/      /' "$build/out"
        failed=1
    fi
}

# Every function of the header is in the library, and nothing else is exported.
symbols() {
    set -e
    "$compiler" -E -P -I"$root/include" "$root/include/millstream.h" | grep -oE '\bmillstream_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$build/header"
    nm -D --defined-only "$library/libmillstream.so" | awk '$2 ~ /[TW]/ { print $3 }' | grep -v '^_' | sort -u >"$build/exported"
    diff "$build/header" "$build/exported"
}
[[ -n "${SANITIZE:-}" ]] || check "header and library have the same symbols" symbols

# The header compiles alone, as C11 and as C++.
check "the header compiles as C++" g++ -std=c++17 -Wall -Wextra -Werror -x c++ -fsyntax-only "$root/include/millstream.h"

for source in "$root"/tests/c/test_*.c; do
    name="$(basename "$source" .c)"
    check "$name builds" "$compiler" "${flags[@]}" "$source" -o "$build/$name" "${link[@]}"
    [[ -x "$build/$name" ]] && check "$name" timeout 120 "$build/$name"
done

[[ -z "${SANITIZE:-}" ]] || exit $failed

# The installed files are found by pkg-config, whose flags alone build programs that find the library; each example prints what its expected file says.
check "install" "$root/scripts/install.sh" "$build/prefix" "$library"
export PKG_CONFIG_PATH="$build/prefix/lib/pkgconfig"
for source in "$root"/examples/c/*.c; do
    program="$(basename "$source" .c)"
    read -ra packaged <<<"$(pkg-config --cflags --libs millstream)"
    check "example $program builds" \
        "$compiler" -std=c11 -Wall -Wextra -Werror "$source" -o "$build/$program" "${packaged[@]}"
    example() { timeout 120 "$build/$program" >"$build/example" && diff "$root/tests/c/expected/$program.txt" "$build/example"; }
    [[ -x "$build/$program" ]] && check "example $program" example
done

exit $failed
