//! The history.

use lockage_core::{Action, HistoryRow, Kind, Migration, NoObserver, State, Step};

use crate::TestError;
use crate::case_context::CaseContext;

cases!("history":
    missing_table_is_empty_history,
    history_is_readable_while_lock_is_held,
    row_contains_applied_migration,
    ensure_history_twice_keeps_rows,
    mark_applied_and_delete_row_change_only_history,
    changed_repeatable_is_applied_again,
);

async fn missing_table_is_empty_history(context: &CaseContext) -> Result<(), TestError> {
    let mut session = context.connect().await?;
    for _ in 0..2 {
        let history = context
            .with_timeout_ok("reading the history", session.history())
            .await?;
        ensure_eq!(history.rows, [], "the history of an empty database");
    }
    ensure_eq!(
        context.tables().await?,
        [""; 0],
        "tables after reading the history"
    );
    context
        .with_timeout_ok("closing a session", session.close())
        .await
}

async fn history_is_readable_while_lock_is_held(context: &CaseContext) -> Result<(), TestError> {
    let holder = context.lock(&Default::default()).await?;
    ensure_eq!(
        context.applied_versions().await?,
        [""; 0],
        "the history of an empty database"
    );
    context.unlock(holder).await?;

    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let mut watcher = context.connect().await?;
    context
        .with_timeout_ok("reading the history", watcher.history())
        .await?;
    context
        .with_timeout_ok("a run", context.runner(&set)?.up())
        .await?;
    let holder = context.lock(&Default::default()).await?;
    ensure_eq!(
        context.applied_versions().await?,
        ["1"],
        "applied versions, while the lock is held"
    );
    let history = context
        .with_timeout_ok("reading the history", watcher.history())
        .await?;
    ensure_eq!(history.rows.len(), 1, "rows that an earlier session reads");
    context
        .with_timeout_ok("closing a session", watcher.close())
        .await?;
    context.unlock(holder).await
}

async fn row_contains_applied_migration(context: &CaseContext) -> Result<(), TestError> {
    let files: [(&str, &[String]); 2] = [
        (
            "V1.5__first_table.sql",
            &[
                context.create_table_sql("seen"),
                context.insert_sql("seen", 1),
                context.insert_sql("seen", 2),
            ],
        ),
        (
            "V20260131093000__by_hand.sql no-transaction",
            &[context.insert_sql("seen", 3), context.insert_sql("seen", 4)],
        ),
    ];
    let set = context.migrations(&files)?;
    let mut run_id = String::new();
    let runner = context
        .runner(&set)?
        .connect_options(|options| run_id.clone_from(&options.run_id));
    context.with_timeout_ok("a run", runner.up()).await?;

    let history = context.history().await?;
    ensure_eq!(history.rows.len(), 2, "rows in the history");
    for ((row, migration), (_, statements)) in history.rows.iter().zip(set.iter()).zip(files) {
        expect_row(context, row, migration, statements.len() as u32)?;
        ensure_eq!(row.run_id, run_id, "the run id of {}", migration.file());
    }
    Ok(())
}

/// Checks a history row of an applied migration.
fn expect_row(
    context: &CaseContext,
    row: &HistoryRow,
    migration: &Migration,
    total: u32,
) -> Result<(), TestError> {
    let file = migration.file();
    ensure_eq!(row.version, migration.key(), "the version of {file}");
    ensure_eq!(row.name, migration.name(), "the name of {file}");
    ensure_eq!(row.kind, Kind::Versioned, "the kind of {file}");
    ensure_eq!(
        row.checksum,
        migration.checksum().to_string(),
        "the checksum of {file}"
    );
    ensure_eq!(row.state, State::Applied, "the state of {file}");
    ensure_eq!(
        (row.statements_done, row.statements_total),
        (total, total),
        "the completed and total statements of {file}"
    );
    ensure!(
        is_utc_time(&row.applied_at),
        "{file} was applied at `{}`",
        row.applied_at
    );
    ensure!(
        row.applied_by.contains('@'),
        "{file} was applied by `{}`",
        row.applied_by
    );
    ensure!(
        !row.tool_version.is_empty(),
        "the tool version of {file} is empty"
    );
    let mut counted = 0;
    context
        .suite()
        .backend
        .check_script(migration, &mut |_| counted += 1)?;
    ensure_eq!(
        counted,
        total,
        "statements of {file} that check_script() finds"
    );
    Ok(())
}

