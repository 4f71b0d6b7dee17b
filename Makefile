# make demo | make test | make build | make bench | make reference | make wheel | make install PREFIX=/usr/local | make simulate SEEDS=1000 | make soak KILLS=200
# | make crashpoints | make sanitize | make larger-than-memory
# Every target sets up what it needs; nothing is done twice.

SHELL := /bin/bash
PREFIX ?= /usr/local
SEEDS ?= 1000
FIRST_SEED ?= 0
KILLS ?= 200
SWIFT_BUILD := swift build -c release --product millstream -Xswiftc -static-stdlib \
	-Xlinker --version-script=$(CURDIR)/scripts/exports.map -Xlinker --gc-sections -Xlinker -soname=libmillstream.so
# The tests run the same release code as the library; a scratch path of their own keeps the two sets of flags apart.
SWIFT_TEST := MILLSTREAM_TESTS=1 timeout --kill-after=10 1500 swift test -c release --scratch-path .build/test
# A test that hangs ends the run with every thread's stack, instead of keeping CI for hours. A process per core; tests of one group share one.
PYTEST := .venv/bin/python -m pytest -q --timeout=300 --timeout-method=thread -n auto --dist loadgroup
LIBRARY := python/src/millstream/libmillstream.so
# Apart, because RocksDB costs 8 MB and some milliseconds: it is loaded by the first job that keeps state there.
ROCKSDB := python/src/millstream/libmillstream_rocksdb.so
SWIFT_SOURCES := $(shell find Sources include -type f 2>/dev/null) Package.swift
NATIVE_SOURCES := $(shell find python/src/native -type f 2>/dev/null) include/millstream.h

.PHONY: build demo test test-fast test-swift test-python test-c bench reference wheel install simulate soak crashpoints sanitize larger-than-memory record-golden format lint clean setup

build: setup $(LIBRARY) $(ROCKSDB) .venv/.millstream-package

setup:
	@scripts/setup.sh

$(LIBRARY): $(SWIFT_SOURCES) scripts/exports.map | setup
	@echo "build: the engine (Swift, release)"
	@$(SWIFT_BUILD) 2>&1 | { grep -E "error|warning: unre|Compiling|complete" || true; } | tail -n 40; exit $${PIPESTATUS[0]}
	@cp .build/release/libmillstream.so $@
	@strip --strip-unneeded $@

$(ROCKSDB): Sources/RocksDBLibrary/rocks.cpp Sources/CRocksDB/rocks.h scripts/build_rocksdb.sh | setup
	@scripts/build_rocksdb.sh $@

.venv/.millstream-package: $(NATIVE_SOURCES) $(LIBRARY) scripts/build_native.sh python/pyproject.toml
	@echo "build: the Python extension"
	@scripts/build_native.sh
	@.venv/bin/pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e python
	@touch $@

demo: build
	@.venv/bin/python examples/python/flights.py

test: build lint test-swift test-c test-python

# The everyday loop: everything that ends quickly.
test-fast: build
	@$(SWIFT_TEST) --quiet
	@$(PYTEST) -m "not slow" tests/python

test-swift: setup
	@echo "test: Swift"
	@$(SWIFT_TEST)

test-python: build
	@echo "test: Python, documentation and examples"
	@$(PYTEST) tests/python

test-c: build
	@echo "test: C"
	@tests/c/run.sh

bench: build
	@.venv/bin/python benchmarks/run.py

# The API reference, from docstrings and signatures: build/reference/index.md
reference: build
	@.venv/bin/python scripts/reference.py build/reference

wheel: build
	@scripts/wheel.sh

install: build
	@scripts/install.sh "$(PREFIX)"

simulate: setup
	@MILLSTREAM_SEEDS=$(SEEDS) MILLSTREAM_FIRST_SEED=$(FIRST_SEED) $(SWIFT_TEST) --filter 'Simulated(Topology|Job)Tests'

# Kills a job's process at random moments, so many times each variant (backend, aligned or not), and checks its results: make soak KILLS=200 [VARIANT=rocksdb-aligned]
soak: build
	@.venv/bin/python tests/recovery/soak.py --kills $(KILLS) $(addprefix --variant ,$(VARIANT))

# Kills and disturbs a job's process at each change that it makes to the disk, and in its recovery again
crashpoints: build
	@.venv/bin/python tests/recovery/crashpoints.py

# The tests under AddressSanitizer and ThreadSanitizer, and the Python boundary's references counted over 10^5 calls: half an hour. make sanitize [CHECKS="address thread leaks"]
sanitize: setup
	@scripts/sanitize.sh $(CHECKS)

# 5 GB of state in a process that may have 1 GB of memory, killed behind a checkpoint and gone on from it; the tests have smaller ones.
larger-than-memory: build
	@.venv/bin/python scripts/larger_than_memory.py --kill

# Records what Apache Flink prints for the scripts of Tests/conformance: make record-golden [NAMES="union* timers"]
record-golden: setup
	@.venv/bin/python Tests/conformance/record.py $(NAMES)

lint: setup
	@.venv/bin/ruff check -q python examples benchmarks tests scripts Tests/conformance/*.py
	@.venv/bin/mypy --config-file python/pyproject.toml --no-error-summary python/src/millstream

format: setup
	@swift format -i -r Sources Tests Package.swift
	@.venv/bin/ruff format -q python examples benchmarks tests

clean:
	rm -rf .build .venv build dist python/src/millstream/*.so
