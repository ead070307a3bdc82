//! The number of round trips, which a proxy counts.

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{ConnectOptions, Outcome};
use lockage_testkit::TestError;

use crate::runner::runner;
use crate::tcp_proxy::TcpProxy;
use crate::test_database::TestDatabase;

crate::test_list::tests!(up_to_date_run_is_one_round_trip);

async fn up_to_date_run_is_one_round_trip(database: &TestDatabase) -> Result<(), TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    let url = database.url_via(&proxy.address());
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
        let before = proxy.requests().await;
        BACKEND
            .connect(&ConnectOptions::new(url.clone())?)
            .await?
            .close()
            .await?;
        let connect = proxy.requests().await - before;
        let before = proxy.requests().await;
        let report = runner.up().await?;
        assert_eq!(
            (report.outcome, report.took_lock),
            (Outcome::UpToDate, false)
        );
        assert_eq!(
            proxy.requests().await - before - connect,
            1,
            "with {count} migrations"
        );
    }
    Ok(())
}
