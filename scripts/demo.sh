#!/usr/bin/env bash
# demo.sh BUILD: the main job, shown. Two key servers, the unmodified s_server and s_client of
# OpenSSL, one handshake for each group, API and flow, data both ways. Leaves nothing running.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
build=$(cd "${1:-$here/../build}" && pwd)
# shellcheck disable=SC1091 # written by the build
. "$build/env.sh"
unset OPENSSL_CONF QKD_LOG

# API, group, and who reserves the key; with ETSI 004 that is always the client.
rows=(
	"014 qkd_mlkem768 client" "014 qkd_mlkem768 server"
	"014 qkd_x25519mlkem768 client" "014 qkd_x25519mlkem768 server"
	"014 qkd_x25519 client" "014 qkd_x25519 server"
	"004 qkd_mlkem768 client" "004 qkd_x25519mlkem768 client" "004 qkd_x25519 client"
)
format='%-19s %-4s %-16s  %-36s  %-36s  %-5s %7s\n'
limit_s=15

work=$(mktemp -d)
lab=$work/lab
server_pid=
server_api=none
cleanup() {
	end_server
	[ ! -e "$lab/lab.env" ] || qkdctl lab down "$lab" >/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A base port whose block of twenty nobody listens on.
free_base_port() {
	local base offset
	while :; do
		base=$((20000 + RANDOM % 590 * 20))
		for offset in 0 1 2 3 10 11 12 13; do
			in_use $((base + offset)) && continue 2
		done
		echo "$base" && return 0
	done
}

# waits_for TEXT FILE...: until a file has a line of the text; false when the limit is over.
waits_for() {
	local end=$((SECONDS + limit_s))
	until grep -qF -e "$@" 2>/dev/null; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.005
	done
}

end_server() {
	[ -n "$server_pid" ] || return 0
	kill "$server_pid" 2>/dev/null || true
	wait "$server_pid" 2>/dev/null || true
	server_pid=
}

# conf_of SAE API INITIATOR: a copy of the SAE's configuration, altered in these two settings.
conf_of() {
	local conf=$lab/$1/$2-$3.cnf kme
	case $1-$2 in
	alice-014) kme=$KME_A_014 ;;
	bob-014) kme=$KME_B_014 ;;
	alice-004) kme=etsi004://$KME_A_004 ;;
	bob-004) kme=etsi004://$KME_B_004 ;;
	esac
	sed -e "s|^kme = .*|kme = $kme|" -e "s/^initiator = .*/initiator = $3/" \
		"$lab/$1/openssl.cnf" >"$conf"
	echo "$conf"
}

# start_server API: one s_server for all rows of an API; all that it writes is in server.*.
start_server() {
	rm -f "$work"/server.*
	mkfifo "$work/server.in"
	# Read and write, so that neither end waits for the other to open it.
	exec 7<>"$work/server.in"
	OPENSSL_CONF=$(conf_of bob "$1" client) QKD_LOG=info:$work/server.log openssl s_server \
		-accept 127.0.0.1:0 -tls1_3 -cert "$lab/pki/localhost.pem" -key "$lab/pki/localhost.key" \
		<&7 >"$work/server.out" 2>"$work/server.err" &
	server_pid=$!
	waits_for ACCEPT "$work/server.out" || {
		cat "$work/server.err" >&2
		die "s_server did not start"
	}
	port=$(sed -n 's/^ACCEPT .*:\([0-9]*\).*/\1/p' "$work/server.out" | head -n 1)
	server_api=$1
}

# handshake CONF GROUP NUMBER: both lines must arrive; the output is in client.*.
handshake() {
	local from_client="alice's line $3" from_server="bob's line $3"
	rm -f "$work"/client.*
	# s_server sends it as soon as the client is there.
	echo "$from_server" >&7
	# shellcheck disable=SC2094 # the input ends when the output has the server's line, or never will
	{
		echo "$from_client"
		waits_for "$from_server"$'\n:error:' "$work"/client.{out,err} || true
	} | OPENSSL_CONF=$1 QKD_LOG=info:$work/client.log timeout $((2 * limit_s)) openssl s_client \
		-connect "127.0.0.1:$port" -tls1_3 -groups "$2" -CAfile "$lab/pki/ca.pem" \
		-verify_return_error -verify_hostname localhost -servername localhost \
		>"$work/client.out" 2>"$work/client.err" || return 1
	grep -qF -e "$from_server" "$work/client.out" && waits_for "$from_client" "$work/server.out"
}

