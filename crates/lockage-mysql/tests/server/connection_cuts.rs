//! The connection is cut at each message of a run, before the server receives it or before the client receives the reply. After the next
//! run, each statement must have taken effect exactly once.

use lockage_mysql::lockage_core::{ErrorKind, LockStrategy, LockWait, Outcome, Runner};
use lockage_testkit::TestError;

use crate::runner::runner;
use crate::sample_migrations::{FILES, effects};
use crate::tcp_proxy::{Cut, TcpProxy};
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    run_after_cut_at_any_message_applies_each_statement_once,
    run_after_cut_with_table_lock_applies_each_statement_once,
);

/// Drops and creates the database.
pub(crate) async fn reset(database: &TestDatabase) -> Result<(), TestError> {
    let name = database.name();
    database
        .execute_on_server(&format!("DROP DATABASE {name}"))
        .await?;
    database
        .execute_on_server(&format!("CREATE DATABASE {name}"))
        .await
}

pub(crate) fn with_strategy(runner: Runner, strategy: LockStrategy) -> Runner {
    runner.connect_options(|options| options.lock_strategy = strategy)
}

async fn cut_everywhere(
    database: &TestDatabase,
    strategy: LockStrategy,
    step: usize,
) -> Result<(), TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    let through = |proxy: &TcpProxy| runner(&database.url_via(&proxy.address()), FILES);
    with_strategy(through(&proxy)?, strategy).up().await?;
    let expected = effects(&database.url()).await?;
    let requests = proxy.requests().await;
    drop(proxy);
    for request in (1..=requests).step_by(step) {
        for cut in [Cut::Before(request), Cut::After(request)] {
            reset(database).await?;
            let proxy = TcpProxy::start(database.host()).await?;
            proxy.cut(cut.clone());
            // Without a wait, a run does not reconnect.
            let run = with_strategy(through(&proxy)?, strategy).wait(LockWait::Never);
            let first = run.up().await;
            if let Err(error) = &first {
                let kinds = [
                    ErrorKind::SessionLost,
                    ErrorKind::Connect,
                    ErrorKind::LockLost,
                ];
                if !kinds.contains(&error.kind()) {
                    return Err(format!("{cut:?}: the run with the cut failed: {error:?}").into());
                }
            }
            drop(proxy);
            if strategy == LockStrategy::Table {
                // Expires the lease of the first run. If the table does not exist, that run did not acquire the lock.
                let _ = database
                    .execute("UPDATE lockage_lock SET lease_until = 0")
                    .await;
            }
            let report = with_strategy(database.runner(FILES)?, strategy)
                .up()
                .await
                .map_err(|error| {
                    format!("{cut:?}, after {first:?}: the next run failed: {error:?}")
                })?;
            let found = effects(&database.url()).await?;
            if found != expected {
                return Err(format!(
                    "{cut:?} ({:?}): expected {expected:#?}, found {found:#?}",
                    report.outcome
                )
                .into());
            }
            let second = with_strategy(database.runner(FILES)?, strategy)
                .up()
                .await?;
            assert_eq!(second.outcome, Outcome::UpToDate);
        }
    }
    Ok(())
}

/// Returns the distance between two messages at which the connection is cut: `usual`, or 1 if `LOCKAGE_TEST_EVERY_CUT` is set, which
/// takes minutes.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
pub(crate) fn step(usual: usize) -> usize {
    if std::env::var_os("LOCKAGE_TEST_EVERY_CUT").is_some() {
        1
    } else {
        usual
    }
}

async fn run_after_cut_at_any_message_applies_each_statement_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    cut_everywhere(database, LockStrategy::Auto, step(11)).await
}

async fn run_after_cut_with_table_lock_applies_each_statement_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    cut_everywhere(database, LockStrategy::Table, step(23)).await
}
