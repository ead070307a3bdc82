//! The suites of the cells.

use lockage_test_matrix::{RunCondition, Suite};

/// Returns a suite with environment variables.
const fn with_environment(
    suite: Suite,
    environment: &'static [(&'static str, &'static str)],
) -> Suite {
    Suite {
        environment,
        ..suite
    }
}

/// End-to-end tests with many processes of the real program.
const E2E: Suite = Suite::new("e2e", "lockage-tests", "e2e");

/// Faults at random moments.
const fn faults(environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        condition: RunCondition::Faults,
        ..with_environment(Suite::new("faults", "lockage-tests", "e2e"), environment)
    }
}

const FAULTS: Suite = faults(&[("LOCKAGE_TEST_FAULTS", "1")]);

/// The fault that needs a separate server.
const fn full_disk(environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        condition: RunCondition::FullDisk,
        ..with_environment(Suite::new("full disk", "lockage-tests", "e2e"), environment)
    }
}

const FULL_DISK: Suite = full_disk(&[("LOCKAGE_TEST_FAULTS", "disk")]);

const WAL: &[(&str, &str)] = &[("LOCKAGE_TEST_SQLITE_JOURNAL_MODE", "wal")];
const SQLITE: Suite = Suite::new("conformance", "lockage-sqlite", "conformance");

pub(super) const SQLITE_WAL: &[Suite] = &[
    with_environment(SQLITE, WAL),
    with_environment(E2E, &[("LOCKAGE_TEST_ENGINE", "sqlite-wal")]),
    faults(&[
        ("LOCKAGE_TEST_FAULTS", "1"),
        ("LOCKAGE_TEST_ENGINE", "sqlite-wal"),
    ]),
];
pub(super) const SQLITE_ROLLBACK: &[Suite] = &[
    SQLITE,
    with_environment(E2E, &[("LOCKAGE_TEST_ENGINE", "sqlite-delete")]),
    faults(&[
        ("LOCKAGE_TEST_FAULTS", "1"),
        ("LOCKAGE_TEST_ENGINE", "sqlite-delete"),
    ]),
];

const POSTGRES_CONFORMANCE: Suite = Suite::new("conformance", "lockage-postgres", "conformance");

pub(super) const POSTGRES: &[Suite] = &[
    POSTGRES_CONFORMANCE,
    Suite::new("server", "lockage-postgres", "server"),
    E2E,
    FAULTS,
    FULL_DISK,
];

pub(super) const POOLED: &[Suite] = &[
    POSTGRES_CONFORMANCE,
    with_environment(
        E2E,
        &[
            ("LOCKAGE_TEST_ENGINE", "postgres"),
            ("LOCKAGE_TEST_POOLED", "session"),
        ],
    ),
];

const TABLE: &[(&str, &str)] = &[("LOCKAGE_TEST_LOCK_STRATEGY", "table")];
const TABLE_FAULTS: Suite = faults(&[
    ("LOCKAGE_TEST_FAULTS", "1"),
    ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
    ("LOCKAGE_TEST_ENGINE", "postgres"),
]);

pub(super) const POSTGRES_TABLE: &[Suite] = &[
    Suite::new("conformance", "lockage-postgres", "conformance_table_lock"),
    with_environment(
        E2E,
        &[
            ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
            ("LOCKAGE_TEST_ENGINE", "postgres"),
        ],
    ),
    TABLE_FAULTS,
    full_disk(&[
        ("LOCKAGE_TEST_FAULTS", "disk"),
        ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
        ("LOCKAGE_TEST_ENGINE", "postgres"),
    ]),
];

/// The fixture of the conformance suite needs sessions, which a transaction pooler does not provide.
pub(super) const POOLED_TABLE: &[Suite] = &[with_environment(
    E2E,
    &[
        ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
        ("LOCKAGE_TEST_ENGINE", "postgres"),
        ("LOCKAGE_TEST_POOLED", "transaction"),
    ],
)];

/// Advisory locks do not exclude other sessions there. The program must detect this before it writes.
pub(super) const REFUSED: &[Suite] = &[with_environment(
    E2E,
    &[
        ("LOCKAGE_TEST_LOCK_STRATEGY", "advisory"),
        ("LOCKAGE_TEST_ENGINE", "pooled-by-transaction"),
    ],
)];

const MYSQL_CONFORMANCE: Suite = Suite::new("conformance", "lockage-mysql", "conformance");
const TABLE_CONFORMANCE: Suite =
    Suite::new("conformance", "lockage-mysql", "conformance_table_lock");

pub(super) const MYSQL: &[Suite] = &[
    MYSQL_CONFORMANCE,
    Suite::new("server", "lockage-mysql", "server"),
    Suite::new("crash", "lockage-mysql", "crash"),
    E2E,
    FAULTS,
    FULL_DISK,
];
pub(super) const MYSQL_TABLE: &[Suite] = &[
    TABLE_CONFORMANCE,
    with_environment(E2E, TABLE),
    faults(&[
        ("LOCKAGE_TEST_FAULTS", "1"),
        ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
    ]),
    full_disk(&[
        ("LOCKAGE_TEST_FAULTS", "disk"),
        ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
    ]),
];
pub(super) const MARIADB: &[Suite] = MYSQL;
pub(super) const MARIADB_TABLE: &[Suite] = MYSQL_TABLE;

/// The suite of the table lock on one node, then processes on all nodes.
pub(super) const GALERA: &[Suite] = &[
    TABLE_CONFORMANCE,
    Suite::new("three nodes", "lockage-mysql", "galera"),
    E2E,
    FAULTS,
];

pub(super) const SQLSERVER: &[Suite] = &[Suite::new(
    "conformance",
    "lockage-sqlserver",
    "conformance",
)];
pub(super) const SQLSERVER_TABLE: &[Suite] = &[Suite::new(
    "conformance",
    "lockage-sqlserver",
    "conformance_table_lock",
)];

/// A third-party backend in a separate workspace.
pub(super) const FIREBIRD: &[Suite] = &[Suite {
    manifest: "tests/third-party-backend/Cargo.toml",
    ..Suite::new("conformance", "lockage-firebird", "conformance")
}];
