#!/usr/bin/env bash
# Format of the C files and the shell scripts, with the tools that are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
cd "$(dirname "$here")"

failed=0
if command -v clang-format >/dev/null 2>&1; then
	git ls-files -z --cached --others --exclude-standard '*.c' '*.h' |
		xargs -0 -r clang-format --dry-run --Werror || failed=1
else
	say "clang-format is not installed: the C files were not checked"
fi
if command -v shellcheck >/dev/null 2>&1; then
	shellcheck -x scripts/*.sh .ci/run || failed=1
else
	say "shellcheck is not installed: the scripts were not checked"
fi
exit $failed
