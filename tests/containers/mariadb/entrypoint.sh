#!/bin/sh
# Creates a data directory on the first start and runs mariadbd. Arguments go to mariadbd.
set -eu
: "${PORT:=3306}" "${ADDRESS:=127.0.0.1}" "${LOCKAGE_USER:=lockage}" "${LOCKAGE_PASSWORD:=lockage}" "${LOCKAGE_DB:=lockage}"
data=/data/mariadb

# The server writes the log at each commit and syncs it later: a killed server loses nothing, a crashed machine may lose data.
set -- --no-defaults --datadir="$data" --socket=/data/socket --pid-file=/data/pid --skip-name-resolve \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2 "$@"

if [ ! -e /data/initialised ]; then
    rm -rf "$data"
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db \
        --innodb-log-file-size=16M
    cat > /data/first.sql <<EOF
CREATE DATABASE \`$LOCKAGE_DB\`;
CREATE USER '$LOCKAGE_USER'@'%' IDENTIFIED BY '$LOCKAGE_PASSWORD';
GRANT ALL PRIVILEGES ON *.* TO '$LOCKAGE_USER'@'%' WITH GRANT OPTION;
SHUTDOWN;
EOF
    mariadbd "$@" --skip-networking --init-file=/data/first.sql
    rm /data/first.sql
    touch /data/initialised
fi
exec mariadbd "$@" --bind-address="$ADDRESS" --port="$PORT"
