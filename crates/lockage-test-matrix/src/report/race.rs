//! A race, read from the traces of its processes.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Processes that were started together against one database.
#[derive(Debug, Deserialize)]
pub(super) struct Race {
    pub(super) case: String,
    pub(super) replicas: Vec<Replica>,
}

/// One process. All times are in milliseconds since the start of the race.
#[derive(Debug, Deserialize)]
pub(super) struct Replica {
    pub(super) pid: u32,
    pub(super) killed: bool,
    exit: Option<i32>,
    outcome: String,
    pub(super) end_ms: u64,
    events: Vec<TraceEvent>,
}

/// A line of the trace that the program writes with `LOCKAGE_TRACE`.
#[derive(Debug, Deserialize)]
struct TraceEvent {
    ms: u64,
    event: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Waiting,
    Holding,
    Applying,
    Leaving,
}

impl Phase {
    /// Returns the CSS class of the phase.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting => "waiting",
            Self::Holding => "holding",
            Self::Applying => "applying",
            Self::Leaving => "leaving",
        }
    }
}

/// A time during which a process stayed in one phase.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) phase: Phase,
    /// A description of the event at the start.
    pub(super) label: String,
}

impl TraceEvent {
    /// Returns the phase that begins with the event, or `None` if the phase does not change.
    fn phase(&self) -> Option<Phase> {
        match self.event.as_str() {
            // A process that lost its connection has lost the lock too.
            "connected" | "waiting" | "reconnecting" => Some(Phase::Waiting),
            "acquired" | "applied" => Some(Phase::Holding),
            "started" => Some(Phase::Applying),
            "released" => Some(Phase::Leaving),
            _ => None,
        }
    }

    fn label(&self) -> String {
        let text = |name: &str| match self.fields.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let migration = || {
            let name = format!("{} {}", text("version"), text("name"));
            name.trim().to_owned()
        };
        match self.event.as_str() {
            "connected" => format!("connected to {}", text("database")),
            "waiting" => format!(
                "waiting for the lock {}, held by {}",
                text("lock"),
                text("holder")
            ),
            "reconnecting" => format!("connection lost, retrying: {}", text("message")),
            "acquired" => format!(
                "acquired the lock {}; {} to do",
                text("lock"),
                text("steps")
            ),
            "started" => format!(
                "[{}/{}] {} {}",
                text("step"),
                text("steps"),
                text("action"),
                migration()
            ),
            "applied" => format!("applied {} ({} ms)", migration(), text("took_ms")),
            "released" => format!("released the lock {}", text("lock")),
            other => other.to_owned(),
        }
    }
}

impl Replica {
    pub(super) fn intervals(&self) -> Vec<Interval> {
        let mut intervals = Vec::new();
        let mut current = (0, Phase::Starting, String::new());
        for event in &self.events {
            let Some(phase) = event.phase() else { continue };
            if phase == current.1 && phase == Phase::Waiting {
                current.2 = event.label();
                continue;
            }
            intervals.push(Interval {
                from: current.0,
                to: event.ms,
                phase: current.1,
                label: current.2,
            });
            current = (event.ms, phase, event.label());
        }
        intervals.push(Interval {
            from: current.0,
            to: self.end_ms.max(current.0),
            phase: current.1,
            label: current.2,
        });
        intervals
    }

    /// Returns when the process acquired and released the lock, or `None` if it never held the lock.
    pub(super) fn held(&self) -> Option<(u64, u64)> {
        let intervals = self.intervals();
        let holds =
            |interval: &&Interval| matches!(interval.phase, Phase::Holding | Phase::Applying);
        let from = intervals.iter().find(holds)?.from;
        Some((from, intervals.iter().rev().find(holds)?.to))
    }

    /// Returns how the process ended.
    pub(super) fn describe(&self) -> String {
        match (self.killed, self.exit) {
            (true, _) => "killed".into(),
            (_, Some(0)) => self.outcome.replace('_', " "),
            (_, code) => format!(
                "{} (exit {})",
                self.outcome,
                code.map_or("none".into(), |code| code.to_string())
            ),
        }
    }
}

