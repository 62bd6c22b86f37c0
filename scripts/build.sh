#!/usr/bin/env bash
# build.sh FOLDER [SANITIZERS]: configures when needed and builds into FOLDER.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

root=$(dirname "$here")
build=$(mkdir -p "$1" && cd "$1" && pwd)
sanitizers=${2:-}

prefix=$("$here/get-openssl.sh")

# The tests of a build with sanitizers are told apart by what is put before their names.
case $sanitizers in
"") test_prefix= ;;
thread) test_prefix=tsan. ;;
*) test_prefix=asan. ;;
esac

configured_prefix() { sed -n 's/^OPENSSL_ROOT_DIR:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null; }

# All that CMake remembers of another OpenSSL is forgotten with -U.
configure() {
	cmake -S "$root" -B "$build" -G Ninja -Wno-dev -U '*OPENSSL*' -DOPENSSL_ROOT_DIR="$prefix" \
		-DCMAKE_BUILD_TYPE=RelWithDebInfo -DQKD_SANITIZE="$sanitizers" \
		-DQKD_TEST_PREFIX="$test_prefix"
}

if [ ! -f "$build/build.ninja" ] || [ "$(configured_prefix)" != "$prefix" ]; then
	say "configuring $build with the OpenSSL in $prefix"
	quietly "$build/configure.log" configure
fi
say "building $build"
cmake --build "$build"
"$here/write-env.sh" "$build" "$prefix"
