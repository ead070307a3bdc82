//! What is run in a cell.

use lockage_testkit::matrix::{Suite, When};

const fn told(suite: Suite, environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        environment,
        ..suite
    }
}

/// Many processes of the real program.
const RACES: Suite = Suite::new("races", "lockage-tests", "races");

/// Harm at random moments, on the engine that the environment names.
const fn faults(environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        when: When::Faults,
        ..told(Suite::new("faults", "lockage-tests", "races"), environment)
    }
}

const FAULTS: Suite = faults(&[("LOCKAGE_TEST_FAULTS", "1")]);

/// The one fault that needs a server of its own.
const fn full_disk(environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        when: When::FullDisk,
        ..told(
            Suite::new("full disk", "lockage-tests", "races"),
            environment,
        )
    }
}

const FULL_DISK: Suite = full_disk(&[("LOCKAGE_TEST_FAULTS", "disk")]);

const WAL: &[(&str, &str)] = &[("LOCKAGE_TEST_SQLITE_JOURNAL_MODE", "wal")];
const SQLITE: Suite = Suite::new("conformance", "lockage-sqlite", "conformance");

pub(super) const SQLITE_WAL: &[Suite] = &[
    told(SQLITE, WAL),
    told(RACES, &[("LOCKAGE_TEST_ENGINE", "sqlite-wal")]),
    faults(&[
        ("LOCKAGE_TEST_FAULTS", "1"),
        ("LOCKAGE_TEST_ENGINE", "sqlite-wal"),
    ]),
];
pub(super) const SQLITE_ROLLBACK: &[Suite] = &[
    SQLITE,
    told(RACES, &[("LOCKAGE_TEST_ENGINE", "sqlite-delete")]),
    faults(&[
        ("LOCKAGE_TEST_FAULTS", "1"),
        ("LOCKAGE_TEST_ENGINE", "sqlite-delete"),
    ]),
];

const POSTGRES_CONFORMANCE: Suite = Suite::new("conformance", "lockage-postgres", "conformance");

pub(super) const POSTGRES: &[Suite] = &[
    POSTGRES_CONFORMANCE,
    Suite::new("server", "lockage-postgres", "server"),
    RACES,
    FAULTS,
    FULL_DISK,
];

pub(super) const POOLED: &[Suite] = &[
    POSTGRES_CONFORMANCE,
    told(
        RACES,
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
    told(
        RACES,
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

/// The conformance suite's witness needs sessions of its own, which such a pooler does not keep.
pub(super) const POOLED_TABLE: &[Suite] = &[told(
    RACES,
    &[
        ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
        ("LOCKAGE_TEST_ENGINE", "postgres"),
        ("LOCKAGE_TEST_POOLED", "transaction"),
    ],
)];

/// Advisory locks do not exclude there: the program has to find that out before it writes.
pub(super) const REFUSED: &[Suite] = &[told(
    RACES,
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
    RACES,
    FAULTS,
    FULL_DISK,
];
pub(super) const MYSQL_TABLE: &[Suite] = &[
    TABLE_CONFORMANCE,
    told(RACES, TABLE),
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

/// The table lock's suite at one node, then processes on all of them.
pub(super) const GALERA: &[Suite] = &[
    TABLE_CONFORMANCE,
    Suite::new("three nodes", "lockage-mysql", "galera"),
    RACES,
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

/// A backend of somebody else's, in a workspace of its own.
pub(super) const FIREBIRD: &[Suite] = &[Suite {
    manifest: "tests/third-party-backend/Cargo.toml",
    ..Suite::new("conformance", "lockage-firebird", "conformance")
}];
