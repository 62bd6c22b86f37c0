#!/usr/bin/env bash
# get-openssl.sh: prints the prefix of an OpenSSL >= 3.5: the given one (OPENSSL_ROOT), the
# system's, a cached build of 3.5, or a new build of the distribution's own source package.
# get-openssl.sh SERIES: the same for exactly this series, for example 4.0; OPENSSL_ROOT does not
# count. Exit status 3, and the reason, when the distribution has no source package of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

series=${1:-3.5}
[[ $series =~ ^[0-9]+\.[0-9]+$ ]] || die "'$series' is not a series of OpenSSL such as 3.5"
readonly unavailable=3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qkd-provider

# Whether the system's version will do: of this series, or, where none was asked for, newer too.
system_will_do() {
	if [ $# -eq 2 ]; then
		[[ $1 = "$2".* ]]
	else
		dpkg --compare-versions "$1" ge "$series"
	fi
}

cannot_be_had() {
	printf 'OpenSSL %s cannot be had: %s\n' "$series" "$*" >&2
	exit "$unavailable"
}

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

# Suites to look for the series in, by distribution.
suites_of() {
	case $1/$series in
	Ubuntu/3.5) echo "resolute questing" ;;
	Ubuntu/*) ;;
	*/3.0) echo "bookworm" ;;
	*/3.5) echo "trixie" ;;
	*/4.*) echo "experimental sid forky" ;;
	*) echo "forky sid experimental" ;;
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

# Versions of the series that the suite's index names, newest first.
versions_of() {
	echo "deb-src $1 $2 main" >"$work/sources.list"
	if ! private_apt apt-get update >"$work/update.log" 2>&1; then
		cat "$work/update.log" >&2
		return 0
	fi
	private_apt apt-cache showsrc openssl 2>/dev/null |
		awk -v prefix="$series." '$1 == "Version:" && index($2, prefix) == 1 { print $2 }' | sort -Vru
}

# Downloads and unpacks the newest source package of the series whose files are there.
unpack_source() {
	local uri origin suite suites version tried=""
	uri=$(mirror_uri)
	origin=$(archive_origin)
	[ -n "$uri" ] || die "apt knows no Debian or Ubuntu mirror; run 'apt-get update', or set OPENSSL_ROOT to an OpenSSL >= 3.5"
	suites=$(suites_of "$origin")
	mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
	for suite in $suites; do
		for version in $(versions_of "$uri" "$suite"); do
			[[ " $tried " = *" $version "* ]] && continue
			tried+=" $version"
			say "fetching the source of OpenSSL $version from $suite"
			if (cd "$work" && private_apt apt-get source --only-source "openssl=$version") >"$work/source.log" 2>&1; then
				return 0
			fi
			say "version $version is named by the mirror's index but cannot be had"
		done
	done
	tail -n 5 "$work/source.log" >&2 2>/dev/null || true
	cannot_be_had "no source package at the mirror (suites: ${suites:-none known for $origin}; versions named but not there:${tried:- none})"
}

system_openssldir() {
	local dir
	dir=$(openssl version -d 2>/dev/null | sed -n 's/^OPENSSLDIR: "\(.*\)"$/\1/p')
	echo "${dir:-/usr/lib/ssl}"
}

build_openssl() {
	local tree version prefix
	tree=$(find "$work" -maxdepth 1 -type d -name "openssl-$series*" | head -n 1)
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

if [ $# -eq 0 ] && [ -n "${OPENSSL_ROOT:-}" ]; then
	[ -x "$OPENSSL_ROOT/bin/openssl" ] || die "OPENSSL_ROOT=$OPENSSL_ROOT has no bin/openssl"
	(cd "$OPENSSL_ROOT" && pwd)
	exit 0
fi
if system=$(pkg-config --modversion openssl 2>/dev/null) && system_will_do "$system" "$@"; then
	pkg-config --variable=prefix openssl
	exit 0
fi
mkdir -p "$cache"
cached=$(find "$cache" -maxdepth 1 -type d -name "openssl-$series.*" 2>/dev/null | sort -V | tail -n 1)
if [ -n "$cached" ] && [ -x "$cached/bin/openssl" ]; then
	echo "$cached"
	exit 0
fi
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
unpack_source
build_openssl
