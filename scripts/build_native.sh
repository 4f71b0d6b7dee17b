#!/usr/bin/env bash
# Builds millstream._native in place, beside libmillstream.so, for the Python of $PYTHON (default: .venv's, else python3).
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-}"
[[ -n "$python" ]] || { [[ -x .venv/bin/python ]] && python=.venv/bin/python || python=python3; }
package="${MILLSTREAM_PACKAGE:-python/src/millstream}"
read -r include suffix < <("$python" -c 'import sysconfig; print(sysconfig.get_path("include"), sysconfig.get_config_var("EXT_SUFFIX"))')
target="$package/_native$suffix"
objects="${MILLSTREAM_OBJECTS:-.build/native$suffix}"
mkdir -p "$objects"

flags=(-std=c11 -O2 -fPIC -fvisibility=hidden -fno-strict-aliasing -Wall -Wextra -Werror -Wno-missing-field-initializers -Wno-cast-function-type
    -D_GNU_SOURCE -DPY_SSIZE_T_CLEAN -I "$include" -I include -I python/src/native ${MILLSTREAM_CFLAGS:-})
pids=()
for source in python/src/native/*.c; do
    object="$objects/$(basename "$source" .c).o"
    # Anything newer in the folder, the header or this script makes an object old: there are few, and they compile in seconds.
    if [[ -f "$object" && -z "$(find python/src/native/*.h include "$source" scripts/build_native.sh -newer "$object" -print -quit)" ]]; then continue; fi
    "${CC:-cc}" "${flags[@]}" -c "$source" -o "$object" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
# The library stands beside the extension, wherever the package is.
"${CC:-cc}" -shared -o "$target" "$objects"/*.o ${MILLSTREAM_CFLAGS:-} -L "$package" -lmillstream -Wl,-rpath,'$ORIGIN' -lpthread -lm
