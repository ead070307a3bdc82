#!/bin/sh
# Runs one node of a Galera cluster. Arguments go to mariadbd.
# GALERA_NODES lists the group addresses of all nodes (host:port, separated by commas). One node starts with GALERA_BOOTSTRAP=1.
set -eu
: "${PORT:=3306}" "${ADDRESS:=127.0.0.1}" "${LOCKAGE_USER:=lockage}" "${LOCKAGE_PASSWORD:=lockage}" "${LOCKAGE_DB:=lockage}"
: "${GALERA_NODES:?}" "${GALERA_BOOTSTRAP:=0}"
: "${GALERA_PORT:=$((PORT + 1))}" "${GALERA_IST_PORT:=$((PORT + 2))}" "${GALERA_SST_PORT:=$((PORT + 3))}"
data=/data/mariadb
state=$data/grastate.dat

# The server writes the log at each commit and syncs it later: a killed server loses nothing, a crashed machine may lose data.
set -- --no-defaults --datadir="$data" --socket=/data/socket --pid-file=/data/pid --skip-name-resolve \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2 \
    --binlog-format=ROW --innodb-autoinc-lock-mode=2 "$@"

first_start() {
    rm -rf "$data"
    mkdir -p "$data"
    # The other nodes copy their data from the bootstrap node.
    [ "$GALERA_BOOTSTRAP" = 1 ] || return 0
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
    echo 'safe_to_bootstrap: 1' > "$state"
}

if [ ! -e /data/initialised ]; then
    first_start "$@"
    touch /data/initialised
fi

set -- "$@" --bind-address="$ADDRESS" --port="$PORT" \
    --wsrep-on=ON --wsrep-provider=/usr/lib/galera/libgalera_smm.so \
    --wsrep-cluster-name=lockage --wsrep-cluster-address="gcomm://$GALERA_NODES" \
    --wsrep-node-name="node-$PORT" --wsrep-node-address="$ADDRESS:$GALERA_PORT" \
    --wsrep-sst-method=rsync --wsrep-sst-receive-address="$ADDRESS:$GALERA_SST_PORT" \
    --wsrep-provider-options="gmcast.listen_addr=tcp://$ADDRESS:$GALERA_PORT;ist.recv_addr=$ADDRESS:$GALERA_IST_PORT;gcache.size=16M"

if grep -qs '^seqno: *-1' "$state"; then
    # After a kill only InnoDB has the last position.
    mariadbd "$@" --wsrep-recover > /data/recover.log 2>&1
    set -- "$@" --wsrep-start-position="$(sed -n 's/.*WSREP: Recovered position: *//p' /data/recover.log)"
fi
if grep -qs '^safe_to_bootstrap: 1' "$state"; then
    # Galera clears this mark when another node may have newer data.
    set -- "$@" --wsrep-new-cluster
fi
exec mariadbd "$@"
