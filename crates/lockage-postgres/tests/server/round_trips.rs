//! How often the client speaks; counted, so it may be asserted.

use lockage_core::{ConnectOptions, MigrationSet, Outcome, Registry, Runner};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;

use crate::place::Place;
use crate::proxy::Proxy;

crate::tests!(
    nothing_to_do_is_one_round_trip_however_many_migrations_there_are,
    a_thousand_small_migrations_are_a_round_trip_each_and_ten,
);

/// The URL of the database, through the proxy.
fn through(proxy: &Proxy, place: &Place) -> String {
    let url = place
        .url()
        .replace(place.host(), &format!("127.0.0.1:{}", proxy.port));
    // The proxy must be able to read.
    url + "?sslmode=disable"
}

/// How often the client speaks to open and close a session.
async fn set_up(proxy: &Proxy, url: &str) -> Result<u32, TestError> {
    let before = proxy.turns();
    BACKEND
        .connect(&ConnectOptions::new(url)?)
        .await?
        .close()
        .await?;
    Ok(proxy.turns() - before)
}

fn runner(url: &str, count: usize) -> Result<Runner, TestError> {
    let files = (1..=count).map(|n| {
        (
            format!("V{n}__a.sql"),
            format!("CREATE TABLE t{n} (n int); INSERT INTO t{n} VALUES ({n})"),
        )
    });
    let set = MigrationSet::from_texts(files)?;
    Ok(Runner::new(
        Registry::default().with(BACKEND)?,
        ConnectOptions::new(url)?,
        set,
    ))
}

async fn nothing_to_do_is_one_round_trip_however_many_migrations_there_are(
    place: &Place,
) -> Result<(), TestError> {
    let proxy = Proxy::start(place.host()).await?;
    let url = through(&proxy, place);
    for count in [10, 1000] {
        let runner = runner(&url, count)?;
        runner.up().await?;
        let set_up = set_up(&proxy, &url).await?;
        let before = proxy.turns();
        let report = runner.up().await?;
        assert_eq!(
            (report.outcome, report.took_lock),
            (Outcome::UpToDate, false)
        );
        assert_eq!(
            proxy.turns() - before - set_up,
            1,
            "with {count} migrations"
        );
    }
    Ok(())
}

async fn a_thousand_small_migrations_are_a_round_trip_each_and_ten(
    place: &Place,
) -> Result<(), TestError> {
    let proxy = Proxy::start(place.host()).await?;
    let url = through(&proxy, place);
    let set_up = set_up(&proxy, &url).await?;
    let before = proxy.turns();
    assert_eq!(runner(&url, 1000)?.up().await?.applied.len(), 1000);
    let turns = proxy.turns() - before - set_up;
    assert!(turns <= 1010, "{turns} round trips");
    Ok(())
}
