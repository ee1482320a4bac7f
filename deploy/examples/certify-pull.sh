#!/bin/sh
# The sidecar with `office = "pull"` and an office of yours beside it, as one adapter for the conformance kit:
#   province-adapter certify --adapter "deploy/examples/certify-pull.sh {config} python3 deploy/examples/python-office/office.py"
#   province-adapter certify --adapter "deploy/examples/certify-pull.sh {config} java deploy/examples/java-office/Office.java"
# The kit kills both with SIGKILL, again and again; what must survive lies in {config}/state.
# PROVINCE_ADAPTER names the sidecar if it is not on the PATH.
set -eu
folder=$1
shift
adapter=${PROVINCE_ADAPTER:-province-adapter}
state=$folder/state
[ -s "$state/office.token" ] || (umask 077; od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$state/office.token")
rm -f "$state/office.address"
sed 's/^office = "obedient"/office = "pull"/' "$folder/adapter.toml" > "$folder/pull.toml"
cat >> "$folder/pull.toml" <<SETTINGS

[pull]
listen = "127.0.0.1:0"
address_file = "$state/office.address"
token_file = "$state/office.token"
SETTINGS
"$adapter" --config "$folder/pull.toml" serve &
sidecar=$!
trap 'kill $sidecar 2>/dev/null || true' EXIT
until [ -s "$state/office.address" ]; do
    kill -0 $sidecar || exit 1
    sleep 0.05
done
"$@" --obedient --pace-ms 0 --url "http://$(cat "$state/office.address")" --token-file "$state/office.token" --files "$state/office.files"
