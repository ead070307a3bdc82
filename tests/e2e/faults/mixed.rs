//! Random mixes of all faults at the same time, on migrations of random kinds, with both lock strategies at the same time.

use std::path::Path;
use std::time::{Duration, Instant};

use super::sequence::{Kind, MIGRATIONS, write_migration, write_tables};
use super::{
    LOCK_TIMEOUT, NOT_CONNECTED, SESSION_LOST, assert_recovers, random, run_shell_command,
};
use crate::assertions::assert_exit_codes;
use crate::case::migration_dir;
use crate::engine::{Database, Engine};
use crate::process::send_signal;
use crate::proxy::{Proxy, server_address};
use crate::race::Race;
use crate::settings::{replica_count, round_count, seed};

/// The time in which the faults of a round happen.
const FAULTS_DURATION: Duration = Duration::from_millis(2500);

/// The maximum duration of a fault that ends by itself.
const MAX_FAULT_DURATION_MS: u64 = 2000;

/// The maximum number of short pauses in a migration.
const MAX_SLEEPS: usize = 25;

/// The exit codes of a process that was affected by a fault. A migration that another process applies at the same time would fail, so a
/// failed migration is none of them.
const EXIT_CODES: [i32; 3] = [LOCK_TIMEOUT, NOT_CONNECTED, SESSION_LOST];

/// The words before the program with which a process uses the lock in a table.
const TABLE_LOCK: &[&str] = &["env", "LOCKAGE_LOCK_STRATEGY=table"];

/// Each round has a seed of its own, which a failure reports.
pub(super) fn mixed_faults_at_random_times_recover(engine: &dyn Engine) -> Result<(), String> {
    for round in 0..round_count() as u64 {
        let seed = seed().wrapping_add(round);
        run_round(engine, seed).map_err(|error| {
            format!("LOCKAGE_TEST_SEED={seed} LOCKAGE_TEST_ROUNDS=1 repeats this round: {error}")
        })?;
    }
    Ok(())
}

fn run_round(engine: &dyn Engine, seed: u64) -> Result<(), String> {
    let mut random = random("mixed", seed);
    let dir = migration_dir()?;
    write_tables(dir.path())?;
    let mut kinds = Vec::new();
    for n in 2..=MIGRATIONS {
        let kind = random_kind(engine, &mut random);
        write_migration(engine, dir.path(), n, kind, random.usize(..MAX_SLEEPS))?;
        kinds.push(kind);
    }
    let schedule = Schedule::random(engine, &mut random);
    let context = format!("migrations {kinds:?}, faults {:?}", schedule.0);

    let database = engine.create_database()?;
    let mut faulty = FaultyRace::start(engine, &*database, dir.path(), &mut random)?;
    let done = schedule
        .0
        .iter()
        .try_for_each(|(at, fault)| faulty.inject(*at, fault, &mut random));
    let race = faulty.end_faults()?;
    done.map_err(|error| format!("{context}: {error}"))?;
    assert_exit_codes(&race.finish()?, &EXIT_CODES, &context)?;
    assert_recovers(&*database, dir.path(), &context)
}

fn random_kind(engine: &dyn Engine, random: &mut fastrand::Rng) -> Kind {
    let mut kinds = vec![Kind::Transactional, Kind::Autocommit, Kind::OwnTransaction];
    if engine.concurrent_index_sql().is_some() {
        kinds.push(Kind::ConcurrentIndex);
    }
    kinds[random.usize(..kinds.len())]
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Kills a process.
    Kill,
    /// Suspends a process for a number of milliseconds.
    Suspend(u64),
    /// Starts another process.
    Start,
    /// Closes all connections.
    CutConnections,
    /// Stops forwarding in both directions for a number of milliseconds, without closing a connection.
    DropPackets(u64),
    /// Kills the server and starts it again.
    KillServer,
}

/// Faults with the time at which each happens, since the start of the round.
#[derive(Debug)]
struct Schedule(Vec<(Duration, Fault)>);

impl Schedule {
    fn random(engine: &dyn Engine, random: &mut fastrand::Rng) -> Self {
        let max_ms = FAULTS_DURATION.as_millis() as u64;
        let count = random.usize(2..=8);
        let mut faults: Vec<_> = (0..count)
            .map(|_| {
                let at = Duration::from_millis(random.u64(0..max_ms));
                (at, Fault::random(engine, random))
            })
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        Self(faults)
    }
}

impl Fault {
    fn random(engine: &dyn Engine, random: &mut fastrand::Rng) -> Self {
        let duration = random.u64(1..MAX_FAULT_DURATION_MS);
        let mut faults = vec![Self::Kill, Self::Suspend(duration), Self::Start];
        if engine.has_server() {
            faults.extend([Self::CutConnections, Self::DropPackets(duration)]);
        }
        if std::env::var_os("LOCKAGE_TEST_KILL").is_some() {
            faults.push(Self::KillServer);
        }
        faults[random.usize(..faults.len())]
    }
}

