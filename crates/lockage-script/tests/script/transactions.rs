use lockage_script::TransactionControl::{
    self, Begin, Commit, Prepare, ReleaseSavepoint, Rollback, RollbackToSavepoint, Savepoint,
};
use lockage_script::{MYSQL, POSTGRES, SQLITE, SQLSERVER, Savepoints, Syntax, transaction_control};

fn assert_control(syntax: &Syntax, cases: &[(&str, Option<TransactionControl>)]) {
    for (text, expected) in cases {
        assert_eq!(
            transaction_control(text, syntax),
            *expected,
            "{text:?} on {}",
            syntax.name
        );
    }
}

#[test]
fn postgres_phrases_are_recognised() {
    assert_control(
        &POSTGRES,
        &[
            ("BEGIN", Some(Begin)),
            ("/* c */ begin isolation level serializable", Some(Begin)),
            ("START TRANSACTION READ ONLY", Some(Begin)),
            ("COMMIT", Some(Commit)),
            ("COMMIT AND CHAIN", Some(Commit)),
            ("END", Some(Commit)),
            ("ROLLBACK", Some(Rollback)),
            ("ROLLBACK WORK", Some(Rollback)),
            ("ABORT", Some(Rollback)),
            ("ROLLBACK TO a", Some(RollbackToSavepoint)),
            ("ROLLBACK WORK TO SAVEPOINT a", Some(RollbackToSavepoint)),
            ("ROLLBACK TRANSACTION TO a", Some(RollbackToSavepoint)),
            ("SAVEPOINT a", Some(Savepoint)),
            ("RELEASE a", Some(ReleaseSavepoint)),
            ("PREPARE TRANSACTION 'x'", Some(Prepare)),
            ("PREPARE x AS SELECT 1", None),
            ("COMMIT PREPARED 'x'", None),
            ("rollback /* c */ prepared 'x'", None),
            ("\"BEGIN\"", None),
            ("SELECT 'COMMIT'", None),
            ("SET TRANSACTION READ ONLY", None),
            ("DO $$ BEGIN COMMIT; END $$", None),
            ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END", None),
            ("", None),
        ],
    );
}

#[test]
fn mysql_phrases_are_recognised() {
    assert_control(
        &MYSQL,
        &[
            ("BEGIN", Some(Begin)),
            ("BEGIN WORK", Some(Begin)),
            ("BEGIN NOT ATOMIC SELECT 1; END", None),
            ("/*!50001 START TRANSACTION */", Some(Begin)),
            ("START REPLICA", None),
            ("COMMIT", Some(Commit)),
            ("ROLLBACK TO SAVEPOINT a", Some(RollbackToSavepoint)),
            ("ROLLBACK WORK TO a", Some(RollbackToSavepoint)),
            ("ROLLBACK", Some(Rollback)),
            ("SAVEPOINT a", Some(Savepoint)),
            ("RELEASE SAVEPOINT a", Some(ReleaseSavepoint)),
            ("XA START 'x'", Some(Begin)),
            ("XA COMMIT 'x'", Some(Commit)),
            ("XA RECOVER", None),
            ("CREATE PROCEDURE p() BEGIN COMMIT; END", None),
        ],
    );
}

#[test]
fn sqlserver_phrases_are_recognised() {
    assert_control(
        &SQLSERVER,
        &[
            ("BEGIN TRAN", Some(Begin)),
            ("SELECT 1; begin transaction t", Some(Begin)),
            ("BEGIN DISTRIBUTED TRAN", Some(Begin)),
            ("SELECT 1\nCOMMIT", Some(Commit)),
            ("IF @@TRANCOUNT > 0 ROLLBACK", Some(Rollback)),
            ("SAVE TRAN a", Some(Savepoint)),
            ("SAVE TRANSACTION a; SELECT 1; COMMIT", Some(Commit)),
            ("BEGIN SELECT 1 END", None),
            (
                "BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW END CATCH",
                None,
            ),
            (
                "SELECT @commit, #rollback.a, [commit], 'COMMIT' -- COMMIT",
                None,
            ),
            (
                "ALTER DATABASE d SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
                None,
            ),
            (
                "ALTER DATABASE d SET READ_ONLY WITH ROLLBACK AFTER 5 SECONDS",
                None,
            ),
            ("CREATE PROCEDURE p AS BEGIN TRAN COMMIT", None),
            ("create or alter proc p AS COMMIT", None),
            ("ALTER TRIGGER t ON a FOR INSERT AS ROLLBACK", None),
            ("CREATE TABLE a (b int) COMMIT", Some(Commit)),
        ],
    );
}

#[test]
fn sqlite_phrases_are_recognised() {
    assert_control(
        &SQLITE,
        &[
            ("BEGIN IMMEDIATE", Some(Begin)),
            ("COMMIT TRANSACTION", Some(Commit)),
            ("END", Some(Commit)),
            ("ROLLBACK", Some(Rollback)),
            (
                "ROLLBACK TRANSACTION TO SAVEPOINT a",
                Some(RollbackToSavepoint),
            ),
            ("ROLLBACK TO a", Some(RollbackToSavepoint)),
            ("SAVEPOINT a", Some(Savepoint)),
            ("RELEASE a", Some(ReleaseSavepoint)),
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
                None,
            ),
            ("PRAGMA foreign_keys = OFF", None),
        ],
    );
}

#[test]
fn savepoints_do_not_cross_boundary() {
    for inside in [Savepoint, RollbackToSavepoint, ReleaseSavepoint] {
        assert!(!inside.crosses_boundary());
    }
    for crossing in [Begin, Commit, Rollback, Prepare] {
        assert!(crossing.crosses_boundary());
    }
}

/// Returns the effects of statements that run one after the other.
fn controls(script: &str, syntax: &'static Syntax) -> Vec<Option<TransactionControl>> {
    let (mut savepoints, mut open) = (Savepoints::default(), false);
    script
        .split("; ")
        .map(|text| {
            let control = savepoints.control(text, syntax, open);
            savepoints.record(text, syntax, open);
            match control {
                Some(Begin) => open = true,
                Some(Commit | Rollback) => open = false,
                _ => {}
            }
            control
        })
        .collect()
}

#[test]
fn outermost_savepoint_of_sqlite_is_a_transaction() {
    assert_eq!(
        controls(
            "SAVEPOINT a; SELECT 1; savepoint \"B\"; RELEASE b; SAVEPOINT a; RELEASE a; ROLLBACK TO A; RELEASE SAVEPOINT [a]",
            &SQLITE
        ),
        [
            Some(Begin),
            None,
            Some(Savepoint),
            Some(ReleaseSavepoint),
            Some(Savepoint),
            Some(ReleaseSavepoint),
            Some(RollbackToSavepoint),
            Some(Commit),
        ]
    );
    assert_eq!(
        controls(
            "BEGIN; SAVEPOINT a; RELEASE a; COMMIT; SAVEPOINT a; ROLLBACK; SAVEPOINT a; SAVEPOINT b; RELEASE a",
            &SQLITE
        ),
        [
            Some(Begin),
            Some(Savepoint),
            Some(ReleaseSavepoint),
            Some(Commit),
            Some(Begin),
            Some(Rollback),
            Some(Begin),
            Some(Savepoint),
            Some(Commit),
        ]
    );
    assert_eq!(
        controls("SAVEPOINT a; RELEASE SAVEPOINT a", &MYSQL),
        [Some(Savepoint), Some(ReleaseSavepoint)]
    );
}