impl Race {
    pub(super) fn read(trace: &Value) -> Option<Self> {
        let mut race: Self = serde_json::from_value(trace.clone()).ok()?;
        // Holders come first, in the order in which they held the lock. The others follow in the order in which they exited.
        race.replicas.sort_by_key(|replica| {
            let acquired = replica.held().map_or(u64::MAX, |(from, _)| from);
            (acquired, replica.end_ms)
        });
        Some(race)
    }

    pub(super) fn end(&self) -> u64 {
        self.replicas
            .iter()
            .map(|replica| replica.end_ms)
            .max()
            .unwrap_or(0)
            .max(1)
    }

    /// Returns the time from the end of the work until the last process that did no work exited.
    pub(super) fn last_exit_delay(&self) -> Option<u64> {
        let done = self
            .replicas
            .iter()
            .filter(|replica| !replica.killed)
            .filter_map(Replica::held)
            .map(|(_, to)| to)
            .max()?;
        let others = self
            .replicas
            .iter()
            .filter(|replica| replica.held().is_none());
        Some(
            others
                .map(|replica| replica.end_ms)
                .max()?
                .saturating_sub(done),
        )
    }

    /// Returns, for each killed holder, the time until the next process held the lock.
    pub(super) fn takeover_delays(&self) -> Vec<u64> {
        let killed = self
            .replicas
            .iter()
            .filter(|replica| replica.killed && replica.held().is_some());
        killed
            .filter_map(|holder| {
                let held = self.replicas.iter().filter_map(Replica::held);
                let next = held
                    .map(|(from, _)| from)
                    .filter(|from| *from >= holder.end_ms)
                    .min()?;
                Some(next - holder.end_ms)
            })
            .collect()
    }

    /// Returns a line with the case, the number of processes and the duration.
    pub(super) fn describe(&self) -> String {
        let case = self
            .case
            .rsplit("::")
            .next()
            .unwrap_or(&self.case)
            .replace('_', " ");
        format!(
            "{case}: {} processes, {} ms",
            self.replicas.len(),
            self.end()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn replica(pid: u32, killed: bool, end_ms: u64, events: &[(u64, &str)]) -> Value {
        let events: Vec<Value> = events
            .iter()
            .map(|(ms, event)| json!({"ms": ms, "event": event}))
            .collect();
        json!({"pid": pid, "killed": killed, "exit": 0, "outcome": "applied", "end_ms": end_ms, "events": events})
    }

    fn race() -> Race {
        let waiter = [
            (6, "connected"),
            (8, "waiting"),
            (60, "acquired"),
            (61, "started"),
            (70, "applied"),
            (75, "releasing"),
            (80, "released"),
        ];
        Race::read(&json!({"case": "a::b", "replicas": [
            replica(2, false, 90, &waiter),
            replica(3, false, 95, &[(6, "connected"), (20, "waiting"), (94, "current")]),
            replica(1, true, 50, &[(5, "connected"), (6, "acquired"), (7, "started")]),
        ]}))
        .unwrap()
    }

    #[test]
    fn events_become_intervals() {
        let race = race();
        let phases: Vec<_> = race.replicas[1]
            .intervals()
            .iter()
            .map(|interval| (interval.from, interval.to, interval.phase))
            .collect();
        use Phase::{Applying, Holding, Leaving, Starting, Waiting};
        assert_eq!(
            phases,
            [
                (0, 6, Starting),
                (6, 60, Waiting),
                (60, 61, Holding),
                (61, 70, Applying),
                (70, 80, Holding),
                (80, 90, Leaving)
            ]
        );
        assert_eq!(race.replicas[1].held(), Some((60, 80)));
        assert_eq!(race.replicas[2].held(), None);
    }

    #[test]
    fn reconnecting_ends_holding() {
        let events = [
            (1, "connected"),
            (2, "acquired"),
            (3, "started"),
            (5, "reconnecting"),
        ];
        let race = json!({"case": "a::b", "replicas": [replica(4, false, 60, &events)]});
        let race = Race::read(&race).unwrap();
        assert_eq!(race.replicas[0].held(), Some((2, 5)));
    }

    #[test]
    fn delays_are_measured() {
        let race = race();
        let pids: Vec<_> = race.replicas.iter().map(|replica| replica.pid).collect();
        assert_eq!(pids, [1, 2, 3]);
        assert_eq!(race.takeover_delays(), [10]);
        assert_eq!(race.last_exit_delay(), Some(15));
    }
}
