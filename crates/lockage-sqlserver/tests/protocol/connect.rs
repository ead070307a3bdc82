use lockage_core::{ConnectOptions, ErrorKind};
use lockage_sqlserver::lockage_core;

use crate::fake_server::{FakeServer, Reply, done, error, rows};
use crate::runner;

#[tokio::test]
async fn temporary_login_error_is_retried() {
    let server = FakeServer::start().await;
    for number in [40613, 40197] {
        let busy = error(number, "Database 'shop' is not currently available.", 1);
        server.state().login_errors.push_back(busy);
    }
    let mut options = server.options();
    options.connect_timeout = std::time::Duration::from_secs(60);
    runner(options, &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap();
    assert_eq!(server.state().logins, 3);
}

#[tokio::test]
async fn permanent_login_error_fails_immediately() {
    let server = FakeServer::start().await;
    for (number, hint) in [(18456, "password"), (4060, "--create"), (40615, "firewall")] {
        let before = server.state().logins;
        server
            .state()
            .login_errors
            .push_back(error(number, "no", 1));
        let failed = runner(server.options(), &[("V1__a.sql", "SELECT 1")])
            .up()
            .await
            .unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Connect);
        assert!(!failed.is_temporary(), "{number}");
        assert!(failed.hint().unwrap().contains(hint), "{failed:?}");
        assert!(!format!("{failed:?}").contains("secret"), "{failed:?}");
        // After 4060, a login to another database finds out whether this one exists.
        let extra_logins = u32::from(number == 4060);
        assert_eq!(server.state().logins, before + 1 + extra_logins);
        assert!(!failed.is_database_missing());
    }
}

#[tokio::test]
async fn missing_database_is_created_with_create_option() {
    let server = FakeServer::start().await;
    server
        .state()
        .login_errors
        .push_back(error(4060, "Cannot open database \"shop\"", 1));
    let mut options = server.options();
    options.create = true;
    runner(options, &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap();
    let create = "IF DB_ID(N'shop') IS NULL CREATE DATABASE [shop]";
    assert_eq!(server.state().batches[0].1, create);
    assert_eq!(server.state().logins, 3);
}

#[tokio::test]
async fn missing_database_differs_from_inaccessible_database() {
    let server = FakeServer::start().await;
    for (is_null, missing) in [("1", true), ("0", false)] {
        let login_error = error(4060, "Cannot open database \"shop\"", 1);
        server.state().login_errors.push_back(login_error);
        let row = [rows(&[vec![Some(is_null)]], 1), done(0)].concat();
        server
            .state()
            .replies
            .push(("DB_ID(N'shop') IS NULL", Reply::Tokens(row)));
        let failed = runner(server.options(), &[("V1__a.sql", "SELECT 1")])
            .up()
            .await
            .unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Connect);
        assert_eq!(failed.is_database_missing(), missing);
    }
}

#[tokio::test]
async fn unreachable_server_is_a_temporary_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unused = listener.local_addr().unwrap();
    drop(listener);
    let options = ConnectOptions::new(format!("sqlserver://app:secret@{unused}/shop")).unwrap();
    let error = runner(options, &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_temporary());
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
