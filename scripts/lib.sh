# Shared by the scripts of this folder; to be sourced.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*" >&2; }

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# Runs a command as root: as it is for root, through sudo for others.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "needs root for: $* (not root, and sudo is not installed)"
	fi
}

# quietly LOG COMMAND...: output goes to LOG, whose end is shown on failure.
quietly() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1; then
		tail -n 25 "$log" >&2
		die "failed: $* (everything it printed is in $log)"
	fi
}
