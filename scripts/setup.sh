#!/usr/bin/env bash
# setup.sh [test]: installs the distribution's packages that are missing (Debian and Ubuntu);
# with "test" also what only the tests need. Does nothing, and asks for no rights, when all are
# there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

packages=(
	build-essential # C compiler, linker, binutils
	cmake           # describes the build
	ninja-build     # runs it
	pkg-config      # finds the libraries below
	git             # the version control that this tree came with
	libssl-dev      # the OpenSSL itself where it is new enough
	libevent-dev    # event loop of the key server
	libc-ares-dev   # names of key servers, resolved within a time limit
	libjansson-dev  # JSON of ETSI GS QKD 014
	libconfig-dev   # configuration files of the key server
	libsqlite3-dev  # its durable store
	libcmocka-dev   # unit tests
	python3         # system tests and measurements
	curl            # reads the key servers' counters in the demonstration
	openssl         # the system's own OpenSSL
	ca-certificates # what a download from an https mirror is checked against
	dpkg-dev        # unpacks the source package of OpenSSL
)
test_packages=(
	chromium          # a browser, for the tests of the page of the key server
	fonts-dejavu-core # letters for it
	valgrind          # memory checks
	strace            # shows which thread waits for the disk
	nginx             # servers of examples/
	apache2-bin
	haproxy
	stunnel4
	tshark            # dissects captures for the tests of wireshark/
	nodejs            # examples/nodejs
	postgresql        # examples/postgresql
	stunnel4          # TLS for it
)
[ "${1:-}" != test ] || packages+=("${test_packages[@]}")

if ! command -v dpkg-query >/dev/null 2>&1; then
	say "not Debian or Ubuntu: please see to these yourself: ${packages[*]}"
	exit 0
fi

missing=()
# shellcheck disable=SC2016 # dpkg-query's own variables
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
	grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

say "installing: ${missing[*]}"
log=$(mktemp)
guards=()
clean() {
	rm -f "$log"
	[ ${#guards[@]} -eq 0 ] || as_root rm -f "${guards[@]}"
}
trap clean EXIT
quietly "$log" as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
say "package lists are fresh; downloading and unpacking"
# Servers that are installed to be tested must not start: this is what Debian asks before it does.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
	guards+=("$policy")
fi
# Nor is PostgreSQL to make a database for the whole machine, which would start with it.
no_cluster=/etc/postgresql-common/createcluster.d/qkd-test.conf
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
	echo 'create_main_cluster = false' | as_root install -D -m 644 /dev/stdin "$no_cluster"
	guards+=("$no_cluster")
fi
quietly "$log" as_root env DEBIAN_FRONTEND=noninteractive \
	apt-get -q -y --no-install-recommends install "${missing[@]}"
say "installed ${#missing[@]} packages"
