//! The time limits of a migration: for one statement, and for the lock of a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lockage_core::{ErrorKind, Event, Observer};

use super::blocked_migration;
use super::expect::expect_error;
use crate::TestError;
use crate::case_context::{CaseContext, POLL_INTERVAL};

cases!("limit":
    statement_timeout_cancels_a_statement [Barrier],
    ddl_lock_timeout_rolls_back_and_retries [TableLock],
);

/// The statement timeout. The other statements of the migration must finish within this time.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1);

/// The timeout for the lock of a table. Some engines round up to a second.
const DDL_LOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// The attempt that the locked table must reach.
const EXPECTED_ATTEMPT: u32 = 3;

async fn statement_timeout_cancels_a_statement(context: &CaseContext) -> Result<(), TestError> {
    let scripts = blocked_migration::scripts(context)?;
    let [create, blocked] = blocked_migration::files(&scripts);
    let runner = context.runner_without_limits(&context.migrations(&[create])?)?;
    context
        .with_timeout_ok("the first run", runner.up())
        .await?;
    let barrier = context.close_barrier().await?;
    let runner = context
        .runner_without_limits(&context.migrations(&[create, blocked])?)?
        .connect_options(|options| options.statement_timeout = Some(STATEMENT_TIMEOUT));
    let done = context
        .with_timeout("a run with a statement timeout", runner.up())
        .await?;
    let error = expect_error(
        "a run whose statement exceeds its timeout",
        done,
        &[ErrorKind::MigrationFailed],
    )?;
    let file = error.location().map(|location| location.file.as_str());
    ensure_eq!(file, Some(blocked.0), "the file that the error names");
    blocked_migration::expect_clean_stop(context, barrier).await
}

async fn ddl_lock_timeout_rolls_back_and_retries(context: &CaseContext) -> Result<(), TestError> {
    let create = [
        context.create_table_sql("seen"),
        context.create_table_sql("busy"),
    ];
    let change = [context.insert_sql("seen", 1), context.insert_sql("busy", 2)];
    let set = context.migrations(&[("V1__create.sql", &create)])?;
    context
        .with_timeout_ok("the first run", context.runner(&set)?.up())
        .await?;
    let lock = context
        .with_timeout_ok(
            "locking a table",
            context.fixture().lock_table(context.url(), "busy"),
        )
        .await?;

    let set = context.migrations(&[("V1__create.sql", &create), ("V2__change.sql", &change)])?;
    let attempt = LastAttempt::default();
    let runner = context
        .runner(&set)?
        .connect_options(|options| options.ddl_lock_timeout = Some(DDL_LOCK_TIMEOUT))
        .observer(attempt.clone());
    let running = tokio::spawn(async move { runner.up().await });
    context
        .with_timeout("the retries of a migration whose table is locked", async {
            while attempt.get() < EXPECTED_ATTEMPT && !running.is_finished() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
        .await?;
    if running.is_finished() {
        running.await??;
        return Err("a migration ended while its table was locked".into());
    }
    context
        .with_timeout_ok("unlocking the table", lock.unlock())
        .await?;
    context
        .with_timeout("the run after the table was unlocked", running)
        .await???;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1]),
        "the rows of the first table"
    );
    ensure_eq!(
        context.rows("busy").await?,
        Some(vec![2]),
        "the rows of the locked table"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2"],
        "applied versions"
    );
    Ok(())
}

/// Records the number of the last attempt of a migration.
#[derive(Debug, Clone, Default)]
struct LastAttempt(Arc<AtomicU32>);

impl LastAttempt {
    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Observer for LastAttempt {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Retrying { attempt, .. } = event {
            self.0.store(*attempt, Ordering::SeqCst);
        }
    }
}