/// Returns whether a text is a time such as `2026-01-31T09:30:00Z`, optionally with fractions of a second, or with `+00:00`.
fn is_utc_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .take(19)
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let fraction = text.get(19..).unwrap_or_default();
    let zone = fraction.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    shape == "0000-00-00T00:00:00" && ["Z", "+00:00"].contains(&zone)
}

async fn ensure_history_twice_keeps_rows(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let mut locked = context.lock(&Default::default()).await?;
    context
        .with_timeout_ok("creating the history", locked.ensure_history())
        .await?;
    let steps = context.steps(&mut locked, &set).await?;
    context
        .with_timeout_ok("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    context.unlock(locked).await?;
    let before = context.history().await?;
    ensure_eq!(before.rows.len(), 1, "rows in the history");

    let mut locked = context.lock(&Default::default()).await?;
    context
        .with_timeout_ok("creating the history again", locked.ensure_history())
        .await?;
    context.unlock(locked).await?;
    ensure_eq!(
        context.history().await?,
        before,
        "the history after the second ensure_history()"
    );
    Ok(())
}

async fn mark_applied_and_delete_row_change_only_history(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = context.migrations(&[
        ("V1__a.sql", &[context.create_table_sql("one")]),
        ("V2__b.sql", &[context.create_table_sql("two")]),
    ])?;
    let steps = |action| {
        set.iter()
            .map(move |migration| Step::new(migration.clone(), action))
    };
    let mut locked = context.lock(&Default::default()).await?;
    context
        .with_timeout_ok("creating the history", locked.ensure_history())
        .await?;
    for step in steps(Action::MarkApplied) {
        context
            .with_timeout_ok(
                "marking a migration as applied",
                locked.apply(&step, &NoObserver),
            )
            .await?;
    }
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2"],
        "recorded versions"
    );
    ensure_eq!(
        context.rows("one").await?,
        None,
        "rows of a migration that was only marked as applied"
    );
    for step in steps(Action::DeleteRow).take(1) {
        context
            .with_timeout_ok("deleting a history row", locked.apply(&step, &NoObserver))
            .await?;
    }
    context.unlock(locked).await?;
    ensure_eq!(
        context.applied_versions().await?,
        ["2"],
        "versions after the row of 1 was deleted"
    );
    ensure_eq!(
        context.history().await?.rows.len(),
        1,
        "rows after the row of 1 was deleted"
    );
    Ok(())
}

async fn changed_repeatable_is_applied_again(context: &CaseContext) -> Result<(), TestError> {
    let versioned = [context.create_table_sql("seen")];
    let mut expected = Vec::new();
    for (n, again) in [(1, false), (1, true), (2, false), (1, false)] {
        let set = context.migrations(&[
            ("V1__create.sql", &versioned),
            ("R__views.sql", &[context.insert_sql("seen", n)]),
        ])?;
        if !again {
            expected.push(n);
        }
        context
            .with_timeout_ok("a run", context.runner(&set)?.up())
            .await?;
        let history = context.history().await?;
        let Some(row) = history.rows.iter().find(|row| row.kind == Kind::Repeatable) else {
            return Err("the history has no row of the repeatable migration".into());
        };
        let Some(file) = set.iter_kind(Kind::Repeatable).next() else {
            return Err("the set has no repeatable migration".into());
        };
        ensure_eq!(row.version, "R:views", "the key of a repeatable migration");
        ensure_eq!(
            row.checksum,
            file.checksum().to_string(),
            "the checksum of its last run"
        );
        ensure_eq!(history.rows.len(), 2, "rows in the history");
    }
    expected.sort_unstable();
    ensure_eq!(
        context.rows("seen").await?,
        Some(expected),
        "the inserted rows"
    );
    Ok(())
}
