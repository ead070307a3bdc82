//! The line to the server is cut at every single message of a run, before the server gets it and behind its answer. The next run must
//! bring each statement's effect about exactly once.

use lockage_mysql::lockage_core::{ErrorKind, LockStrategy, LockWait, Outcome, Runner};
use lockage_testkit::Failure;

use crate::place::{Place, runner};
use crate::proxy::{Cut, Proxy};
use crate::voyage::{FILES, traces};

crate::tests!(
    cut_at_any_message_every_statement_takes_effect_once,
    cut_at_any_message_with_the_lock_in_a_table,
);

pub(crate) async fn empty(place: &Place) -> Result<(), Failure> {
    let name = place.name();
    place
        .execute_at_the_server(&format!("DROP DATABASE {name}"))
        .await?;
    place
        .execute_at_the_server(&format!("CREATE DATABASE {name}"))
        .await
}

pub(crate) fn with(runner: Runner, strategy: LockStrategy) -> Runner {
    runner.connect_options(|options| options.lock_strategy = strategy)
}

async fn cut_everywhere(place: &Place, strategy: LockStrategy, step: usize) -> Result<(), Failure> {
    let proxy = Proxy::start(place.host()).await?;
    let through = |proxy: &Proxy| runner(&place.url_at(&proxy.address()), FILES);
    with(through(&proxy)?, strategy).up().await?;
    let expected = traces(&place.url()).await?;
    let turns = proxy.turns().await;
    drop(proxy);
    for turn in (1..=turns).step_by(step) {
        for cut in [Cut::Before(turn), Cut::Behind(turn)] {
            empty(place).await?;
            let proxy = Proxy::start(place.host()).await?;
            proxy.cut(cut.clone());
            // Without patience a run does not wait for a server that is gone.
            let run = with(through(&proxy)?, strategy).wait(LockWait::Never);
            let first = run.up().await;
            if let Err(error) = &first {
                let kinds = [
                    ErrorKind::SessionLost,
                    ErrorKind::Connect,
                    ErrorKind::LockLost,
                ];
                if !kinds.contains(&error.kind()) {
                    return Err(format!("{cut:?}: the run that was cut failed by {error:?}").into());
                }
            }
            drop(proxy);
            if strategy == LockStrategy::Table {
                // The lease of the one that was cut off runs out at once; where there is no table yet, nobody took the lock.
                let _ = place
                    .execute("UPDATE lockage_lock SET lease_until = 0")
                    .await;
            }
            let report = with(place.runner(FILES)?, strategy)
                .up()
                .await
                .map_err(|error| {
                    format!("{cut:?}, after {first:?}: the next run failed by {error:?}")
                })?;
            let found = traces(&place.url()).await?;
            if found != expected {
                return Err(format!(
                    "{cut:?} ({:?}): expected {expected:#?}, found {found:#?}",
                    report.outcome
                )
                .into());
            }
            let again = with(place.runner(FILES)?, strategy).up().await?;
            assert_eq!(again.outcome, Outcome::UpToDate);
        }
    }
    Ok(())
}

/// Every so many messages; LOCKAGE_TEST_EVERY_CUT in the environment asks for all of them, which takes minutes.
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

async fn cut_at_any_message_every_statement_takes_effect_once(
    place: &Place,
) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Auto, step(11)).await
}

async fn cut_at_any_message_with_the_lock_in_a_table(place: &Place) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Table, step(23)).await
}
