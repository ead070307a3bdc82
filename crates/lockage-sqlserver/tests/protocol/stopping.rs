use std::time::Duration;

use lockage_core::{ErrorKind, Interrupt};
use lockage_sqlserver::lockage_core;

use crate::runner;
use crate::tds::{Reply, Server, World};

fn stands(world: &World) -> bool {
    world.heard.iter().any(|(_, text)| text == "SELECT 'long'")
}

#[tokio::test]
async fn cancelling_sends_an_attention_and_leaves_nothing() {
    let server = Server::start().await;
    server.world().answers.push(("'long'", Reply::Silence));
    let interrupt = Interrupt::new();
    let run =
        runner(server.options(), &[("V1__a.sql", "SELECT 'long'")]).interrupt(interrupt.clone());
    let running = tokio::spawn(async move { run.up().await });
    server.until("the script", stands).await;
    interrupt.trigger();
    let stopped = running.await.unwrap().unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    let world = server.world();
    assert_eq!(world.attentions, 1);
    assert!(world.applied().is_empty() && world.holders.is_empty());
    // The session went on after it, in good order.
    let last = |part: &str| {
        world
            .heard
            .iter()
            .rposition(|(_, text)| text.contains(part))
            .unwrap()
    };
    assert!(last("ROLLBACK TRANSACTION") < last("sp_releaseapplock"));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped() {
    let server = Server::start().await;
    server.world().answers.push(("'long'", Reply::Silence));
    let mut options = server.options();
    options.statement_timeout = Some(Duration::from_millis(50));
    let late = runner(options, &[("V1__a.sql", "SELECT 'long'")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::MigrationFailed);
    assert!(
        late.hint().unwrap().contains("statement-timeout"),
        "{late:?}"
    );
    assert_eq!(server.world().attentions, 1);
    assert!(server.world().applied().is_empty() && server.world().holders.is_empty());
}

#[tokio::test]
async fn a_run_that_is_dropped_stops_its_statement() {
    let server = Server::start().await;
    server.world().answers.push(("'long'", Reply::Silence));
    let run = runner(server.options(), &[("V1__a.sql", "SELECT 'long'")]);
    let running = tokio::spawn(async move { run.up().await });
    server.until("the script", stands).await;
    running.abort();
    let _ = running.await;
    server
        .until("an attention", |world| world.attentions == 1)
        .await;
    server
        .until("the end of the session", |world| world.has_ended(1))
        .await;
    assert!(server.world().applied().is_empty() && server.world().holders.is_empty());
}
