//! Faults at random times: afterwards, every migration is applied once, the lock is free, and nothing is pending.
//!
//! `LOCKAGE_TEST_FAULTS` enables these cases. `LOCKAGE_TEST_SEED` selects other times; the same seed repeats the same times.

mod mixed;
mod sequence;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lockage_test_matrix::engine::NetworkNamespace;

use self::mixed::mixed_faults_at_random_times_recover;
use self::sequence::{MIGRATIONS, assert_sequential, write_migrations};
use crate::assertions::{assert_exit_codes, assert_lock_free, assert_up_to_date};
use crate::case::{Case, ensure, migration_dir};
use crate::engine::{Database, Engine, wait_for};
use crate::process::send_signal;
use crate::proxy::{Proxy, server_address};
use crate::race::{Race, race};
use crate::settings::{replica_count, round_count, seed};

const CASES: &[(&str, Case)] = &[
    (
        "replicas_killed_at_random_times_are_replaced",
        replicas_killed_at_random_times_are_replaced,
    ),
    (
        "replicas_suspended_at_random_times_do_not_block_others",
        replicas_suspended_at_random_times_do_not_block_others,
    ),
    (
        "connections_cut_at_random_times_recover",
        connections_cut_at_random_times_recover,
    ),
    (
        "server_killed_at_random_time_recovers",
        server_killed_at_random_time_recovers,
    ),
    (
        "holder_host_lost_at_random_time_is_replaced",
        holder_host_lost_at_random_time_is_replaced,
    ),
    (
        "mixed_faults_at_random_times_recover",
        mixed_faults_at_random_times_recover,
    ),
];

/// These need a server whose disk may be filled.
const SMALL_DISK_CASES: &[(&str, Case)] = &[(
    "server_disk_full_at_random_time_recovers",
    server_disk_full_at_random_time_recovers,
)];

/// Returns the cases that a value of `LOCKAGE_TEST_FAULTS` selects.
pub(crate) fn cases(selection: &str) -> &'static [(&'static str, Case)] {
    match selection {
        "disk" => SMALL_DISK_CASES,
        _ => CASES,
    }
}

/// The maximum delay of a fault in milliseconds. A run without faults takes less.
const MAX_FAULT_DELAY_MS: u64 = 1500;

/// The time after which the next run must be able to complete the migrations.
const RECOVERY_DEADLINE: Duration = Duration::from_secs(120);

const FAILED: i32 = 1;
const LOCK_TIMEOUT: i32 = 5;
const NOT_CONNECTED: i32 = 6;
const SESSION_LOST: i32 = 7;

/// The exit codes of a process that was affected by a fault.
const ACCEPTED_EXIT_CODES: [i32; 4] = [FAILED, LOCK_TIMEOUT, NOT_CONNECTED, SESSION_LOST];

fn random(name: &str, seed: u64) -> fastrand::Rng {
    // The times of a case do not depend on which other cases run.
    let offset: u64 = name.bytes().map(u64::from).sum();
    fastrand::Rng::with_seed(seed.wrapping_add(offset))
}

fn sleep(random: &mut fastrand::Rng, max_ms: u64) {
    std::thread::sleep(Duration::from_millis(random.u64(0..max_ms)));
}

/// Waits until `count` migrations are recorded. The run is then in the middle of the next one.
fn wait_for_completion(database: &dyn Database, count: usize) -> Result<(), String> {
    wait_for(&format!("{count} applied migrations"), || {
        // The table does not exist at first.
        let recorded = database.query_column("SELECT version FROM lockage_history");
        let recorded = recorded.map_or(0, |versions| versions.len());
        Ok((recorded >= count).then_some(()))
    })
}

/// Checks that the next run completes the migrations, as soon as it can connect.
fn assert_recovers(database: &dyn Database, dir: &Path, context: &str) -> Result<(), String> {
    let started_at = Instant::now();
    loop {
        let output = race(1, &database.urls(), dir)?.remove(0);
        if output.exit == Some(0) {
            // If the server failed during the run, a lock in a table stays until its lease expires.
            wait_for("a free lock", || Ok(assert_lock_free(database, dir).ok()))?;
            return assert_up_to_date(database, dir, MIGRATIONS)
                .and_then(|()| assert_sequential(database))
                .map_err(|error| format!("{context}: {error}"));
        }
        let is_retryable = matches!(
            output.exit,
            Some(LOCK_TIMEOUT | NOT_CONNECTED | SESSION_LOST)
        );
        ensure!(
            is_retryable && started_at.elapsed() < RECOVERY_DEADLINE,
            "{context}: {output}"
        );
    }
}

fn replicas_killed_at_random_times_are_replaced(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (migration_dir()?, random("killed", seed()));
    write_migrations(engine, dir.path(), 1)?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let mut race = Race::start(replica_count(), &database.urls(), dir.path())?;
        let mut victims = race.pids();
        random.shuffle(&mut victims);
        let count = random.usize(1..=victims.len());
        for victim in &victims[..count] {
            sleep(&mut random, MAX_FAULT_DELAY_MS / count as u64);
            race.kill(*victim)?;
        }
        let context = format!("round {round}, {count} killed");
        assert_exit_codes(&race.finish()?, &[], &context)?;
        assert_recovers(&*database, dir.path(), &context)?;
    }
    Ok(())
}

