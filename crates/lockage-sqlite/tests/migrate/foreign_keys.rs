//! Scripts that run without foreign keys, and tables that others refer to.

use lockage_core::ErrorKind;

use crate::test_database::TestDatabase;

const BASE: (&str, &str) = (
    "V1__a.sql",
    "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE);
     INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
);

const REBUILD: &str =
    "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO new SELECT id, '' FROM p;
    DROP TABLE p; ALTER TABLE new RENAME TO p;";

#[tokio::test]
async fn pragma_in_file_with_directive_is_accepted() {
    for (off, on) in [
        ("PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON"),
        (
            "PRAGMA \"main\".foreign_keys = 0",
            "PRAGMA `foreign_keys`(1)",
        ),
    ] {
        let database = TestDatabase::new();
        let rebuild = format!("{off};{REBUILD}{on};");
        let with = format!("-- lockage: foreign-keys=off\n{rebuild}");
        let error = database
            .runner(&[BASE, ("V2__b.sql", &rebuild)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMigration);
        assert!(
            error.hint().unwrap().contains("foreign-keys=off"),
            "{error:?}"
        );
        assert_eq!(database.folder.path().read_dir().unwrap().count(), 0);
        database
            .runner(&[
                BASE,
                ("V2__b.sql", &with),
                (
                    "V3__c.sql",
                    "PRAGMA foreign_keys = ON; INSERT INTO p VALUES (2, '')",
                ),
            ])
            .up()
            .await
            .unwrap();
        assert_eq!(database.text("SELECT count(*) FROM c"), "Integer(1)");
    }
}

#[tokio::test]
async fn only_new_violations_are_reported_with_their_rows() {
    let database = TestDatabase::new();
    database.runner(&[BASE]).up().await.unwrap();
    database
        .client()
        .execute_batch(
            "PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (8); INSERT INTO c VALUES (8)",
        )
        .unwrap();
    // The rebuild of the child changes the ids of its rows.
    let rebuild = "-- lockage: foreign-keys=off
        CREATE TABLE new (p INTEGER REFERENCES p ON DELETE CASCADE, name TEXT); INSERT INTO new SELECT p, '' FROM c ORDER BY p DESC;
        DROP TABLE c; ALTER TABLE new RENAME TO c;";
    database
        .runner(&[BASE, ("V2__b.sql", rebuild)])
        .up()
        .await
        .unwrap();
    let broken = "-- lockage: foreign-keys=off
        INSERT INTO c VALUES (8, ''), (9, '');
        CREATE TABLE \"C's\" (\"a'b\" TEXT REFERENCES p, x INTEGER, PRIMARY KEY (x)) WITHOUT ROWID;
        INSERT INTO \"C's\" VALUES ('z', 1);";
    let error = database
        .runner(&[BASE, ("V2__b.sql", rebuild), ("V3__c.sql", broken)])
        .up()
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the script leaves rows that violate foreign keys: a row of `C's` has no parent in `p`; \
         row 4 of `c` (p = 8) has no parent in `p`; row 5 of `c` (p = 9) has no parent in `p`"
    );
    assert!(
        error.location().unwrap().file.ends_with("V3__c.sql"),
        "{error:?}"
    );
    assert_eq!(database.text("SELECT count(*) FROM c"), "Integer(3)");
}

#[tokio::test]
async fn drop_of_table_with_cascading_references_is_refused() {
    for action in ["CASCADE", "SET NULL", "SET DEFAULT"] {
        for head in [
            "",
            "PRAGMA defer_foreign_keys = ON;",
            "-- lockage: no-transaction\n",
        ] {
            let database = TestDatabase::new();
            let base = format!(
                "CREATE TABLE \"P\" (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER DEFAULT 1 REFERENCES p ON DELETE {action});
                 INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (2), (NULL);"
            );
            let base = ("V1__a.sql", &*base);
            let rebuild = format!(
                "{head}CREATE TABLE new (id INTEGER PRIMARY KEY); INSERT INTO new SELECT id FROM p;\nDROP TABLE IF EXISTS main.[p];\nALTER TABLE new RENAME TO p;"
            );
            let error = database
                .runner(&[base, ("V2__b.sql", &rebuild)])
                .up()
                .await
                .unwrap_err();
            assert!(error.message().contains("1 row of `c`"), "{error:?}");
            assert!(error.message().contains(action), "{error:?}");
            assert!(
                error.hint().unwrap().contains("foreign-keys=off"),
                "{error:?}"
            );
            assert!(error.location().unwrap().line.unwrap() > 1, "{error:?}");
            assert_eq!(
                database.text("SELECT group_concat(p) FROM c"),
                "Text(\"2\")"
            );
            if head.contains("no-transaction") {
                continue;
            }
            let allowed = format!("-- lockage: foreign-keys=off\n{rebuild}");
            database
                .runner(&[base, ("V2__b.sql", &allowed)])
                .up()
                .await
                .unwrap();
            assert_eq!(
                database.text("SELECT group_concat(p) FROM c"),
                "Text(\"2\")"
            );
            // Without rows that refer to it, the table can be dropped.
            database.client().execute_batch("DELETE FROM c").unwrap();
            let files = [
                base,
                ("V2__b.sql", &*allowed),
                ("V3__c.sql", "DROP TABLE p"),
            ];
            database.runner(&files).up().await.unwrap();
        }
    }
}
