//! The number of round trips, which a proxy counts.

use lockage_core::{ConnectOptions, Outcome, Runner};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;

use crate::migrations::runner;
use crate::tcp_proxy::Proxy;
use crate::test_database::TestDatabase;

crate::tests!(
    up_to_date_run_is_one_round_trip,
    thousand_migrations_take_one_round_trip_each,
);

/// Returns the URL of the database through the proxy. The proxy must be able to read the messages.
fn unencrypted_url(proxy: &Proxy, database: &TestDatabase) -> String {
    proxy.url(database) + "?sslmode=disable"
}

/// Returns the number of round trips of opening and closing a session.
async fn connect_round_trips(proxy: &Proxy, url: &str) -> Result<u32, TestError> {
    let before = proxy.round_trips();
    BACKEND
        .connect(&ConnectOptions::new(url)?)
        .await?
        .close()
        .await?;
    Ok(proxy.round_trips() - before)
}

fn small_migrations(url: &str, count: usize) -> Result<Runner, TestError> {
    let files: Vec<_> = (1..=count)
        .map(|n| {
            (
                format!("V{n}__a.sql"),
                format!("CREATE TABLE t{n} (n int); INSERT INTO t{n} VALUES ({n})"),
            )
        })
        .collect();
    runner(url, &files)
}

async fn up_to_date_run_is_one_round_trip(database: &TestDatabase) -> Result<(), TestError> {
    let proxy = Proxy::start(database.host()).await?;
    let url = unencrypted_url(&proxy, database);
    for count in [10, 1000] {
        let runner = small_migrations(&url, count)?;
        runner.up().await?;
        let connect = connect_round_trips(&proxy, &url).await?;
        let before = proxy.round_trips();
        let report = runner.up().await?;
        assert_eq!(
            (report.outcome, report.took_lock),
            (Outcome::UpToDate, false)
        );
        assert_eq!(
            proxy.round_trips() - before - connect,
            1,
            "with {count} migrations"
        );
    }
    Ok(())
}

async fn thousand_migrations_take_one_round_trip_each(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let proxy = Proxy::start(database.host()).await?;
    let url = unencrypted_url(&proxy, database);
    let connect = connect_round_trips(&proxy, &url).await?;
    let before = proxy.round_trips();
    let report = small_migrations(&url, 1000)?.up().await?;
    assert_eq!(report.applied.len(), 1000);
    let round_trips = proxy.round_trips() - before - connect;
    assert!(round_trips <= 1010, "{round_trips} round trips");
    Ok(())
}