fn replicas_suspended_at_random_times_do_not_block_others(
    engine: &dyn Engine,
) -> Result<(), String> {
    let (dir, mut random) = (migration_dir()?, random("frozen", seed()));
    write_migrations(engine, dir.path(), 1)?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let race = Race::start(replica_count(), &database.urls(), dir.path())?;
        let mut victims = race.pids();
        random.shuffle(&mut victims);
        victims.truncate(random.usize(1..=victims.len()));
        sleep(&mut random, MAX_FAULT_DELAY_MS / 2);
        victims
            .iter()
            .try_for_each(|pid| send_signal(*pid, "STOP"))?;
        sleep(&mut random, MAX_FAULT_DELAY_MS);
        victims
            .iter()
            .try_for_each(|pid| send_signal(*pid, "CONT"))?;
        let context = format!("round {round}, {} suspended", victims.len());
        // A process that was suspended for longer than its session timeout fails.
        assert_exit_codes(&race.finish()?, &ACCEPTED_EXIT_CODES, &context)?;
        assert_recovers(&*database, dir.path(), &context)?;
    }
    Ok(())
}

fn connections_cut_at_random_times_recover(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (migration_dir()?, random("cut", seed()));
    write_migrations(engine, dir.path(), 1)?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let mut proxies = Vec::new();
        let mut urls = Vec::new();
        for url in database.urls() {
            let proxy = Proxy::in_front_of(server_address(&url)?)?;
            urls.push(proxy.url(&url)?);
            proxies.push(proxy);
        }
        let race = Race::start(replica_count(), &urls, dir.path())?;
        let cuts = random.usize(1..=3);
        for _ in 0..cuts {
            sleep(&mut random, MAX_FAULT_DELAY_MS / cuts as u64);
            proxies.iter().for_each(Proxy::cut);
        }
        let context = format!("round {round}, cut {cuts} times");
        assert_exit_codes(&race.finish()?, &ACCEPTED_EXIT_CODES, &context)?;
        assert_recovers(&*database, dir.path(), &context)?;
    }
    Ok(())
}

fn server_killed_at_random_time_recovers(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (migration_dir()?, random("server", seed()));
    write_migrations(engine, dir.path(), 1)?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let race = Race::start(replica_count(), &database.urls(), dir.path())?;
        sleep(&mut random, MAX_FAULT_DELAY_MS);
        run_shell_command("LOCKAGE_TEST_KILL")?;
        sleep(&mut random, 500);
        run_shell_command("LOCKAGE_TEST_START")?;
        let context = format!("round {round}");
        assert_exit_codes(&race.finish()?, &ACCEPTED_EXIT_CODES, &context)?;
        assert_recovers(&*database, dir.path(), &context)?;
    }
    Ok(())
}

/// Half of the replicas run in a network namespace. It loses its network while one of them holds the lock; the other half must take over.
fn holder_host_lost_at_random_time_is_replaced(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (migration_dir()?, random("vanished", seed()));
    write_migrations(engine, dir.path(), 10)?;
    let to_text = |error: lockage_testkit::TestError| error.to_string();
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let namespace = NetworkNamespace::new().map_err(to_text)?;
        let urls = database.urls();
        let guest_urls: Vec<String> = urls.iter().map(|url| namespace.guest_url(url)).collect();
        let half = replica_count().div_ceil(2);
        let prefix = namespace.exec_prefix();
        let mut race = Race::start_with_prefix(&prefix, half, &guest_urls, dir.path())?;
        let guests = race.pids();
        let applied = random.usize(0..MIGRATIONS - 1);
        wait_for_completion(&*database, applied)?;
        race.add(&[], half, &urls, dir.path())?;
        sleep(&mut random, 200);
        namespace.drop_packets().map_err(to_text)?;
        sleep(&mut random, MAX_FAULT_DELAY_MS);
        // The namespace also drops the packets with which the kernel closes their connections.
        guests.iter().try_for_each(|pid| race.kill(*pid))?;
        let context = format!("round {round}, {half} lost after migration {applied}");
        assert_exit_codes(&race.finish()?, &[], &context)?;
        assert_recovers(&*database, dir.path(), &context)?;
    }
    Ok(())
}

fn server_disk_full_at_random_time_recovers(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (migration_dir()?, random("disk", seed()));
    write_migrations(engine, dir.path(), 10)?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        if let Some(setup) = engine.fill_disk_setup_sql() {
            database.query_column(setup)?;
        }
        let race = Race::start(replica_count(), &database.urls(), dir.path())?;
        let applied = random.usize(0..MIGRATIONS - 1);
        wait_for_completion(&*database, applied)?;
        run_shell_command("LOCKAGE_TEST_FILL")?;
        sleep(&mut random, 2 * MAX_FAULT_DELAY_MS);
        // Some servers wait until disk space is freed.
        run_shell_command("LOCKAGE_TEST_EMPTY")?;
        let context = format!("round {round}, full after migration {applied}");
        assert_exit_codes(&race.finish()?, &ACCEPTED_EXIT_CODES, &context)?;
        assert_recovers(&*database, dir.path(), &context)?;
    }
    Ok(())
}

/// Runs the command that an environment variable holds.
fn run_shell_command(variable: &str) -> Result<(), String> {
    let command = std::env::var(variable).map_err(|_| format!("{variable} is not set"))?;
    let output = Command::new("sh")
        .args(["-c", &command])
        .output()
        .map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command}: {stderr}");
    Ok(())
}
