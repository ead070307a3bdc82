//! How often the client speaks; counted, so it may be asserted.

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{ConnectOptions, Outcome};
use lockage_testkit::TestError;

use crate::place::{Place, runner};
use crate::proxy::Proxy;

crate::tests!(nothing_to_do_is_one_round_trip_however_many_migrations_there_are);

async fn nothing_to_do_is_one_round_trip_however_many_migrations_there_are(
    place: &Place,
) -> Result<(), TestError> {
    let proxy = Proxy::start(place.host()).await?;
    let url = place.url_at(&proxy.address());
    for count in [5, 50] {
        let files: Vec<_> = (1..=count)
            .map(|n| (format!("V{n}__a.sql"), format!("CREATE TABLE t{n} (n INT)")))
            .collect();
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let runner = runner(&url, &files)?;
        runner.up().await?;
        let before = proxy.turns().await;
        BACKEND
            .connect(&ConnectOptions::new(url.clone())?)
            .await?
            .close()
            .await?;
        let set_up = proxy.turns().await - before;
        let before = proxy.turns().await;
        let report = runner.up().await?;
        assert_eq!(
            (report.outcome, report.took_lock),
            (Outcome::UpToDate, false)
        );
        assert_eq!(
            proxy.turns().await - before - set_up,
            1,
            "with {count} migrations"
        );
    }
    Ok(())
}
