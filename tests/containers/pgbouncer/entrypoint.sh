#!/bin/sh
# PgBouncer before the PostgreSQL server on SERVER_PORT. Arguments are further lines for its configuration, as "default_pool_size = 3".
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
# SIGTERM ends at once before 1.23 and waits for every client to leave since; SIGQUIT ends at once since, and did nothing before.
trap 'stopped=1; kill -QUIT $server; kill -TERM $server' TERM INT
stopped=0 code=0
wait $server || code=$?
if [ $stopped = 1 ]; then
    wait $server || true
    code=0
fi
exit $code
