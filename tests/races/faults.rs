//! Harm at random moments, and what must be true afterwards: every migration applied once, by one holder after another, nobody holds the
//! lock, nothing is left to do. Run with `LOCKAGE_TEST_FAULTS`; `LOCKAGE_TEST_SEED` repeats the moments.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use lockage_test_matrix::engine::NetworkNamespace;

use crate::case::{Case, ensure, folder, it_stands, nobody_holds_the_lock, write};
use crate::engine::{Database, Engine, wait_for};
use crate::proxy::{Proxy, address};
use crate::replicas::{Ended, Race, race, replicas, rounds, setting};

const CASES: &[(&str, Case)] = &[
    (
        "replicas_are_killed_at_random_moments",
        replicas_are_killed_at_random_moments,
    ),
    (
        "replicas_are_frozen_at_random_moments",
        replicas_are_frozen_at_random_moments,
    ),
    (
        "connections_are_cut_at_random_moments",
        connections_are_cut_at_random_moments,
    ),
    (
        "the_server_is_killed_at_a_random_moment",
        the_server_is_killed_at_a_random_moment,
    ),
    (
        "the_holders_host_vanishes_at_a_random_moment",
        the_holders_host_vanishes_at_a_random_moment,
    ),
];

/// On a server whose disk may be filled.
const ON_A_SMALL_DISK: &[(&str, Case)] = &[(
    "the_servers_disk_is_full_at_a_random_moment",
    the_servers_disk_is_full_at_a_random_moment,
)];

/// Those that `LOCKAGE_TEST_FAULTS` asks for.
pub(crate) fn cases(which: &str) -> &'static [(&'static str, Case)] {
    match which {
        "disk" => ON_A_SMALL_DISK,
        _ => CASES,
    }
}

/// How many migrations there are.
const MIGRATIONS: usize = 8;

/// A run takes less than this when nobody harms it.
const A_WHILE: u64 = 1500;

/// After this, a database must be fit to be migrated again.
const DEADLINE: Duration = Duration::from_secs(120);

/// What a run may end with that was harmed: it failed, it waited in vain, it could not connect, it lost its session.
const HARMED: [Option<i32>; 4] = [Some(1), Some(5), Some(6), Some(7)];

/// Why no host can vanish here.
static NAMESPACE_UNAVAILABLE: LazyLock<Option<String>> = LazyLock::new(NetworkNamespace::unavailable_reason);

pub(crate) fn does_not_apply(name: &str, engine: &dyn Engine) -> Option<String> {
    let reason = if engine.refuses() {
        "the lock is refused there"
    } else if name.starts_with("replicas") {
        return None;
    } else if !engine.has_server() {
        "there is no server"
    } else if name.starts_with("the_server_is") && std::env::var("LOCKAGE_TEST_KILL").is_err() {
        "nobody said how to kill the server: LOCKAGE_TEST_KILL"
    } else if name.starts_with("the_servers_disk") && std::env::var("LOCKAGE_TEST_FILL").is_err() {
        "nobody said how to fill the server's disk: LOCKAGE_TEST_FILL"
    } else if let (true, Some(reason)) = (name.starts_with("the_holders_host"), &*NAMESPACE_UNAVAILABLE) {
        reason
    } else {
        return None;
    };
    Some(reason.to_owned())
}

fn random(name: &str) -> fastrand::Rng {
    let seed = setting("LOCKAGE_TEST_SEED", 1) as u64;
    // Each case has moments of its own, whichever others run.
    let own: u64 = name.bytes().map(u64::from).sum();
    fastrand::Rng::with_seed(seed.wrapping_add(own))
}

