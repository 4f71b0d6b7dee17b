#!/usr/bin/env bash
# The tests under AddressSanitizer (with its leak checker) and ThreadSanitizer, and the Python boundary's calls counted. Usage: scripts/sanitize.sh [address] [thread] [leaks]
#
# Builds of their own, in .build/asan and .build/tsan: optimized, because the tests of columns take hours otherwise. What is found is in build/sanitize/*.log.
# There are no suppressions. UndefinedBehaviorSanitizer does not know Swift under Linux.
set -uo pipefail
cd "$(dirname "$0")/.."
wanted=("$@")
((${#wanted[@]})) || wanted=(address thread leaks)
logs=build/sanitize
mkdir -p "$logs"
failed=0
# The compiler whose runtime the Swift compiler links.
toolchain="$(swift -print-target-info | python3 -c 'import json, os, sys; print(os.path.normpath(json.load(sys.stdin)["paths"]["runtimeResourcePath"] + "/../.."))')"
# A process that prints its own backtrace when it crashes, or that waits for input, hangs under a sanitizer.
export SWIFT_BACKTRACE=enable=no

run() { # name, command...
    local name="$1" began=$SECONDS status=0
    shift
    "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
    local reports
    reports="$(grep -cE '(WARNING|ERROR|SUMMARY): (Address|Thread|Leak)Sanitizer' "$logs/$name.log")"
    if [[ $status -ne 0 || $reports -ne 0 ]]; then
        echo "FAIL  $name: status $status, $reports reports, $((SECONDS - began)) s: $logs/$name.log"
        grep -E -m 5 '(WARNING|ERROR|SUMMARY): (Address|Thread|Leak)Sanitizer|recorded an issue' "$logs/$name.log" | sed 's/^/      /'
        failed=1
    else
        echo "ok    $name, $((SECONDS - began)) s"
    fi
}

# kind, scratch path
swift_and_c() {
    local kind="$1" scratch="$2" binary
    # Waiting for the Swift library's mutex is hidden from ThreadSanitizer: see Guarded.
    run "$kind-build" timeout --kill-after=10 5400 \
        env MILLSTREAM_TESTS=1 swift build --build-tests -c release --sanitize "$kind" --scratch-path "$scratch" -Xswiftc -g -Xswiftc -DMILLSTREAM_VISIBLE_LOCKS
    binary="$(find "$scratch/" -name millstreamPackageTests.xctest -path '*release*' | head -n 1)"
    [[ -n "$binary" ]] || return
    # Tests that measure speed or memory find none here.
    run "$kind-swift" timeout --kill-after=10 5400 "$binary" --testing-library swift-testing --skip Throughput --skip OperatorSnapshotTests/speed --skip aLineWithoutEndIsNotKept
    CC="$toolchain/bin/clang" SANITIZE="$kind" SWIFT_LIBRARIES="$(swift -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["paths"]["runtimeLibraryPaths"][0])')" run "$kind-c" timeout --kill-after=10 1200 tests/c/run.sh "$(dirname "$binary")"
}

# The extension with AddressSanitizer, in a Python that has its runtime loaded before.
python_and_extension() {
    local package=.build/asan/python/millstream runtime
    runtime="$(find "$toolchain/lib/clang" -name 'libclang_rt.asan-x86_64.so' | head -n 1)"
    [[ -n "$runtime" ]] || { echo "skip  address-python: the toolchain has no shared runtime of AddressSanitizer"; return; }
    rm -rf "$package"
    mkdir -p "$package"
    (cd python/src/millstream && find . -name '*.py' -o -name '*.pyi' -o -name py.typed) | (cd python/src/millstream && xargs tar -c) | tar -x -C "$package"
    cp "$(find .build/asan/ -name libmillstream.so -path '*release*' | head -n 1)" "$package/"
    run address-extension env CC="$toolchain/bin/clang" PYTHON=.venv/bin/python MILLSTREAM_PACKAGE="$package" MILLSTREAM_OBJECTS=.build/asan/native \
        MILLSTREAM_CFLAGS="-fsanitize=address -shared-libasan -fno-omit-frame-pointer -g -Wno-unknown-warning-option" scripts/build_native.sh
    # An interpreter leaves most of its memory to the system at its end.
    run address-python env LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=.build/asan/python \
        timeout --kill-after=10 3600 .venv/bin/python -m pytest -q -x --timeout=600 --timeout-method=thread -p no:cacheprovider \
        tests/python/test_jobs.py tests/python/test_native_jobs.py tests/python/test_keyed_streams.py tests/python/test_windows.py \
        tests/python/test_checkpoints.py tests/python/test_two_phase_commit.py tests/python/test_state_reading.py tests/python/test_rows.py \
        tests/python/test_types.py tests/python/test_operator_state.py tests/python/test_arrow_roundtrip.py
}

for kind in "${wanted[@]}"; do
    case "$kind" in
    address)
        export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1
        swift_and_c address .build/asan
        unset ASAN_OPTIONS
        make -s build >/dev/null && python_and_extension
        ;;
    thread)
        # Without these a race is a line in the log and the status is 0.
        export TSAN_OPTIONS=halt_on_error=1:exitcode=66
        swift_and_c thread .build/tsan
        unset TSAN_OPTIONS
        ;;
    leaks)
        make -s build >/dev/null
        MILLSTREAM_LEAK_CALLS=100000 run leaks timeout --kill-after=10 3600 .venv/bin/python -m pytest -q -n auto --dist loadgroup tests/python/test_native_leaks.py
        ;;
    *)
        echo "scripts/sanitize.sh: there is no '$kind'" >&2
        exit 2
        ;;
    esac
done
exit $failed
