//! A race, read from what its processes said.

use serde::Deserialize;
use serde_json::Value;

/// Some processes, started at once against one database.
#[derive(Debug, Deserialize)]
pub(super) struct Race {
    pub(super) case: String,
    pub(super) replicas: Vec<Replica>,
}

/// One of them. All times are milliseconds from the beginning of the race.
#[derive(Debug, Deserialize)]
pub(super) struct Replica {
    pub(super) pid: u32,
    pub(super) killed: bool,
    exit: Option<i32>,
    outcome: String,
    pub(super) end_ms: u64,
    /// The lines that it said, and when.
    said: Vec<(u64, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Starting,
    Waiting,
    Holding,
    Applying,
    Leaving,
}

impl Doing {
    /// Its class in the page's style.
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

/// What a process did from one moment to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) doing: Doing,
    /// The line with which it began.
    pub(super) line: String,
}

impl Replica {
    pub(super) fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut now = (0, Doing::Starting, String::new());
        for (at, line) in &self.said {
            let doing = match line.split_whitespace().next().unwrap_or_default() {
                // One that lost its session begins anew.
                "connected" | "waiting" | "beginning" => Doing::Waiting,
                "got" | "applied" => Doing::Holding,
                "gave" => Doing::Leaving,
                word if word.starts_with('[') && line.contains("applying") => Doing::Applying,
                _ => continue,
            };
            if doing == now.1 && doing == Doing::Waiting {
                now.2.clone_from(line);
                continue;
            }
            stretches.push(Stretch {
                from: now.0,
                to: *at,
                doing: now.1,
                line: now.2,
            });
            now = (*at, doing, line.clone());
        }
        stretches.push(Stretch {
            from: now.0,
            to: self.end_ms.max(now.0),
            doing: now.1,
            line: now.2,
        });
        stretches
    }

    /// From when to when it held the lock, if it did.
    pub(super) fn held(&self) -> Option<(u64, u64)> {
        let stretches = self.stretches();
        let holds = |stretch: &&Stretch| matches!(stretch.doing, Doing::Holding | Doing::Applying);
        let from = stretches.iter().find(holds)?.from;
        Some((from, stretches.iter().rev().find(holds)?.to))
    }

    /// How it ended, in words.
    pub(super) fn told(&self) -> String {
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
        // Holders first, in their order; then whoever left first.
        race.replicas
            .sort_by_key(|one| (one.held().map_or(u64::MAX, |(from, _)| from), one.end_ms));
        Some(race)
    }

    pub(super) fn end(&self) -> u64 {
        self.replicas
            .iter()
            .map(|one| one.end_ms)
            .max()
            .unwrap_or(0)
            .max(1)
    }

    /// How long after the work's end the last of the others left.
    pub(super) fn last_left_after(&self) -> Option<u64> {
        let done = self
            .replicas
            .iter()
            .filter(|one| !one.killed)
            .filter_map(Replica::held)
            .map(|(_, to)| to)
            .max()?;
        let others = self.replicas.iter().filter(|one| one.held().is_none());
        Some(others.map(|one| one.end_ms).max()?.saturating_sub(done))
    }

    /// How long after each killed holder's end the next held the lock.
    pub(super) fn taken_over_after(&self) -> Vec<u64> {
        let killed = self
            .replicas
            .iter()
            .filter(|one| one.killed && one.held().is_some());
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

    /// A line about it.
    pub(super) fn told(&self) -> String {
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
    use super::*;

    fn race() -> Race {
        Race::read(&serde_json::json!({"case": "a::b", "replicas": [
            {"pid": 2, "killed": false, "exit": 0, "outcome": "applied", "end_ms": 90,
             "said": [[6, "connected to x"], [8, "waiting for the lock"], [60, "got the lock"], [61, "[1/1] applying 1 a"], [70, "applied 1 a (9 ms)"], [80, "gave the lock back"]]},
            {"pid": 3, "killed": false, "exit": 0, "outcome": "up_to_date", "end_ms": 95, "said": [[6, "connected to x"], [20, "waiting for the lock"]]},
            {"pid": 1, "killed": true, "exit": null, "outcome": "", "end_ms": 50,
             "said": [[5, "connected to x"], [6, "got the lock"], [7, "[1/1] applying 1 a"]]},
        ]})).unwrap()
    }

    #[test]
    fn lines_become_stretches() {
        let race = race();
        let doing: Vec<_> = race.replicas[1]
            .stretches()
            .iter()
            .map(|one| (one.from, one.to, one.doing))
            .collect();
        use Doing::{Applying, Holding, Leaving, Starting, Waiting};
        assert_eq!(
            doing,
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
    fn whoever_lost_its_session_holds_nothing() {
        let lost = Race::read(&serde_json::json!({"case": "a::b", "replicas": [
            {"pid": 4, "killed": false, "exit": 0, "outcome": "applied", "end_ms": 60,
             "said": [[1, "connected to x"], [2, "got the lock"], [3, "[1/1] applying 1 a"], [5, "beginning anew: the line was cut"]]},
        ]})).unwrap();
        assert_eq!(lost.replicas[0].held(), Some((2, 5)));
    }

    #[test]
    fn hand_overs_are_measured() {
        let race = race();
        assert_eq!(
            race.replicas.iter().map(|one| one.pid).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(race.taken_over_after(), [10]);
        assert_eq!(race.last_left_after(), Some(15));
    }
}
