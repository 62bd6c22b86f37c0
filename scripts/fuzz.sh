#!/usr/bin/env bash
# fuzz.sh BUILD_DIR: runs every libFuzzer target for FUZZ_S seconds (60), from the seeds of its
# mutation test.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
build=$root/$1
seconds=${FUZZ_S:-60}

command -v clang >/dev/null 2>&1 || as_root apt-get -q -y install clang
major=$(clang -dumpversion | cut -d. -f1)
if ! [ -e "$(clang -print-runtime-dir)/libclang_rt.fuzzer-x86_64.a" ] &&
	! [ -e "$(clang -print-runtime-dir)/libclang_rt.fuzzer.a" ]; then
	say "installing the runtime library of clang $major"
	quietly "$build/log/install.log" as_root apt-get -q -y install "libclang-rt-$major-dev"
fi
prefix=$("$here/get-openssl.sh")
quietly "$build/log/configure.log" env CC=clang cmake -S "$root" -B "$build" -G Ninja \
	-DOPENSSL_ROOT_DIR="$prefix" -DQKD_FUZZ=ON -DQKD_TEST_PREFIX=fuzz. \
	-DQKD_SANITIZE=address,undefined,fuzzer-no-link
say "building the fuzz targets"
quietly "$build/log/build.log" cmake --build "$build"
for target in "$build"/tests/bin/fuzz_*; do
	name=$(basename "$target")
	name=${name#fuzz_}
	corpus=$build/corpus/$name
	mkdir -p "$corpus"
	"$build/tests/bin/mutation_$name" --corpus "$corpus" >/dev/null
	say "$name for $seconds s"
	quietly "$build/log/$name.log" "$target" -max_total_time="$seconds" \
		-artifact_prefix="$build/$name-" "$corpus"
	grep -E '^Done|stat::' "$build/log/$name.log" || true
done
