//! What is broken in a history, and the plan that mends it: pure, and run like any other.

use std::sync::Arc;

use crate::status::{MigrationEntry, MigrationStatus, compare};
use crate::{Action, Error, ErrorKind, History, Migration, MigrationSet, Plan, Result, Step};

/// What is broken in a history, as it stood when it was looked at, and how it would be mended. Whoever was shown this confirms it by
/// handing it to [`Runner::repair`](crate::Runner::repair), which does exactly this or nothing.
#[derive(Debug, Clone)]
pub struct Repairs {
    /// The answer for a statement whose end nobody saw; `None` for everything else that can be mended.
    answer: Option<Action>,
    repairs: Vec<Repair>,
}

/// One migration that is mended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Repair {
    /// What is done.
    pub step: Step,
    /// What was seen.
    pub entry: MigrationEntry,
}

impl Repairs {
    /// What changed, what has no file, and what failed half way.
    pub(super) fn of_history(set: &MigrationSet, history: &History) -> Self {
        Self::find(set, history, None, |entry| match entry.standing {
            MigrationStatus::Diverged => Some(Action::UpdateChecksum),
            MigrationStatus::Missing | MigrationStatus::Failed | MigrationStatus::Running => {
                Some(Action::DeleteRow)
            }
            _ => None,
        })
    }

    /// Whatever was under way when a run died.
    pub(super) fn of_doubts(set: &MigrationSet, history: &History, answer: Action) -> Self {
        Self::find(set, history, Some(answer), |entry| {
            matches!(
                entry.standing,
                MigrationStatus::Running | MigrationStatus::Failed | MigrationStatus::Undoing
            )
            .then_some(answer)
        })
    }

    fn find(
        set: &MigrationSet,
        history: &History,
        answer: Option<Action>,
        action: impl Fn(&MigrationEntry) -> Option<Action>,
    ) -> Self {
        let repairs = compare(set, history).into_iter().filter_map(|entry| {
            let step = Step::new(migration(&entry), action(&entry)?);
            Some(Repair { step, entry })
        });
        Self {
            answer,
            repairs: repairs.collect(),
        }
    }

    /// Whether there is nothing to mend.
    pub fn is_empty(&self) -> bool {
        self.repairs.is_empty()
    }

    /// Each of them, in the order in which they are done.
    pub fn iter(&self) -> std::slice::Iter<'_, Repair> {
        self.repairs.iter()
    }

    /// The steps, when the history still stands as it was confirmed. Where somebody else has mended it all, nothing is left to do.
    pub(super) fn plan(&self, set: &MigrationSet, history: &History) -> Result<Plan> {
        let now = match self.answer {
            None => Self::of_history(set, history),
            Some(answer) => Self::of_doubts(set, history, answer),
        };
        if now.is_empty() {
            return Ok(Plan::default());
        }
        let changes = self.changes(&now);
        if !changes.is_empty() {
            return Err(Error::new(
                ErrorKind::Diverged,
                format!(
                    "the history is no longer what the repair was meant for, and nothing was repaired: {}",
                    changes.join("; ")
                ),
            )
            .with_hint("look again, and repair what there is then"));
        }
        Ok(Plan {
            steps: self.iter().map(|repair| repair.step.clone()).collect(),
            ..Plan::default()
        })
    }

    fn changes(&self, now: &Self) -> Vec<String> {
        let find = |list: &[Repair], wanted: &Repair| {
            let found = list
                .iter()
                .find(|repair| repair.step.migration.key() == wanted.step.migration.key());
            found.cloned()
        };
        let gone = self.iter().filter_map(|was| match find(&now.repairs, was) {
            None => Some(format!(
                "{} was {} and needs no repair now",
                was.title(),
                was.how()
            )),
            Some(is) if is.is_as(was) => None,
            Some(is) if is.how() == was.how() => {
                Some(format!("{} was {} by another run", was.title(), was.how()))
            }
            Some(is) => Some(format!(
                "{} was {} and is {}",
                was.title(),
                was.how(),
                is.how()
            )),
        });
        let new = now
            .iter()
            .filter(|is| find(&self.repairs, is).is_none())
            .map(|is| format!("{} is {}", is.title(), is.how()));
        gone.chain(new).collect()
    }
}

