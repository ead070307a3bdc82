#!/bin/sh
# Creates a data directory on the first start and runs mysqld. Arguments go to mysqld.
set -eu
: "${PORT:=3306}" "${ADDRESS:=127.0.0.1}" "${LOCKAGE_USER:=lockage}" "${LOCKAGE_PASSWORD:=lockage}" "${LOCKAGE_DB:=lockage}"
data=/data/mysql

# mysqlx would use port 33060 for every server on the host.
# The server writes both logs at each commit and syncs them later: a killed server loses nothing, a crashed machine may lose data.
set -- --no-defaults --datadir="$data" --socket=/data/socket --pid-file=/data/pid --mysqlx=0 --skip-name-resolve --secure-file-priv=NULL \
    --innodb-buffer-pool-size=64M --innodb-redo-log-capacity=32M --innodb-flush-log-at-trx-commit=2 --sync-binlog=0 "$@"

if [ ! -e /data/initialised ]; then
    rm -rf "$data"
    mysqld "$@" --initialize-insecure
    cat > /data/first.sql <<EOF
CREATE DATABASE \`$LOCKAGE_DB\`;
CREATE USER '$LOCKAGE_USER'@'%' IDENTIFIED BY '$LOCKAGE_PASSWORD';
GRANT ALL PRIVILEGES ON *.* TO '$LOCKAGE_USER'@'%' WITH GRANT OPTION;
SHUTDOWN;
EOF
    mysqld "$@" --skip-networking --init-file=/data/first.sql
    rm /data/first.sql
    touch /data/initialised
fi
exec mysqld "$@" --bind-address="$ADDRESS" --port="$PORT"
