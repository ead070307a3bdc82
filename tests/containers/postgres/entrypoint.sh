#!/bin/sh
# Creates a data directory on the first start and runs postgres. Arguments go to postgres.
# STANDBY_OF=PORT creates a streaming standby of the server on that port. TLS=1 enables TLS with a new certificate, /data/tls/server.crt.
set -eu
: "${PORT:=5432}" "${ADDRESS:=127.0.0.1}" "${LOCKAGE_USER:=lockage}" "${LOCKAGE_PASSWORD:=lockage}" "${LOCKAGE_DB:=lockage}"
: "${STANDBY_OF:=}" "${TLS:=0}"
data=/data/postgres

if [ ! -e /data/initialised ]; then
    rm -rf "$data"
    if [ -n "$STANDBY_OF" ]; then
        PGPASSWORD=$LOCKAGE_PASSWORD pg_basebackup --pgdata="$data" --write-recovery-conf --checkpoint=fast --no-sync \
            --host="$ADDRESS" --port="$STANDBY_OF" --username="$LOCKAGE_USER"
    else
        echo "$LOCKAGE_PASSWORD" > /data/password
        initdb --pgdata="$data" --username="$LOCKAGE_USER" --pwfile=/data/password --auth=scram-sha-256 \
            --encoding=UTF8 --no-locale --no-sync
        rm /data/password
        echo 'host all all samenet scram-sha-256' >> "$data/pg_hba.conf"
        [ "$LOCKAGE_DB" = postgres ] || echo "CREATE DATABASE \"$LOCKAGE_DB\"" | postgres --single -D "$data" -F postgres
    fi
    touch /data/initialised
fi

if [ "$TLS" = 1 ]; then
    if [ ! -e /data/tls/server.crt ]; then
        mkdir -p -m 700 /data/tls
        openssl req -x509 -days 3650 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
            -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:$ADDRESS" -keyout /data/tls/server.key -out /data/tls/server.crt
    fi
    set -- -c ssl=on -c ssl_cert_file=/data/tls/server.crt -c ssl_key_file=/data/tls/server.key "$@"
fi

# The process id of a killed container may belong to another process in this one.
rm -f "$data/postmaster.pid"

# -F disables fsync: the writes of a killed server are in the page cache, and only a crashed machine loses them.
postgres -D "$data" -h "$ADDRESS" -p "$PORT" -k /data -F -c shared_buffers=32MB -c max_connections=200 "$@" &
server=$!
# SIGTERM would wait for all clients to disconnect.
trap 'stopped=1; kill -INT $server' TERM INT
stopped=0 code=0
wait $server || code=$?
if [ $stopped = 1 ]; then
    code=0
    wait $server || code=$?
fi
exit $code
