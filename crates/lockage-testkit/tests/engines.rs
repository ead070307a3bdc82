//! Servers for tests come up, answer, and go, whatever becomes of the process that started them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_testkit::engine::{PostgresOrigin, PostgresServer};
use rustix::process::{Pid, test_kill_process};

type Test = (&'static str, fn(&Path) -> Result<(), Failed>);

const CHILD: &str = "--server-of-a-child";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return serve_until_killed().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let mut trials = vec![Trial::test("a_url_comes_before_binaries", url_comes_first)];
    let servers: [Test; 5] = [
        (
            "a_server_answers_and_leaves_nothing_behind",
            answers_and_leaves_nothing,
        ),
        ("two_servers_stand_side_by_side", side_by_side),
        ("a_killed_server_comes_back_with_its_data", killed),
        (
            "a_server_dies_with_the_process_that_started_it",
            dies_with_its_process,
        ),
        ("an_origin_starts_its_server_once", starts_once),
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

/// What a server says to a query.
fn ask(binaries: &Path, url: &str, query: &str) -> Result<String, Failed> {
    let out = Command::new(binaries.join("psql"))
        .args(["-XAtc", query, url])
        .output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

fn ensure(so: bool, what: &str) -> Result<(), Failed> {
    if so { Ok(()) } else { Err(what.into()) }
}

fn process_of(server: &PostgresServer) -> Result<i32, Failed> {
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
        let found = ask(binaries, &url, &format!("SHOW {setting}"))?;
        ensure(
            found == expected,
            &format!("{setting} is {found}, not {expected}"),
        )?;
    }
    let (process, folder) = (process_of(&server)?, server.folder().to_owned());
    ensure(is_alive(process), "the server has another process")?;
    drop(server);
    ensure(!is_alive(process), "the process outlived its value")?;
    ensure(!folder.exists(), "the folder outlived its value")
}

fn side_by_side(binaries: &Path) -> Result<(), Failed> {
    let (one, two) = (
        PostgresServer::start(binaries, &[])?,
        PostgresServer::start(binaries, &[])?,
    );
    ask(binaries, &one.url("postgres"), "CREATE DATABASE of_one")?;
    let query = "SELECT count(*) FROM pg_database WHERE datname = 'of_one'";
    ensure(
        ask(binaries, &one.url("postgres"), query)? == "1",
        "the first server has lost it",
    )?;
    ensure(
        ask(binaries, &two.url("postgres"), query)? == "0",
        "the two are one",
    )
}

fn killed(binaries: &Path) -> Result<(), Failed> {
    let mut server = PostgresServer::start(binaries, &[])?;
    ask(
        binaries,
        &server.url("postgres"),
        "CREATE TABLE kept (n int)",
    )?;
    let (url, process) = (server.url("postgres"), process_of(&server)?);
    server.kill()?;
    ensure(!is_alive(process), "a killed server lives")?;
    ensure(
        ask(binaries, &url, "SELECT 1").is_err(),
        "a killed server answers",
    )?;
    server.restart()?;
    let found = ask(
        binaries,
        &server.url("postgres"),
        "SELECT count(*) FROM kept",
    )?;
    ensure(found == "0", "the table is gone")
}

fn starts_once(binaries: &Path) -> Result<(), Failed> {
    let origin = PostgresOrigin::find(None, &binaries.display().to_string())?;
    let url = origin.url()?;
    ensure(
        url == origin.url()?,
        "the second call started another server",
    )?;
    ensure(
        ask(binaries, &url, "SELECT 40 + 2")? == "42",
        "a wrong answer",
    )?;
    drop(origin);
    ensure(
        ask(binaries, &url, "SELECT 1").is_err(),
        "the server outlived its origin",
    )
}

fn url_comes_first() -> Result<(), Failed> {
    let url = "postgres://app:hunter2@db/shop".to_owned();
    let origin = PostgresOrigin::find(Some(url.clone()), "")?;
    ensure(origin.url()? == url, "the URL that was given is not used")?;
    ensure(
        origin.to_string() == "postgres://app@db/shop",
        "the password is shown",
    )?;
    let wrong = PostgresOrigin::find(Some("hunter2".into()), "");
    ensure(
        wrong.is_err_and(|reason| !reason.contains("hunter2")),
        "a wrong URL is shown or taken",
    )
}

fn serve_until_killed() -> Result<(), Failed> {
    let server = PostgresServer::start(&binaries().ok_or("no PostgreSQL binaries")?, &[])?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} {}",
        process_of(&server)?,
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
    BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
    let (process, folder) = line
        .trim()
        .split_once(' ')
        .ok_or("the child has no server")?;
    let process = process.parse()?;
    child.kill()?;
    child.wait()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_alive(process) {
        if Instant::now() > deadline {
            return Err("the server outlived the process that started it by a minute".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // A killed process cannot remove its folder; this test can.
    Ok(std::fs::remove_dir_all(folder)?)
}