impl Repair {
    fn title(&self) -> String {
        self.step.migration.to_string()
    }

    fn how(&self) -> String {
        let standing = self.entry.standing.as_str();
        match &self.entry.row {
            Some(row) if row.statements_done < row.statements_total => {
                format!(
                    "{standing} ({}/{})",
                    row.statements_done, row.statements_total
                )
            }
            _ => standing.to_owned(),
        }
    }

    fn is_as(&self, other: &Self) -> bool {
        self.step.action == other.step.action
            && self.step.migration.checksum() == other.step.migration.checksum()
            && self.entry.row == other.entry.row
    }
}

impl<'a> IntoIterator for &'a Repairs {
    type Item = &'a Repair;
    type IntoIter = std::slice::Iter<'a, Repair>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The file of an entry, or what stands for one that only the history knows.
pub(super) fn migration(entry: &MigrationEntry) -> Arc<Migration> {
    match (&entry.migration, &entry.row) {
        (Some(migration), _) => Arc::clone(migration),
        (None, Some(row)) => Arc::new(Migration::of_row(row)),
        (None, None) => Arc::new(Migration::without_file(
            entry.kind,
            entry.version.clone(),
            &entry.name,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{actions, row};
    use super::*;
    use crate::{HistoryRow, State};

    fn set() -> MigrationSet {
        MigrationSet::from_texts([("V1__x.sql", "a"), ("V2__x.sql", "b"), ("V4__x.sql", "c")])
            .unwrap()
    }

    /// With a file that changed, one that is gone, one that failed, and a version that nobody can read.
    fn broken() -> History {
        let sum = set().iter().next().unwrap().checksum().to_string();
        let rows = vec![
            row("1", State::Applied, &sum),
            row("2", State::Applied, "other"),
            row("3", State::Applied, "gone"),
            row("4", State::Failed, "half"),
            row("9", State::Applied, "future"),
            row("what?", State::Applied, "unreadable"),
        ];
        History { rows }
    }

    #[test]
    fn a_repair_touches_only_what_is_broken() {
        let (set, history) = (set(), broken());
        let repairs = Repairs::of_history(&set, &history);
        assert_eq!(
            actions(&repairs.plan(&set, &history).unwrap()),
            [
                ("2".into(), Action::UpdateChecksum),
                ("3".into(), Action::DeleteRow),
                ("4".into(), Action::DeleteRow),
                ("what?".into(), Action::DeleteRow),
            ]
        );
        let in_doubt = Repairs::of_doubts(&set, &history, Action::ResolveNotApplied);
        assert_eq!(
            actions(&in_doubt.plan(&set, &history).unwrap()),
            [("4".into(), Action::ResolveNotApplied)]
        );
    }

    #[test]
    fn what_was_not_confirmed_is_not_done() {
        let (set, history) = (set(), broken());
        let confirmed = Repairs::of_history(&set, &history);
        let refused = |change: fn(&mut Vec<HistoryRow>)| {
            let mut history = history.clone();
            change(&mut history.rows);
            let error = confirmed.plan(&set, &history).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Diverged);
            error
                .message()
                .split_once("repaired: ")
                .unwrap()
                .1
                .to_owned()
        };
        assert_eq!(
            refused(|rows| rows.push(row("2.5", State::Applied, "gone"))),
            "2.5 x is missing"
        );
        assert_eq!(
            refused(|rows| drop(rows.remove(2))),
            "3 x was missing and needs no repair now"
        );
        assert_eq!(
            refused(|rows| {
                rows[3].state = State::Running;
                (rows[3].statements_done, rows[3].statements_total) = (1, 2);
            }),
            "4 x was failed and is running (1/2)"
        );
        assert_eq!(
            refused(|rows| rows[3].run_id = "another".into()),
            "4 x was failed by another run"
        );
        let mended = History::default();
        assert!(confirmed.plan(&set, &mended).unwrap().is_empty());
    }
}
