//! Tests of managed servers: they start, answer queries, and stop even if the process that started them is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_test_matrix::engine::{PostgresServer, PostgresSource};
use rustix::process::{Pid, test_kill_process};

type Test = (&'static str, fn(&Path) -> Result<(), Failed>);

/// The hidden argument of a child that starts a server and waits.
const CHILD: &str = "--server-of-a-child";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return serve_until_killed().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let mut trials = vec![Trial::test(
        "url_takes_precedence_over_binaries",
        url_comes_first,
    )];
    let servers: [Test; 5] = [
        ("stopped_server_leaves_no_files", answers_and_leaves_nothing),
        ("two_servers_run_concurrently", side_by_side),
        ("killed_server_restarts_with_its_data", killed),
        (
            "server_stops_when_its_parent_is_killed",
            dies_with_its_process,
        ),
        ("server_source_starts_its_server_once", starts_once),
    ];
    trials.extend(servers.into_iter().map(|(name, test)| {
        match binaries() {
            Some(binaries) => Trial::test(name, move || test(&binaries)),
            None => Trial::test(name, || Err("no PostgreSQL binaries".into()))
                .with_ignored_flag(true)
                .with_kind("left out: no PostgreSQL binaries"),
        }
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test binary reads the search path"
)]
fn binaries() -> Option<PathBuf> {
    PostgresServer::find(&std::env::var("PATH").unwrap_or_default())
}

/// Runs a query with `psql` and returns its output.
fn query(binaries: &Path, url: &str, sql: &str) -> Result<String, Failed> {
    let out = Command::new(binaries.join("psql"))
        .args(["-XAtc", sql, url])
        .output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

fn ensure(condition: bool, message: &str) -> Result<(), Failed> {
    if condition {
        Ok(())
    } else {
        Err(message.into())
    }
}

fn postmaster_pid(server: &PostgresServer) -> Result<i32, Failed> {
    let file = std::fs::read_to_string(server.folder().join("data/postmaster.pid"))?;
    Ok(file.lines().next().unwrap_or_default().parse()?)
}

fn is_alive(process: i32) -> bool {
    Pid::from_raw(process).is_some_and(|process| test_kill_process(process).is_ok())
}

fn answers_and_leaves_nothing(binaries: &Path) -> Result<(), Failed> {
    let server = PostgresServer::start(binaries, &["max_connections=17"])?;
    let url = server.url("postgres");
    for (setting, expected) in [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", server.port().to_string()),
        (
            "unix_socket_directories",
            server.folder().display().to_string(),
        ),
        ("max_connections", "17".to_owned()),
    ] {
        let found = query(binaries, &url, &format!("SHOW {setting}"))?;
        ensure(
            found == expected,
            &format!("{setting} is {found}, not {expected}"),
        )?;
    }
    let (process, folder) = (postmaster_pid(&server)?, server.folder().to_owned());
    ensure(is_alive(process), "the postmaster is not running")?;
    drop(server);
    ensure(
        !is_alive(process),
        "the process runs after its value was dropped",
    )?;
    ensure(
        !folder.exists(),
        "the folder exists after its value was dropped",
    )
}

fn side_by_side(binaries: &Path) -> Result<(), Failed> {
    let (one, two) = (
        PostgresServer::start(binaries, &[])?,
        PostgresServer::start(binaries, &[])?,
    );
    query(binaries, &one.url("postgres"), "CREATE DATABASE of_one")?;
    let sql = "SELECT count(*) FROM pg_database WHERE datname = 'of_one'";
    ensure(
        query(binaries, &one.url("postgres"), sql)? == "1",
        "the first server has no such database",
    )?;
    ensure(
        query(binaries, &two.url("postgres"), sql)? == "0",
        "both servers share their databases",
    )
}

fn killed(binaries: &Path) -> Result<(), Failed> {
    let mut server = PostgresServer::start(binaries, &[])?;
    query(
        binaries,
        &server.url("postgres"),
        "CREATE TABLE kept (n int)",
    )?;
    let (url, process) = (server.url("postgres"), postmaster_pid(&server)?);
    server.kill()?;
    ensure(!is_alive(process), "a killed server is running")?;
    ensure(
        query(binaries, &url, "SELECT 1").is_err(),
        "a killed server is_reachable",
    )?;
    server.restart()?;
    let found = query(
        binaries,
        &server.url("postgres"),
        "SELECT count(*) FROM kept",
    )?;
    ensure(found == "0", "the table is missing")
}

fn starts_once(binaries: &Path) -> Result<(), Failed> {
    let source = PostgresSource::find(None, &binaries.display().to_string())?;
    let url = source.url()?;
    ensure(
        url == source.url()?,
        "the second call started another server",
    )?;
    ensure(
        query(binaries, &url, "SELECT 40 + 2")? == "42",
        "a wrong answer",
    )?;
    drop(source);
    ensure(
        query(binaries, &url, "SELECT 1").is_err(),
        "the server runs after its source was dropped",
    )
}

fn url_comes_first() -> Result<(), Failed> {
    let url = "postgres://app:hunter2@db/shop".to_owned();
    let source = PostgresSource::find(Some(url.clone()), "")?;
    ensure(source.url()? == url, "the URL is not used")?;
    ensure(
        source.to_string() == "postgres://app@db/shop",
        "the password is shown",
    )?;
    let wrong = PostgresSource::find(Some("hunter2".into()), "");
    ensure(
        wrong.is_err_and(|reason| !reason.contains("hunter2")),
        "an invalid URL is accepted or shown",
    )
}

fn serve_until_killed() -> Result<(), Failed> {
    let server = PostgresServer::start(&binaries().ok_or("no PostgreSQL binaries")?, &[])?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} {}",
        postmaster_pid(&server)?,
        server.folder().display()
    )?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}

fn dies_with_its_process(_: &Path) -> Result<(), Failed> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("the child has no pipe")?).read_line(&mut line)?;
    let (process, folder) = line
        .trim()
        .split_once(' ')
        .ok_or("the child started no server")?;
    let process = process.parse()?;
    child.kill()?;
    child.wait()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_alive(process) {
        if Instant::now() > deadline {
            return Err("the server still runs a minute after its parent was killed".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The killed process could not remove its folder. A test that starts a server at the same time may have removed it.
    let _ = std::fs::remove_dir_all(folder);
    ensure(!Path::new(folder).exists(), "the folder was not removed")
}
