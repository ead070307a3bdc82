//! Harm at random moments, and what must be true afterwards: every migration applied once, nobody holds the lock, nothing is left to do.
//! Run with `LOCKAGE_TEST_FAULTS`; `LOCKAGE_TEST_SEED` repeats the moments.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::case::{Case, ensure, folder, it_stands, nobody_holds_the_lock, write};
use crate::engine::{Database, Engine, wait_for};
use crate::proxy::{Proxy, address};
use crate::replicas::{Ended, Race, race, replicas, rounds, setting};

pub(crate) const CASES: &[(&str, Case)] = &[
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
];

/// How many migrations there are.
const MIGRATIONS: usize = 8;

/// A run takes less than this when nobody harms it.
const A_WHILE: u64 = 1500;

/// After this, a database must be fit to be migrated again.
const DEADLINE: Duration = Duration::from_secs(120);

/// What a run may end with that was harmed: it failed, it waited in vain, it could not connect, it lost its session.
const HARMED: [Option<i32>; 4] = [Some(1), Some(5), Some(6), Some(7)];

pub(crate) fn does_not_apply(name: &str, engine: &dyn Engine) -> Option<String> {
    let reason = if engine.refuses() {
        "the lock is refused there"
    } else if name.starts_with("replicas") {
        return None;
    } else if !engine.has_server() {
        "there is no server"
    } else if name.starts_with("the_server") && std::env::var("LOCKAGE_TEST_KILL").is_err() {
        "nobody said how to kill the server: LOCKAGE_TEST_KILL"
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

fn migrations(engine: &dyn Engine, dir: &Path) -> Result<(), String> {
    write(
        dir,
        "V1__witness.sql",
        "CREATE TABLE witness (n INTEGER NOT NULL);\nINSERT INTO witness (n) VALUES (1);\n",
    )?;
    let pause = engine.pause();
    for n in 2..=MIGRATIONS {
        let text = format!(
            "CREATE TABLE t{n} (n INTEGER NOT NULL);\n{pause};\nINSERT INTO witness (n) VALUES ({n});\n"
        );
        write(dir, &format!("V{n}__t{n}.sql"), &text)?;
    }
    Ok(())
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
    migrations(engine, dir.path())?;
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
    migrations(engine, dir.path())?;
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
    migrations(engine, dir.path())?;
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
    migrations(engine, dir.path())?;
    let command = |variable: &str| {
        let command = std::env::var(variable).map_err(|_| format!("no {variable}"))?;
        let done = Command::new("sh")
            .args(["-c", &command])
            .output()
            .map_err(|error| error.to_string())?;
        ensure!(
            done.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    };
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let race = Race::start(replicas(), &database.urls(), dir.path())?;
        sleep(&mut random, A_WHILE);
        command("LOCKAGE_TEST_KILL")?;
        sleep(&mut random, 500);
        command("LOCKAGE_TEST_START")?;
        let what = format!("round {round}");
        none_but(&race.finish()?, &HARMED, &what)?;
        mended(&*database, dir.path(), &what)?;
    }
    Ok(())
}
