#!/usr/bin/env bash
# write-env.sh BUILD PREFIX: writes BUILD/env.sh for the OpenSSL in PREFIX.
set -euo pipefail
build=$1
prefix=$2

# Where this OpenSSL's libraries are; empty for the system's own, which need no path.
library_folder() {
	local folder
	[ "$prefix" = /usr ] && return 0
	for folder in "$prefix/lib" "$prefix/lib64"; do
		[ -e "$folder/libcrypto.so" ] && echo "$folder" && return 0
	done
	return 0
}

cat >"$build/env.sh.new" <<END
# To be sourced (sh, bash): openssl, qkdctl and qkd-kme of this build are then found.
# Written by scripts/write-env.sh; sourcing it twice changes nothing more.
QKD_BUILD_DIR='$build'
OPENSSL_MODULES='$build/lib/ossl-modules'
export QKD_BUILD_DIR OPENSSL_MODULES
case "\$PATH:" in
'$build/bin:$prefix/bin:'*) ;;
*) PATH='$build/bin:$prefix/bin':\$PATH ;;
esac
export PATH
END
libraries=$(library_folder)
if [ -n "$libraries" ]; then
	cat >>"$build/env.sh.new" <<END
case "\${LD_LIBRARY_PATH:-}:" in
'$libraries:'*) ;;
*) LD_LIBRARY_PATH='$libraries'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} ;;
esac
export LD_LIBRARY_PATH
END
fi
# Only a change touches the file.
cmp -s "$build/env.sh.new" "$build/env.sh" 2>/dev/null && rm "$build/env.sh.new" && exit 0
mv "$build/env.sh.new" "$build/env.sh"
