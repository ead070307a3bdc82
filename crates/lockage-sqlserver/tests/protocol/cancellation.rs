use std::time::Duration;

use lockage_core::{ErrorKind, Interrupt};
use lockage_sqlserver::lockage_core;

use crate::fake_server::{FakeServer, FakeState, Reply};
use crate::runner;

fn is_script_running(state: &FakeState) -> bool {
    state
        .batches
        .iter()
        .any(|(_, text)| text == "SELECT 'long'")
}

#[tokio::test]
async fn cancellation_sends_attention_and_rolls_back() {
    let server = FakeServer::start().await;
    server.state().replies.push(("'long'", Reply::Silence));
    let interrupt = Interrupt::new();
    let run =
        runner(server.options(), &[("V1__a.sql", "SELECT 'long'")]).interrupt(interrupt.clone());
    let running = tokio::spawn(async move { run.up().await });
    server.wait_until("the script", is_script_running).await;
    interrupt.trigger();
    let cancelled = running.await.unwrap().unwrap_err();
    assert_eq!(cancelled.kind(), ErrorKind::Interrupted);
    let state = server.state();
    assert_eq!(state.attentions, 1);
    assert!(state.applied().is_empty() && state.holders.is_empty());
    // The session continued: it rolled back, then released the lock.
    let last = |part: &str| {
        state
            .batches
            .iter()
            .rposition(|(_, text)| text.contains(part))
            .unwrap()
    };
    assert!(last("ROLLBACK TRANSACTION") < last("sp_releaseapplock"));
}

#[tokio::test]
async fn statement_timeout_cancels_statement() {
    let server = FakeServer::start().await;
    server.state().replies.push(("'long'", Reply::Silence));
    let mut options = server.options();
    options.statement_timeout = Some(Duration::from_millis(50));
    let timed_out = runner(options, &[("V1__a.sql", "SELECT 'long'")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(timed_out.kind(), ErrorKind::MigrationFailed);
    assert!(
        timed_out.hint().unwrap().contains("statement-timeout"),
        "{timed_out:?}"
    );
    assert_eq!(server.state().attentions, 1);
    assert!(server.state().applied().is_empty() && server.state().holders.is_empty());
}

#[tokio::test]
async fn dropped_run_cancels_its_statement() {
    let server = FakeServer::start().await;
    server.state().replies.push(("'long'", Reply::Silence));
    let run = runner(server.options(), &[("V1__a.sql", "SELECT 'long'")]);
    let running = tokio::spawn(async move { run.up().await });
    server.wait_until("the script", is_script_running).await;
    running.abort();
    let _ = running.await;
    server
        .wait_until("an attention", |state| state.attentions == 1)
        .await;
    server
        .wait_until("the end of the session", |state| state.has_ended(1))
        .await;
    assert!(server.state().applied().is_empty() && server.state().holders.is_empty());
}
