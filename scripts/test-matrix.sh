#!/usr/bin/env bash
# test-matrix.sh BUILD: client and server of every OpenSSL with every other. The module in BUILD
# serves all of libcrypto.so.3; one for each newer major is built into BUILD/openssl-MAJOR.
# SERIES='3.0 3.5' limits the run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

build=$(cd "$1" && pwd)
read -ra series <<<"${SERIES:-3.0 3.5 3.6 4.0}"
prefixes=()
modules=()
missing=()
declare -A built=()

# The module of a major, built by whatever of it comes first; 3 is the build itself.
module_of() {
	local major=$1 prefix=$2 folder=$build
	[ -z "${built[$major]:-}" ] || return 0
	if [ "$major" != "$(own_major)" ]; then
		folder=$build/openssl-$major
		OPENSSL_ROOT=$prefix "$here/build.sh" "$folder"
	fi
	built[$major]=yes
	modules+=(--module "$major=$folder/lib/ossl-modules")
}

own_major() {
	ldd "$build/bin/qkd-kme" | sed -n 's/^[[:space:]]*libcrypto\.so\.\([0-9]*\) .*/\1/p'
}

for one in "${series[@]}"; do
	status=0
	prefix=$("$here/get-openssl.sh" "$one") || status=$?
	case $status in
	0) ;;
	3)
		missing+=("$one")
		continue
		;;
	*) exit "$status" ;;
	esac
	prefixes+=("$prefix")
	module_of "${one%%.*}" "$prefix"
done
[ ${#prefixes[@]} -gt 0 ] || die "none of OpenSSL ${series[*]} can be had"
status=0
QKD_BUILD_DIR=$build env -u LD_LIBRARY_PATH "$here/../tests/matrix/matrix.py" "${modules[@]}" \
	"${prefixes[@]}" || status=$?
for one in ${missing[@]+"${missing[@]}"}; do
	say "not run: OpenSSL $one cannot be had here (the reason is above)"
done
exit "$status"
