//! How Lockage writes Firebird's SQL.

use lockage_sql::script::{Bodies, Brackets, SQLITE, Syntax};
use lockage_sql::{Clock, Dialect, single_quoted};

const SYNTAX: Syntax = SQLITE
    .with_name("Firebird")
    .with_backticks(false)
    .with_brackets(Brackets::Operators)
    .with_word_starts("")
    .with_word_parts("$")
    .with_bodies(Bodies::Triggers);

/// The session variable with the minutes that convert the server's clock to UTC. Servers before version 4 do not report their
/// time zone.
pub(crate) const UTC_OFFSET_VARIABLE: &str = "LOCKAGE_UTC";

/// Firebird's SQL.
pub(crate) static DIALECT: Dialect = Dialect::new("Firebird", &SYNTAX, CLOCK)
    .with_transaction("SET TRANSACTION", "COMMIT", "ROLLBACK")
    // 250 characters of four bytes fit into a key with the default page size of 8 KiB.
    .with_types(
        |length| match length {
            ..=8191 => format!("VARCHAR({length}) CHARACTER SET UTF8"),
            _ => "BLOB SUB_TYPE TEXT CHARACTER SET UTF8".into(),
        },
        "BIGINT",
    )
    .with_create_table(create_table)
    .with_for_update(" WITH LOCK");

const CLOCK: Clock = Clock {
    time_type: "TIMESTAMP",
    now: "DATEADD(CAST(RDB$GET_CONTEXT('USER_SESSION', 'LOCKAGE_UTC') AS INTEGER) MINUTE TO CAST('NOW' AS TIMESTAMP))",
    to_text: |column| format!("REPLACE(CAST({column} AS VARCHAR(24)), ' ', 'T') || 'Z'"),
    now_ms: "DATEDIFF(MILLISECOND FROM TIMESTAMP '1970-01-01 00:00:00' TO \
        DATEADD(CAST(RDB$GET_CONTEXT('USER_SESSION', 'LOCKAGE_UTC') AS INTEGER) MINUTE TO CAST('NOW' AS TIMESTAMP)))",
};

/// Creates a table if it does not exist. `CREATE TABLE` has no `IF NOT EXISTS` before version 6.
fn create_table(table: &str, columns: &str) -> String {
    let name = table.trim_matches('"').replace("\"\"", "\"");
    format!(
        "EXECUTE BLOCK AS BEGIN IF (NOT EXISTS (SELECT 1 FROM RDB$RELATIONS WHERE RDB$RELATION_NAME = {})) THEN EXECUTE STATEMENT {}; END",
        single_quoted(&name),
        single_quoted(&format!("CREATE TABLE {table} ({columns})"))
    )
}
