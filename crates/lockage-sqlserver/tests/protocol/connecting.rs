use lockage_core::{ConnectOptions, ErrorKind};
use lockage_sqlserver::lockage_core;

use crate::runner;
use crate::tds::{Reply, Server, done, error, rows};

#[tokio::test]
async fn what_passes_is_asked_again_before_anything_is_written() {
    let server = Server::start().await;
    for number in [40613, 40197] {
        let busy = error(number, "Database 'shop' is not currently available.", 1);
        server.world().refusals.push_back(busy);
    }
    let mut options = server.options();
    options.connect_timeout = std::time::Duration::from_secs(60);
    runner(options, &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap();
    assert_eq!(server.world().logins, 3);
}

#[tokio::test]
async fn what_does_not_pass_is_told_at_once() {
    let server = Server::start().await;
    for (number, hint) in [(18456, "password"), (4060, "--create"), (40615, "firewall")] {
        let before = server.world().logins;
        server.world().refusals.push_back(error(number, "no", 1));
        let refused = runner(server.options(), &[("V1__a.sql", "SELECT 1")])
            .up()
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Connect);
        assert!(!refused.is_temporary(), "{number}");
        assert!(refused.hint().unwrap().contains(hint), "{refused:?}");
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
        // Whether the database is there at all, another one is asked.
        let asked = u32::from(number == 4060);
        assert_eq!(server.world().logins, before + 1 + asked);
        assert!(!refused.is_database_missing());
    }
}

#[tokio::test]
async fn a_database_that_is_missing_is_made_where_that_is_asked_for() {
    let server = Server::start().await;
    server
        .world()
        .refusals
        .push_back(error(4060, "Cannot open database \"shop\"", 1));
    let mut options = server.options();
    options.create = true;
    runner(options, &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap();
    let made = "IF DB_ID(N'shop') IS NULL CREATE DATABASE [shop]";
    assert_eq!(server.world().heard[0].1, made);
    assert_eq!(server.world().logins, 3);
}

#[tokio::test]
async fn a_database_that_is_missing_is_told_apart_from_one_that_is_closed() {
    let server = Server::start().await;
    for (answer, missing) in [("1", true), ("0", false)] {
        let refusal = error(4060, "Cannot open database \"shop\"", 1);
        server.world().refusals.push_back(refusal);
        let row = [rows(&[vec![Some(answer)]], 1), done(0)].concat();
        server
            .world()
            .answers
            .push(("DB_ID(N'shop') IS NULL", Reply::Tokens(row)));
        let refused = runner(server.options(), &[("V1__a.sql", "SELECT 1")])
            .up()
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Connect);
        assert_eq!(refused.is_database_missing(), missing);
    }
}

#[tokio::test]
async fn nobody_there_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let options = ConnectOptions::new(format!("sqlserver://app:secret@{free}/shop")).unwrap();
    let error = runner(options, &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_temporary());
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
