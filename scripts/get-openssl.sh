#!/usr/bin/env bash
# Prints the prefix of an OpenSSL >= 3.5: the given one (OPENSSL_ROOT), the
# system's, a cached build, or a new build of Debian's own source package.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

wanted=3.5
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qkd-provider

new_enough() { dpkg --compare-versions "$1" ge "$wanted"; }

# The first mirror of this machine's apt that carries the distribution itself.
mirror_uri() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(ORIGIN)|$(SITE)|$(REPO_URI)|$(CODENAME)' 2>/dev/null |
		awk -F'|' '($1 == "Debian" || $1 == "Ubuntu") && $4 !~ /security/ { print $3; exit }'
}

archive_origin() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(ORIGIN)' 2>/dev/null | grep -m1 -E '^(Debian|Ubuntu)$' || true
}

# Suites that carry the 3.5 series, by distribution; apt takes what it finds.
suites_of() {
	case $1 in
	Ubuntu) echo "resolute questing" ;;
	*) echo "trixie" ;;
	esac
}

private_apt() {
	local tool=$1
	shift
	"$tool" -o "Dir::State=$work/state" -o "Dir::Cache=$work/cache" \
		-o "Dir::State::status=/var/lib/dpkg/status" \
		-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none "$@"
}

# Downloads and unpacks the newest 3.5 source package whose files are there.
unpack_source() {
	local uri origin suite version
	uri=$(mirror_uri)
	origin=$(archive_origin)
	[ -n "$uri" ] || die "apt knows no Debian or Ubuntu mirror; run 'apt-get update', or set OPENSSL_ROOT to an OpenSSL >= $wanted"
	mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
	for suite in $(suites_of "$origin"); do
		echo "deb-src $uri $suite main" >"$work/sources.list"
		private_apt apt-get update >"$work/update.log" 2>&1 && break
		cat "$work/update.log" >&2
	done
	for version in $(private_apt apt-cache showsrc openssl | awk '/^Version: 3\.5\./ { print $2 }' | sort -Vru); do
		say "fetching the source of OpenSSL $version"
		if (cd "$work" && private_apt apt-get source --only-source "openssl=$version") >"$work/source.log" 2>&1; then
			return 0
		fi
		say "version $version is named by the mirror's index but cannot be had"
	done
	tail -n 5 "$work/source.log" >&2 2>/dev/null || true
	die "no source package of the OpenSSL $wanted series at the mirror; set OPENSSL_ROOT to an OpenSSL >= $wanted"
}

system_openssldir() {
	local dir
	dir=$(openssl version -d 2>/dev/null | sed -n 's/^OPENSSLDIR: "\(.*\)"$/\1/p')
	echo "${dir:-/usr/lib/ssl}"
}

build_openssl() {
	local tree version prefix
	tree=$(find "$work" -maxdepth 1 -type d -name 'openssl-3.5*' | head -n 1)
	[ -n "$tree" ] || die "the source package of OpenSSL did not unpack in $work"
	version=$(sed -n 's/^MAJOR=//p;s/^MINOR=//p;s/^PATCH=//p' "$tree/VERSION.dat" | paste -sd.)
	prefix=$cache/openssl-$version
	say "building OpenSSL $version (about three minutes on two cores)"
	(
		cd "$tree"
		quietly "$cache/log/configure.log" ./Configure no-docs no-tests no-legacy shared \
			--prefix="$prefix" --libdir=lib --openssldir="$(system_openssldir)" \
			"-Wl,-rpath,$prefix/lib" -Wl,--enable-new-dtags
		quietly "$cache/log/make.log" make -j"$(nproc)"
		# Not install_ssldirs: the trust store and openssl.cnf stay the system's.
		quietly "$cache/log/install.log" make install_sw DESTDIR="$work/root"
	)
	# In one step, so that a build that was cut off never looks finished.
	rm -rf "$prefix"
	mv "$work/root$prefix" "$prefix"
	echo "$prefix"
}

if [ -n "${OPENSSL_ROOT:-}" ]; then
	[ -x "$OPENSSL_ROOT/bin/openssl" ] || die "OPENSSL_ROOT=$OPENSSL_ROOT has no bin/openssl"
	(cd "$OPENSSL_ROOT" && pwd)
	exit 0
fi
if system=$(pkg-config --modversion openssl 2>/dev/null) && new_enough "$system"; then
	pkg-config --variable=prefix openssl
	exit 0
fi
mkdir -p "$cache"
cached=$(find "$cache" -maxdepth 1 -type d -name 'openssl-3.*' 2>/dev/null | sort -V | tail -n 1)
if [ -n "$cached" ] && [ -x "$cached/bin/openssl" ]; then
	echo "$cached"
	exit 0
fi
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
unpack_source
build_openssl
