//! The cells of `cargo xtask test-matrix`. A new version of an engine needs only a new row here.

mod server;
mod suite;

use lockage_test_matrix::{Cell, LocalImage, Provisioning};

use server::{
    GALERA_10_11, GALERA_11_8, MARIADB_10_5, MARIADB_10_11, MARIADB_11_8, MYSQL_8_4, MYSQL_9_7,
    POSTGRES_13, POSTGRES_15, POSTGRES_17, POSTGRES_18, SQLSERVER_2019, SQLSERVER_2022,
};

/// PgBouncer in front of PostgreSQL. The version in the cell is that of PgBouncer.
const PGBOUNCER: LocalImage = LocalImage {
    image: "pgbouncer:1.26",
    folder: "pgbouncer",
    suite: "sid",
    arguments: &[],
    data: None,
};

/// The version in Debian stable. It crashes when a client disconnects immediately after a cancel request, so suites that cancel statements
/// do not run there.
const PGBOUNCER_1_18: LocalImage = LocalImage {
    image: "pgbouncer:1.18",
    suite: "bookworm",
    ..PGBOUNCER
};

const fn pooled(pooler: LocalImage, mode: &'static str) -> Provisioning {
    Provisioning::Pooled {
        pooler,
        mode,
        server: POSTGRES_15,
    }
}

/// The engine of `tests/third-party-backend`, whose suite starts the server.
const FIREBIRD: Provisioning = Provisioning::Programs {
    paths: &["/usr/sbin/firebird", "/usr/bin/isql-fb"],
    packages: &["firebird3.0-server", "firebird3.0-utils"],
};

/// Consecutive cells with the same provisioning share their servers. A URL variable without a version applies to the first version of its
/// engine.
#[rustfmt::skip]
pub(crate) const CELLS: &[Cell] = &[
    Cell { engine: "sqlite", version: "wal", lock: "file", provisioning: Provisioning::Embedded, suites: suite::SQLITE_WAL },
    Cell { engine: "sqlite", version: "rollback", lock: "file", provisioning: Provisioning::Embedded, suites: suite::SQLITE_ROLLBACK },
    Cell { engine: "postgres", version: "15", lock: "advisory", provisioning: Provisioning::Server(POSTGRES_15), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "13", lock: "advisory", provisioning: Provisioning::Server(POSTGRES_13), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "17", lock: "advisory", provisioning: Provisioning::Server(POSTGRES_17), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "18", lock: "advisory", provisioning: Provisioning::Server(POSTGRES_18), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "18", lock: "table", provisioning: Provisioning::Server(POSTGRES_18), suites: suite::POSTGRES_TABLE },
    Cell { engine: "mysql", version: "9.7", lock: "advisory", provisioning: Provisioning::Server(MYSQL_9_7), suites: suite::MYSQL },
    Cell { engine: "mysql", version: "9.7", lock: "table", provisioning: Provisioning::Server(MYSQL_9_7), suites: suite::MYSQL_TABLE },
    Cell { engine: "mysql", version: "8.4", lock: "advisory", provisioning: Provisioning::Server(MYSQL_8_4), suites: suite::MYSQL },
    Cell { engine: "mysql", version: "8.4", lock: "table", provisioning: Provisioning::Server(MYSQL_8_4), suites: suite::MYSQL_TABLE },
    Cell { engine: "mariadb", version: "10.11", lock: "advisory", provisioning: Provisioning::Server(MARIADB_10_11), suites: suite::MARIADB },
    Cell { engine: "mariadb", version: "10.11", lock: "table", provisioning: Provisioning::Server(MARIADB_10_11), suites: suite::MARIADB_TABLE },
    Cell { engine: "mariadb", version: "10.5", lock: "advisory", provisioning: Provisioning::Server(MARIADB_10_5), suites: suite::MARIADB },
    Cell { engine: "mariadb", version: "11.8", lock: "advisory", provisioning: Provisioning::Server(MARIADB_11_8), suites: suite::MARIADB },
    Cell { engine: "galera", version: "10.11", lock: "table", provisioning: Provisioning::Galera(GALERA_10_11), suites: suite::GALERA },
    Cell { engine: "galera", version: "11.8", lock: "table", provisioning: Provisioning::Galera(GALERA_11_8), suites: suite::GALERA },
    Cell { engine: "pgbouncer", version: "1.26-session", lock: "advisory", provisioning: pooled(PGBOUNCER, "session"), suites: suite::POOLED },
    Cell { engine: "pgbouncer", version: "1.26-transaction", lock: "table", provisioning: pooled(PGBOUNCER, "transaction"), suites: suite::POOLED_TABLE },
    Cell { engine: "pgbouncer", version: "1.26-transaction", lock: "advisory", provisioning: pooled(PGBOUNCER, "transaction"), suites: suite::REFUSED },
    Cell { engine: "pgbouncer", version: "1.18-transaction", lock: "advisory", provisioning: pooled(PGBOUNCER_1_18, "transaction"), suites: suite::REFUSED },
    Cell { engine: "sqlserver", version: "2022", lock: "advisory", provisioning: Provisioning::Server(SQLSERVER_2022), suites: suite::SQLSERVER },
    Cell { engine: "sqlserver", version: "2022", lock: "table", provisioning: Provisioning::Server(SQLSERVER_2022), suites: suite::SQLSERVER_TABLE },
    Cell { engine: "sqlserver", version: "2019", lock: "advisory", provisioning: Provisioning::Server(SQLSERVER_2019), suites: suite::SQLSERVER },
    Cell { engine: "sqlserver", version: "2019", lock: "table", provisioning: Provisioning::Server(SQLSERVER_2019), suites: suite::SQLSERVER_TABLE },
    Cell { engine: "firebird", version: "3.0", lock: "row", provisioning: FIREBIRD, suites: suite::FIREBIRD },
];