/// Each writes down that it begins and that it ends, behind all that stands there: two holders would take the same place, or stand between each
/// other's words. Every other one commits its statements one by one, so that others would see them.
fn migrations(engine: &dyn Engine, dir: &Path, pauses: usize) -> Result<(), String> {
    write(
        dir,
        "V1__witness.sql",
        "CREATE TABLE witness (n INTEGER NOT NULL);\nCREATE TABLE turns (place INTEGER NOT NULL, n INTEGER NOT NULL);\n\
         INSERT INTO witness (n) VALUES (1);\n",
    )?;
    let pause = format!("{};\n", engine.pause()).repeat(pauses);
    for n in 2..=MIGRATIONS {
        let alone = match n % 2 {
            0 => "",
            _ => "-- lockage: no-transaction\n",
        };
        let turn = format!("INSERT INTO turns (place, n) SELECT COUNT(*) + 1, {n} FROM turns;\n");
        let text = format!(
            "{alone}CREATE TABLE t{n} (n INTEGER NOT NULL);\nINSERT INTO t{n} (n) VALUES (1);\n\
             {turn}{pause}{turn}INSERT INTO witness (n) VALUES ({n});\n"
        );
        write(dir, &format!("V{n}__t{n}.sql"), &text)?;
    }
    Ok(())
}

/// One holder after another, each with a turn of its own.
fn one_at_a_time(database: &dyn Database) -> Result<(), String> {
    let places = database.column("SELECT place FROM turns ORDER BY place")?;
    let turns = database.column("SELECT n FROM turns ORDER BY place")?;
    let expected = |each: fn(usize) -> usize| -> Vec<String> {
        let count = 2 * (MIGRATIONS - 1);
        (0..count).map(|place| each(place).to_string()).collect()
    };
    ensure!(
        places == expected(|place| place + 1) && turns == expected(|place| place / 2 + 2),
        "turns were {turns:?} at {places:?}"
    );
    Ok(())
}

/// Waits until so many migrations are done, by which the run is in the middle of another.
fn wait_until_done(database: &dyn Database, count: usize) -> Result<(), String> {
    wait_for("a run in its middle", || {
        // At first there is no table.
        let done = database.column("SELECT version FROM lockage_history");
        Ok((done.map_or(0, |done| done.len()) >= count).then_some(()))
    })
}

/// The next run completes what was begun, as soon as it can connect.
fn mended(database: &dyn Database, dir: &Path, what: &str) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let one = race(1, &database.urls(), dir)?.remove(0);
        if one.exit == Some(0) {
            // Of a holder that its server did not survive, a lock in a table stays until its lease is over.
            wait_for("a free lock", || {
                Ok(nobody_holds_the_lock(database, dir).ok())
            })?;
            return it_stands(database, dir, MIGRATIONS)
                .and_then(|()| one_at_a_time(database))
                .map_err(|error| format!("{what}: {error}"));
        }
        let again = one.exit == Some(6) || one.exit == Some(7) || one.exit == Some(5);
        ensure!(
            again && begun.elapsed() < DEADLINE,
            "{what}: exit {:?}: {} {}",
            one.exit,
            one.json,
            one.stderr
        );
    }
}

fn none_but(ended: &[Ended], allowed: &[Option<i32>], what: &str) -> Result<(), String> {
    for one in ended {
        let fine = one.exit == Some(0) || allowed.contains(&one.exit);
        ensure!(
            fine,
            "{what}: exit {:?}: {} {}",
            one.exit,
            one.json,
            one.stderr
        );
    }
    Ok(())
}

fn sleep(random: &mut fastrand::Rng, at_most: u64) {
    std::thread::sleep(Duration::from_millis(random.u64(0..at_most)));
}

