//! Tests of the backend on a real server: at `LOCKAGE_TEST_MYSQL_URL` or `LOCKAGE_TEST_MARIADB_URL`, or a MariaDB that is started from
//! local binaries. Each test has a database of its own.

mod connect;
mod connection_cuts;
#[path = "../direct_client/mod.rs"]
mod direct_client;
mod in_doubt;
mod isolation;
#[path = "../lock_client/mod.rs"]
mod lock_client;
mod native_lock;
mod privileges;
mod reconnect;
mod round_trips;
#[path = "../runner/mod.rs"]
mod runner;
#[path = "../sample_migrations/mod.rs"]
mod sample_migrations;
mod script_checks;
mod scripts;
mod sessions;
mod table_lock;
mod tcp_proxy;
mod test_database;
mod test_list;
#[path = "../test_server/mod.rs"]
mod test_server;
#[path = "../trial/mod.rs"]
mod trial;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use lockage_test_matrix::engine::MariadbSource;
use test_database::TestDatabase;
use test_list::Test;

fn main() -> ExitCode {
    let source = Arc::new(test_server::find_test_server());
    let lists = [
        connect::TESTS,
        connection_cuts::TESTS,
        in_doubt::TESTS,
        isolation::TESTS,
        native_lock::TESTS,
        privileges::TESTS,
        reconnect::TESTS,
        round_trips::TESTS,
        script_checks::TESTS,
        scripts::TESTS,
        sessions::TESTS,
        table_lock::TESTS,
    ];
    let trials = lists.into_iter().flatten();
    let trials = trials
        .map(|(name, test)| server_trial(&source, name, *test))
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // Stops the server, if the tests started it.
    drop(source);
    conclusion.exit_code()
}

fn server_trial(source: &Arc<Result<MariadbSource, String>>, name: &str, test: Test) -> Trial {
    let name = name.trim_start_matches("server::");
    let skip_reason = source.as_ref().as_ref().err().cloned();
    let source = Arc::clone(source);
    trial::trial(name, skip_reason, move || async move {
        let database =
            TestDatabase::create(source.as_ref().as_ref().map_err(String::as_str)?.url()?).await?;
        let outcome = test(&database).await;
        database.remove().await?;
        outcome
    })
}