/// A race with a proxy in front of each server, and the faults that have not ended.
struct FaultyRace<'a> {
    started_at: Instant,
    dir: &'a Path,
    urls: Vec<String>,
    /// The words before the program, of which each process gets one element.
    prefixes: Vec<&'static [&'static str]>,
    proxies: Vec<Proxy>,
    race: Race,
    /// The processes that were not killed.
    alive: Vec<u32>,
    /// What ends a fault, and when.
    ends: Vec<(Instant, FaultEnd)>,
}

#[derive(Clone, Copy)]
enum FaultEnd {
    Resume(u32),
    Forward,
}

impl<'a> FaultyRace<'a> {
    fn start(
        engine: &dyn Engine,
        database: &dyn Database,
        dir: &'a Path,
        random: &mut fastrand::Rng,
    ) -> Result<Self, String> {
        let mut proxies = Vec::new();
        let mut urls = database.urls();
        // Some processes bypass the proxy, so that they continue while it does not forward.
        if engine.has_server() {
            for url in urls.clone() {
                let proxy = Proxy::in_front_of(server_address(&url)?)?;
                urls.push(proxy.url(&url)?);
                proxies.push(proxy);
            }
        }
        let mut prefixes: Vec<&[&str]> = vec![&[]];
        // The two kinds of lock exclude each other.
        if engine.has_server() && !engine.uses_row_lock() {
            prefixes.push(TABLE_LOCK);
        }
        let mut faulty = Self {
            started_at: Instant::now(),
            dir,
            urls,
            prefixes,
            proxies,
            alive: Vec::new(),
            race: Race::start(0, &[], dir)?,
            ends: Vec::new(),
        };
        for _ in 0..replica_count() {
            faulty.start_process(random)?;
        }
        Ok(faulty)
    }

    /// Starts a process with a random URL and a random kind of lock.
    fn start_process(&mut self, random: &mut fastrand::Rng) -> Result<(), String> {
        let url = self.urls[random.usize(..self.urls.len())].clone();
        let prefix = self.prefixes[random.usize(..self.prefixes.len())];
        self.race.add(prefix, 1, &[url], self.dir)?;
        self.alive.extend(self.race.pids().last());
        Ok(())
    }

    /// Waits until a time since the start of the round, and injects a fault.
    fn inject(
        &mut self,
        at: Duration,
        fault: &Fault,
        random: &mut fastrand::Rng,
    ) -> Result<(), String> {
        self.wait_until(self.started_at + at)?;
        let ends_at = |duration_ms| Instant::now() + Duration::from_millis(duration_ms);
        match *fault {
            Fault::Kill if self.alive.is_empty() => {}
            Fault::Kill => {
                let pid = self.alive.swap_remove(random.usize(..self.alive.len()));
                self.race.kill(pid)?;
            }
            Fault::Suspend(_) if self.alive.is_empty() => {}
            Fault::Suspend(duration) => {
                let pid = self.alive[random.usize(..self.alive.len())];
                send_signal(pid, "STOP")?;
                self.ends.push((ends_at(duration), FaultEnd::Resume(pid)));
            }
            Fault::Start => {
                self.start_process(random)?;
            }
            Fault::CutConnections => self.proxies.iter().for_each(Proxy::cut),
            Fault::DropPackets(duration) => {
                self.proxies.iter().for_each(Proxy::pause);
                self.ends.push((ends_at(duration), FaultEnd::Forward));
            }
            Fault::KillServer => {
                run_shell_command("LOCKAGE_TEST_KILL")?;
                run_shell_command("LOCKAGE_TEST_START")?;
            }
        }
        Ok(())
    }

    /// Sleeps until a time, and ends faults meanwhile.
    fn wait_until(&mut self, time: Instant) -> Result<(), String> {
        loop {
            self.ends.sort_by_key(|(at, _)| *at);
            let next = self.ends.first().map(|(at, _)| *at);
            let wake_at = next.unwrap_or(time).min(time);
            std::thread::sleep(wake_at.saturating_duration_since(Instant::now()));
            if next.is_none_or(|next| next > time) {
                return Ok(());
            }
            let (_, end) = self.ends.remove(0);
            self.end_fault(end)?;
        }
    }

    fn end_fault(&self, end: FaultEnd) -> Result<(), String> {
        match end {
            // The process may have been killed meanwhile. It exists until the race is finished.
            FaultEnd::Resume(pid) => send_signal(pid, "CONT"),
            FaultEnd::Forward => {
                self.proxies.iter().for_each(Proxy::resume);
                Ok(())
            }
        }
    }

    /// Ends all faults, and returns the race.
    fn end_faults(mut self) -> Result<Race, String> {
        if let Some(last) = self.ends.iter().map(|(at, _)| *at).max() {
            self.wait_until(last)?;
        }
        Ok(self.race)
    }
}
