//! The cells of `cargo xtask test-matrix`: one place for all that is tested. A row here is all that a new version needs.

mod server;
mod suite;

use lockage_testkit::matrix::{Cell, Own, Place};

use server::{
    GALERA_10_11, GALERA_11_8, MARIADB_10_5, MARIADB_10_11, MARIADB_11_8, MYSQL_8_4, MYSQL_9_7,
    POSTGRES_13, POSTGRES_15, POSTGRES_17, POSTGRES_18, SQLSERVER_2019, SQLSERVER_2022,
};

/// Before PostgreSQL; the version is PgBouncer's.
const PGBOUNCER: Own = Own {
    image: "pgbouncer:1.26",
    folder: "pgbouncer",
    suite: "sid",
    arguments: &[],
    data: None,
};

/// As Debian stable has it. It ends itself when a client goes away that has just asked to cancel a statement, so the suites that do that
/// are not for it.
const PGBOUNCER_1_18: Own = Own {
    image: "pgbouncer:1.18",
    suite: "bookworm",
    ..PGBOUNCER
};

const fn pooled(pooler: Own, mode: &'static str) -> Place {
    Place::Pooled {
        pooler,
        mode,
        server: POSTGRES_15,
    }
}

/// Of the backend under `tests/third-party-backend`, whose suite starts the server.
const FIREBIRD: Place = Place::Programs {
    paths: &["/usr/sbin/firebird", "/usr/bin/isql-fb"],
    packages: &["firebird3.0-server", "firebird3.0-utils"],
};

/// Cells of one place stand side by side: they share its server. Of an engine, a URL without a version is for the first.
#[rustfmt::skip]
pub(crate) const CELLS: &[Cell] = &[
    Cell { engine: "sqlite", version: "wal", lock: "file", place: Place::Embedded, suites: suite::SQLITE_WAL },
    Cell { engine: "sqlite", version: "rollback", lock: "file", place: Place::Embedded, suites: suite::SQLITE_ROLLBACK },
    Cell { engine: "postgres", version: "15", lock: "advisory", place: Place::Server(POSTGRES_15), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "13", lock: "advisory", place: Place::Server(POSTGRES_13), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "17", lock: "advisory", place: Place::Server(POSTGRES_17), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "18", lock: "advisory", place: Place::Server(POSTGRES_18), suites: suite::POSTGRES },
    Cell { engine: "postgres", version: "18", lock: "table", place: Place::Server(POSTGRES_18), suites: suite::POSTGRES_TABLE },
    Cell { engine: "mysql", version: "9.7", lock: "advisory", place: Place::Server(MYSQL_9_7), suites: suite::MYSQL },
    Cell { engine: "mysql", version: "9.7", lock: "table", place: Place::Server(MYSQL_9_7), suites: suite::MYSQL_TABLE },
    Cell { engine: "mysql", version: "8.4", lock: "advisory", place: Place::Server(MYSQL_8_4), suites: suite::MYSQL },
    Cell { engine: "mysql", version: "8.4", lock: "table", place: Place::Server(MYSQL_8_4), suites: suite::MYSQL_TABLE },
    Cell { engine: "mariadb", version: "10.11", lock: "advisory", place: Place::Server(MARIADB_10_11), suites: suite::MARIADB },
    Cell { engine: "mariadb", version: "10.11", lock: "table", place: Place::Server(MARIADB_10_11), suites: suite::MARIADB_TABLE },
    Cell { engine: "mariadb", version: "10.5", lock: "advisory", place: Place::Server(MARIADB_10_5), suites: suite::MARIADB },
    Cell { engine: "mariadb", version: "11.8", lock: "advisory", place: Place::Server(MARIADB_11_8), suites: suite::MARIADB },
    Cell { engine: "galera", version: "10.11", lock: "table", place: Place::Galera(GALERA_10_11), suites: suite::GALERA },
    Cell { engine: "galera", version: "11.8", lock: "table", place: Place::Galera(GALERA_11_8), suites: suite::GALERA },
    Cell { engine: "pgbouncer", version: "1.26-session", lock: "advisory", place: pooled(PGBOUNCER, "session"), suites: suite::POOLED },
    Cell { engine: "pgbouncer", version: "1.26-transaction", lock: "table", place: pooled(PGBOUNCER, "transaction"), suites: suite::POOLED_TABLE },
    Cell { engine: "pgbouncer", version: "1.26-transaction", lock: "advisory", place: pooled(PGBOUNCER, "transaction"), suites: suite::REFUSED },
    Cell { engine: "pgbouncer", version: "1.18-transaction", lock: "advisory", place: pooled(PGBOUNCER_1_18, "transaction"), suites: suite::REFUSED },
    Cell { engine: "sqlserver", version: "2022", lock: "advisory", place: Place::Server(SQLSERVER_2022), suites: suite::SQLSERVER },
    Cell { engine: "sqlserver", version: "2022", lock: "table", place: Place::Server(SQLSERVER_2022), suites: suite::SQLSERVER_TABLE },
    Cell { engine: "sqlserver", version: "2019", lock: "advisory", place: Place::Server(SQLSERVER_2019), suites: suite::SQLSERVER },
    Cell { engine: "sqlserver", version: "2019", lock: "table", place: Place::Server(SQLSERVER_2019), suites: suite::SQLSERVER_TABLE },
    Cell { engine: "firebird", version: "3.0", lock: "row", place: FIREBIRD, suites: suite::FIREBIRD },
];
