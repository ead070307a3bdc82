//! What one migration leaves in its session, which the next migration of the same run must not see.

use crate::TestError;
use crate::case_context::CaseContext;

cases!("session":
    temporary_table_is_dropped_before_next_migration [TemporaryTable],
    setting_is_restored_before_next_migration [SessionSetting],
);

async fn temporary_table_is_dropped_before_next_migration(
    context: &CaseContext,
) -> Result<(), TestError> {
    let create = [context.create_table_sql("seen")];
    // On most engines it hides the permanent table.
    let temporary = [context.fixture().create_temporary_table_sql("seen")?];
    let set = context.migrations(&[
        ("V1__create.sql", &create),
        ("V2__temporary.sql", &temporary),
        ("V3__insert.sql", &[context.insert_sql("seen", 3)]),
        ("V4__temporary.sql no-transaction", &temporary),
        (
            "V5__insert.sql no-transaction",
            &[context.insert_sql("seen", 5)],
        ),
        ("V6__temporary.sql", &temporary),
    ])?;
    context
        .with_timeout_ok("a run with temporary tables", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![3, 5]),
        "the rows of the permanent table"
    );
    Ok(())
}

async fn setting_is_restored_before_next_migration(context: &CaseContext) -> Result<(), TestError> {
    let set_sql = context.fixture().change_setting_sql()?;
    let insert_sql = context.fixture().insert_setting_sql("seen")?;
    let change = [set_sql, insert_sql.clone()];
    let read = [insert_sql];
    let set = context.migrations(&[
        ("V1__create.sql", &[context.create_table_sql("seen")]),
        ("V2__change.sql", &change),
        ("V3__read.sql", &read),
        ("V4__change.sql no-transaction", &change),
        ("V5__read.sql no-transaction", &read),
    ])?;
    context
        .with_timeout_ok("a run with changed settings", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![0, 0, 1, 1]),
        "the setting in the migrations that do not change it (0) and in those that do (1)"
    );
    Ok(())
}
