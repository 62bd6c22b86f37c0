#!/bin/sh
# Makes the data of a PostgreSQL server in run/data, with a password in run/password, and runs the
# server on port 5433 of this machine alone; options are for it.
set -eu
for bin in /usr/lib/postgresql/*/bin; do :; done
[ -e run/password ] || (umask 077 && openssl rand -hex 16 >run/password)
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
	chown postgres run run/password
	exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
[ -e run/data ] || "$bin/initdb" -D run/data -U app -A scram-sha-256 --pwfile run/password --no-sync
exec "$bin/postgres" -D run/data -p 5433 -c listen_addresses=127.0.0.1 \
	-c unix_socket_directories= "$@"