# key_of LOG GROUP ROLE: the key ID of the last handshake in a log, when group and role fit.
key_of() {
	tail -n 1 "$1" 2>/dev/null | sed -n "s/.* handshake key $2 role=$3 key_id=\([0-9a-f-]*\) .*/\1/p"
}

# show_row API GROUP INITIATOR NUMBER: one handshake, one line of the table.
show_row() {
	local client_role=initiator server_role=responder begin end client_key server_key group conf ok=no
	[ "$3" = client ] || { client_role=responder && server_role=initiator; }
	[ "$server_api" = "$1" ] || { end_server && start_server "$1"; }
	conf=$(conf_of alice "$1" "$3")
	begin=${EPOCHREALTIME/[.,]/}
	handshake "$conf" "$2" "$4" && ok=yes
	end=${EPOCHREALTIME/[.,]/}
	group=$(sed -n 's/^Negotiated TLS1.3 group: \([^<]\)/\1/p' "$work/client.out")
	client_key=$(key_of "$work/client.log" "$2" $client_role)
	server_key=$(key_of "$work/server.log" "$2" $server_role)
	[ "$group" = "$2" ] && [ -n "$client_key" ] && [ "$client_key" = "$server_key" ] || ok=no
	# shellcheck disable=SC2059 # one format for all lines
	printf "$format" "${group:-$2 failed}" "$1" "$3-initiated" "${client_key:--}" \
		"${server_key:--}" "$ok" "$(((end - begin) / 1000)) ms"
	[ $ok = yes ] && return 0
	tail -n 5 "$work/client.err" "$work/server.err" >&2
	return 1
}

# delivered ROLE: keys that both key servers delivered in this role, over both APIs, from their
# metrics.
delivered() {
	local url
	for url in "$KME_A_ADMIN" "$KME_B_ADMIN"; do
		curl -sS --noproxy '*' "$url/metrics"
	done | awk -v role="role=\"$1\"" \
		'/^qkd_kme_keys_delivered_total/ && index($0, role) { sum += $NF } END { print sum + 0 }'
}

say "two key servers in a laboratory; their quantum channel is SIMULATED"
qkdctl lab init "$lab" --base-port "$(free_base_port)" >/dev/null
qkdctl lab up "$lab" >&2
# shellcheck disable=SC1091 # written by qkdctl
. "$lab/lab.env"

say "one $(openssl version | cut -d' ' -f1,2) s_server for each API, one s_client for each row; nothing in them is changed"
echo
# shellcheck disable=SC2059 # one format for all lines
printf "$format" "NEGOTIATED GROUP" API FLOW "KEY ID (client)" "KEY ID (server)" "same?" TIME
failed=0
number=0
for row in "${rows[@]}"; do
	number=$((number + 1))
	# shellcheck disable=SC2086 # three words
	show_row $row $number || failed=$((failed + 1))
done

initiators=$(delivered initiator)
responders=$(delivered responder)
cat <<END

The group is what s_client reports, the key IDs are from the logs of both programs, the time is
that of one whole s_client run. A line went each way over every connection.
Keys delivered by the key servers: $initiators to initiators, $responders to responders, for $number handshakes.

The quantum channel between the two key servers is SIMULATED: this shows how TLS uses QKD keys,
it does not distribute keys by quantum means.
Next: README.md; 'qkdctl help' (after '. build/env.sh') for a laboratory of your own; docs/.
END
[ $failed -eq 0 ] || die "$failed of $number handshakes did not work"
if [ "$initiators" -ne $number ] || [ "$responders" -ne $number ]; then
	die "the key servers did not deliver exactly one key to each end of each handshake"
fi