fn replicas_are_killed_at_random_moments(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (folder()?, random("killed"));
    migrations(engine, dir.path(), 1)?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let mut race = Race::start(replicas(), &database.urls(), dir.path())?;
        let mut victims = race.ids();
        random.shuffle(&mut victims);
        let count = random.usize(1..=victims.len());
        for victim in &victims[..count] {
            sleep(&mut random, A_WHILE / count as u64);
            race.kill(*victim)?;
        }
        let what = format!("round {round}, {count} killed");
        none_but(&race.finish()?, &[], &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}

fn replicas_are_frozen_at_random_moments(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (folder()?, random("frozen"));
    migrations(engine, dir.path(), 1)?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let race = Race::start(replicas(), &database.urls(), dir.path())?;
        let mut victims = race.ids();
        random.shuffle(&mut victims);
        victims.truncate(random.usize(1..=victims.len()));
        sleep(&mut random, A_WHILE / 2);
        victims
            .iter()
            .try_for_each(|victim| signal("STOP", *victim))?;
        sleep(&mut random, A_WHILE);
        victims
            .iter()
            .try_for_each(|victim| signal("CONT", *victim))?;
        let what = format!("round {round}, {} frozen", victims.len());
        // One that slept longer than its session may is told so.
        none_but(&race.finish()?, &HARMED, &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}

/// To a process of ours that has not been waited for, so the number is still its own.
fn signal(name: &str, process: u32) -> Result<(), String> {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status()
        .map_err(|error| error.to_string())?;
    ensure!(sent.success(), "no {name} could be sent to {process}");
    Ok(())
}

fn connections_are_cut_at_random_moments(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (folder()?, random("cut"));
    migrations(engine, dir.path(), 1)?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let mut proxies = Vec::new();
        let mut urls = Vec::new();
        for url in database.urls() {
            let proxy = Proxy::before(address(&url)?)?;
            urls.push(proxy.url(&url)?);
            proxies.push(proxy);
        }
        let race = Race::start(replicas(), &urls, dir.path())?;
        let cuts = random.usize(1..=3);
        for _ in 0..cuts {
            sleep(&mut random, A_WHILE / cuts as u64);
            proxies.iter().for_each(Proxy::cut);
        }
        let what = format!("round {round}, cut {cuts} times");
        none_but(&race.finish()?, &HARMED, &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}

fn the_server_is_killed_at_a_random_moment(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (folder()?, random("server"));
    migrations(engine, dir.path(), 1)?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let race = Race::start(replicas(), &database.urls(), dir.path())?;
        sleep(&mut random, A_WHILE);
        shell("LOCKAGE_TEST_KILL")?;
        sleep(&mut random, 500);
        shell("LOCKAGE_TEST_START")?;
        let what = format!("round {round}");
        none_but(&race.finish()?, &HARMED, &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}

/// Half of the replicas run on a host that loses its line while one of them holds the lock; the other half has to get there.
fn the_holders_host_vanishes_at_a_random_moment(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (folder()?, random("vanished"));
    migrations(engine, dir.path(), 10)?;
    let told = |failure: lockage_testkit::TestError| failure.to_string();
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let namespace = NetworkNamespace::new().map_err(told)?;
        let urls = database.urls();
        let there: Vec<String> = urls.iter().map(|url| namespace.guest_url(url)).collect();
        let half = replicas().div_ceil(2);
        let mut race = Race::start_through(&namespace.exec_prefix(), half, &there, dir.path())?;
        let gone = race.ids();
        let done = random.usize(0..MIGRATIONS - 1);
        wait_until_done(&*database, done)?;
        race.add(&[], half, &urls, dir.path())?;
        sleep(&mut random, 200);
        namespace.drop_packets().map_err(told)?;
        sleep(&mut random, A_WHILE);
        // Their farewell is lost as well.
        gone.iter().try_for_each(|one| race.kill(*one))?;
        let what = format!("round {round}, {half} vanished after migration {done}");
        none_but(&race.finish()?, &[], &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}

fn the_servers_disk_is_full_at_a_random_moment(engine: &dyn Engine) -> Result<(), String> {
    let (dir, mut random) = (folder()?, random("disk"));
    migrations(engine, dir.path(), 10)?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        if let Some(prepare) = engine.before_a_full_disk() {
            database.column(prepare)?;
        }
        let race = Race::start(replicas(), &database.urls(), dir.path())?;
        let done = random.usize(0..MIGRATIONS - 1);
        wait_until_done(&*database, done)?;
        shell("LOCKAGE_TEST_FILL")?;
        sleep(&mut random, 2 * A_WHILE);
        // Some servers wait for somebody to make room.
        shell("LOCKAGE_TEST_EMPTY")?;
        let what = format!("round {round}, full after migration {done}");
        none_but(&race.finish()?, &HARMED, &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}

/// Runs the command that a variable holds.
fn shell(variable: &str) -> Result<(), String> {
    let command = std::env::var(variable).map_err(|_| format!("no {variable}"))?;
    let done = Command::new("sh")
        .args(["-c", &command])
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command}: {said}");
    Ok(())
}
