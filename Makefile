# qkd-provider: the front door. Debian and Ubuntu; everything else is CMake.
#
#   make demo    sets up, builds, and shows TLS handshakes keyed by QKD and a KEM
#   make test    sets up, builds (twice: plain and with sanitizers), runs every test
#   make test-matrix   every OpenSSL with every other: 3.0, 3.5, 3.6, 4.0 (SERIES=list)
#   make bench   sets up, builds, measures, writes docs/benchmarks.md (BENCH=quick: prints a rough one)
#   make bench-kme   requests and keys per second of the key server, by kind of store
#   make bench-idle   what the provider costs a handshake that does not use it
#   make soak        an hour of mixed load: does anything grow? (MINUTES=minutes)
#   make         sets up and builds
#   make fuzz    every parser under libFuzzer, a minute each (FUZZ_S=seconds)
#   make crash-test   kills key servers under load, 200 times (ROUNDS=number, SEED=text)
#   make reload-test  web servers reloaded under load (HANDSHAKES=5000 RELOADS=50)
#   make thread-test   many threads under ThreadSanitizer (HANDSHAKES=5000 THREADS=16)
#   make hang-test    what a hung key server does to the other connections of nginx
#   make screenshots   takes the pictures of docs/images anew
#   make clean   removes build/ (the OpenSSL that was built stays in the user's cache)
#
# OPENSSL_ROOT=/prefix make ...   uses that OpenSSL (>= 3.5)
JOBS ?= 2

.DELETE_ON_ERROR:
.PHONY: build setup setup-test demo test test-asan test-matrix bench bench-kme bench-idle soak crash-test reload-test thread-test hang-test fuzz lint screenshots clean

build: setup
	@scripts/build.sh build

setup:
	@scripts/setup.sh

demo: build
	@scripts/demo.sh build

setup-test:
	@scripts/setup.sh test

# One CTest run: build/ takes in the tests of build/asan, whose names begin with "asan.".
test: setup-test build
	@scripts/build.sh build/asan address,undefined
	@ctest --test-dir build -j$(JOBS) --output-on-failure

test-asan: setup-test build
	@scripts/build.sh build/asan address,undefined
	@ctest --test-dir build/asan -j$(JOBS) --output-on-failure

SERIES ?= 3.0 3.5 3.6 4.0
test-matrix: setup-test build
	@SERIES='$(SERIES)' scripts/test-matrix.sh build

BENCH ?= full
bench: setup-test build
	@env -u LD_LIBRARY_PATH bench/run.py $(if $(filter quick,$(BENCH)),--quick) $(if $(JSON),--json '$(JSON)')

bench-kme: build
	@env -u LD_LIBRARY_PATH bench/kme.py

bench-idle: build
	@env -u LD_LIBRARY_PATH bench/idle.py

MINUTES ?= 60
soak: build
	@env -u LD_LIBRARY_PATH bench/soak.py --minutes $(MINUTES)

ROUNDS ?= 200
SEED ?= 1
crash-test: build
	@env -u LD_LIBRARY_PATH bench/crash.py --rounds $(ROUNDS) --seed $(SEED)

HANDSHAKES ?= 5000
RELOADS ?= 50
reload-test: setup-test build
	@env -u LD_LIBRARY_PATH bench/reloads.py --handshakes $(HANDSHAKES) --reloads $(RELOADS)

THREADS ?= 16
thread-test: setup
	@scripts/build.sh build/tsan thread
	@env -u LD_LIBRARY_PATH bench/threads.py --handshakes $(HANDSHAKES) --threads $(THREADS)

hang-test: setup-test build
	@env -u LD_LIBRARY_PATH bench/hang.py

fuzz: setup
	@scripts/fuzz.sh build/fuzz

screenshots: setup-test build
	@cd tests/system && env -u LD_LIBRARY_PATH python3 screenshots.py

lint:
	@scripts/lint.sh

clean:
	rm -rf build
