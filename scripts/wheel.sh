#!/usr/bin/env bash
# Makes a wheel with everything inside (dist/*.whl) and tries it in a new venv, with no Swift on the path.
set -euo pipefail
cd "$(dirname "$0")/.."

python="$PWD/.venv/bin/python"
rm -rf build/wheel dist
mkdir -p build/wheel dist
# A copy, so that setuptools leaves no folders in the tree and packs only this interpreter's extension.
cp -r python build/wheel/source
cp README.md LICENSE build/wheel/source/
rm -rf build/wheel/source/src/native build/wheel/source/src/*.egg-info
suffix="$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')"
find build/wheel/source/src -name '_native*.so' ! -name "_native$suffix" -delete
cat > build/wheel/source/setup.py <<'PY'
"""The extension is built already; this says only that the wheel holds one, so that it is tagged for this interpreter and platform."""
from setuptools import Distribution, setup


class BinaryDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(distclass=BinaryDistribution)
PY
"$python" -m pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w build/wheel build/wheel/source

# Bundles zstd, simdjson, PCRE2, RocksDB and whatever else is not on every Linux, and gives the wheel the oldest platform tag that it fits.
export PATH="$PWD/.venv/bin:$PATH"
"$python" -m auditwheel repair --plat auto -w dist build/wheel/*.whl >/dev/null
wheel="$(ls dist/*.whl)"

# A new venv without this project's own, with a path that has no Swift.
rm -rf build/wheel/venv
"$python" -m venv build/wheel/venv
build/wheel/venv/bin/pip install -q --disable-pip-version-check --no-index "$wheel"
(cd build/wheel && env -i PATH=/usr/bin:/bin HOME="$HOME" LANG=C.UTF-8 venv/bin/python - <<'PY'
from millstream.datastream import StreamExecutionEnvironment

env = StreamExecutionEnvironment.get_execution_environment()
words = env.from_collection(["to be or not to be"]).flat_map(lambda line: [(word, 1) for word in line.split()])
counts = words.key_by(lambda pair: pair[0]).reduce(lambda a, b: (a[0], a[1] + b[1]))
assert dict(counts.execute_and_collect()) == {"to": 2, "be": 2, "or": 1, "not": 1}

# What is loaded late is there as well.
import ctypes
import pathlib

import millstream

ctypes.CDLL(str(pathlib.Path(millstream.__file__).parent / "libmillstream_rocksdb.so")).millstream_rocksdb
PY
)
echo "$wheel: $(du -h "$wheel" | cut -f1), installs and runs in a new venv"
