#!/bin/sh
# Runs PgBouncer in front of the PostgreSQL server on SERVER_PORT. Arguments are further lines of its configuration, such as
# "default_pool_size = 3".
set -eu
: "${PORT:=6432}" "${ADDRESS:=127.0.0.1}" "${LOCKAGE_USER:=lockage}" "${LOCKAGE_PASSWORD:=lockage}"
: "${SERVER_PORT:?}" "${POOL_MODE:=transaction}"

echo "\"$LOCKAGE_USER\" \"$LOCKAGE_PASSWORD\"" > /data/users
cat > /data/pgbouncer.ini <<EOF
[databases]
* = host=$ADDRESS port=$SERVER_PORT
[pgbouncer]
listen_addr = $ADDRESS
listen_port = $PORT
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /data/users
admin_users = $LOCKAGE_USER
pool_mode = $POOL_MODE
max_client_conn = 500
EOF
for line in "$@"; do
    echo "$line" >> /data/pgbouncer.ini
done

pgbouncer /data/pgbouncer.ini &
server=$!
# Before 1.23, SIGTERM stops immediately and SIGQUIT does nothing. Since 1.23, SIGTERM waits for all clients and SIGQUIT stops immediately.
trap 'stopped=1; kill -QUIT $server; kill -TERM $server' TERM INT
stopped=0 code=0
wait $server || code=$?
if [ $stopped = 1 ]; then
    wait $server || true
    code=0
fi
exit $code
