//! What is run in a cell.

use lockage_testkit::matrix::Suite;

const fn suite(name: &'static str, package: &'static str, target: &'static str) -> Suite {
    Suite {
        name,
        package,
        target,
        environment: &[],
        faults: false,
    }
}

const fn told(suite: Suite, environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        environment,
        ..suite
    }
}

/// Many processes of the real program.
const RACES: Suite = suite("races", "lockage-tests", "races");

/// Harm at random moments, on the engine that the environment names.
const fn faults(environment: &'static [(&'static str, &'static str)]) -> Suite {
    Suite {
        faults: true,
        ..told(suite("faults", "lockage-tests", "races"), environment)
    }
}

const FAULTS: Suite = faults(&[("LOCKAGE_TEST_FAULTS", "1")]);

const WAL: &[(&str, &str)] = &[("LOCKAGE_TEST_SQLITE_JOURNAL_MODE", "wal")];
const SQLITE: Suite = suite("conformance", "lockage-sqlite", "conformance");

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

const POSTGRES_CONFORMANCE: Suite = suite("conformance", "lockage-postgres", "conformance");

pub(super) const POSTGRES: &[Suite] = &[
    POSTGRES_CONFORMANCE,
    suite("server", "lockage-postgres", "server"),
    RACES,
    FAULTS,
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
    suite("conformance", "lockage-postgres", "conformance_table_lock"),
    told(
        RACES,
        &[
            ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
            ("LOCKAGE_TEST_ENGINE", "postgres"),
        ],
    ),
    TABLE_FAULTS,
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

const MYSQL_CONFORMANCE: Suite = suite("conformance", "lockage-mysql", "conformance");
const TABLE_CONFORMANCE: Suite = suite("conformance", "lockage-mysql", "conformance_table_lock");

pub(super) const MYSQL: &[Suite] = &[
    MYSQL_CONFORMANCE,
    suite("server", "lockage-mysql", "server"),
    suite("crash", "lockage-mysql", "crash"),
    RACES,
    FAULTS,
];
pub(super) const MYSQL_TABLE: &[Suite] = &[
    TABLE_CONFORMANCE,
    told(RACES, TABLE),
    faults(&[
        ("LOCKAGE_TEST_FAULTS", "1"),
        ("LOCKAGE_TEST_LOCK_STRATEGY", "table"),
    ]),
];
pub(super) const MARIADB: &[Suite] = MYSQL;
pub(super) const MARIADB_TABLE: &[Suite] = MYSQL_TABLE;

/// The table lock's suite at one node, then processes on all of them.
pub(super) const GALERA: &[Suite] = &[
    TABLE_CONFORMANCE,
    suite("three nodes", "lockage-mysql", "galera"),
    RACES,
    FAULTS,
];

pub(super) const SQLSERVER: &[Suite] = &[suite("conformance", "lockage-sqlserver", "conformance")];
pub(super) const SQLSERVER_TABLE: &[Suite] = &[suite(
    "conformance",
    "lockage-sqlserver",
    "conformance_table_lock",
)];
