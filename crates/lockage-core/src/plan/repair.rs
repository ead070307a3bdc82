use super::steps::Plan;
use crate::status::{MigrationEntry, MigrationStatus, compare};
use crate::{Action, Error, ErrorKind, History, MigrationSet, Result, Step};

/// The repairs that a history needs, as of the time when it was read.
///
/// A caller shows them to a user and confirms them by passing them to [`Runner::repair`](crate::Runner::repair), which
/// executes exactly these repairs, or none.
#[derive(Debug, Clone)]
pub struct Repairs {
    /// The resolution of in-doubt statements; `None` for all other repairs.
    resolution: Option<Action>,
    repairs: Vec<Repair>,
}

/// The repair of one migration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Repair {
    /// The step that repairs the migration.
    pub step: Step,
    /// The status of the migration when the history was read.
    pub entry: MigrationEntry,
}

impl Repairs {
    /// Finds changed files, rows without a file, and migrations that failed.
    pub(crate) fn for_history(set: &MigrationSet, history: &History) -> Self {
        Self::find(set, history, None, |entry| match entry.status {
            MigrationStatus::Diverged => Some(Action::UpdateChecksum),
            MigrationStatus::Missing | MigrationStatus::Failed | MigrationStatus::Running => {
                Some(Action::DeleteRow)
            }
            _ => None,
        })
    }

    /// Finds the migrations that were running when a run died, each with a statement whose outcome is unknown.
    pub(crate) fn for_in_doubt(set: &MigrationSet, history: &History, resolution: Action) -> Self {
        Self::find(set, history, Some(resolution), |entry| {
            matches!(
                entry.status,
                MigrationStatus::Running | MigrationStatus::Failed | MigrationStatus::Undoing
            )
            .then_some(resolution)
        })
    }

    fn find(
        set: &MigrationSet,
        history: &History,
        resolution: Option<Action>,
        action: impl Fn(&MigrationEntry) -> Option<Action>,
    ) -> Self {
        let repairs = compare(set, history).into_iter().filter_map(|entry| {
            let step = Step::new(entry.migration_or_row(), action(&entry)?);
            Some(Repair { step, entry })
        });
        Self {
            resolution,
            repairs: repairs.collect(),
        }
    }

    /// Returns whether the history needs no repair.
    pub fn is_empty(&self) -> bool {
        self.repairs.is_empty()
    }

    /// Returns the repairs in the order of their execution.
    pub fn iter(&self) -> std::slice::Iter<'_, Repair> {
        self.repairs.iter()
    }

    /// Plans the repairs if the history still needs exactly them. The plan is empty if the history needs no repair any more.
    ///
    /// # Errors
    /// [`ErrorKind::Diverged`] with the differences if the history needs other repairs.
    pub(crate) fn confirm(&self, set: &MigrationSet, history: &History) -> Result<Plan> {
        let now = match self.resolution {
            None => Self::for_history(set, history),
            Some(resolution) => Self::for_in_doubt(set, history, resolution),
        };
        if now.is_empty() {
            return Ok(Plan::default());
        }
        let differences = self.differences(&now);
        if !differences.is_empty() {
            return Err(Error::new(
                ErrorKind::Diverged,
                format!(
                    "the history changed since the repair was confirmed; nothing was repaired: {}",
                    differences.join("; ")
                ),
            )
            .with_hint("run `lockage repair` again"));
        }
        Ok(Plan::from_steps(
            self.iter().map(|repair| repair.step.clone()).collect(),
        ))
    }

    fn differences(&self, now: &Self) -> Vec<String> {
        let find = |list: &[Repair], wanted: &Repair| {
            let found = list
                .iter()
                .find(|repair| repair.step.migration.key() == wanted.step.migration.key());
            found.cloned()
        };
        let changed = self.iter().filter_map(|was| match find(&now.repairs, was) {
            None => Some(format!(
                "{} was {} and needs no repair now",
                was.title(),
                was.describe()
            )),
            Some(is) if is.matches(was) => None,
            Some(is) if is.describe() == was.describe() => Some(format!(
                "{} was {} by another run",
                was.title(),
                was.describe()
            )),
            Some(is) => Some(format!(
                "{} was {} and is {}",
                was.title(),
                was.describe(),
                is.describe()
            )),
        });
        let new = now
            .iter()
            .filter(|is| find(&self.repairs, is).is_none())
            .map(|is| format!("{} is {}", is.title(), is.describe()));
        changed.chain(new).collect()
    }
}

impl Repair {
    fn title(&self) -> String {
        self.step.migration.to_string()
    }

    fn describe(&self) -> String {
        let status = self.entry.status.as_str();
        match &self.entry.row {
            Some(row) if row.statements_done < row.statements_total => {
                format!(
                    "{status} ({}/{})",
                    row.statements_done, row.statements_total
                )
            }
            _ => status.to_owned(),
        }
    }

    fn matches(&self, other: &Self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::super::test_support::{actions, row};
    use super::*;
    use crate::{HistoryRow, State};

    fn set() -> MigrationSet {
        MigrationSet::from_texts([("V1__x.sql", "a"), ("V2__x.sql", "b"), ("V4__x.sql", "c")])
            .unwrap()
    }

    /// A history with a changed file, a deleted file, a failed migration, and an unreadable version.
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
        History::new(rows)
    }

    #[test]
    fn repairs_contain_only_broken_migrations() {
        let (set, history) = (set(), broken());
        let repairs = Repairs::for_history(&set, &history);
        assert_eq!(
            actions(&repairs.confirm(&set, &history).unwrap()),
            [
                ("2".into(), Action::UpdateChecksum),
                ("3".into(), Action::DeleteRow),
                ("4".into(), Action::DeleteRow),
                ("what?".into(), Action::DeleteRow),
            ]
        );
        let in_doubt = Repairs::for_in_doubt(&set, &history, Action::ResolveNotApplied);
        assert_eq!(
            actions(&in_doubt.confirm(&set, &history).unwrap()),
            [("4".into(), Action::ResolveNotApplied)]
        );
    }

    #[test]
    fn confirm_fails_if_history_changed() {
        let (set, history) = (set(), broken());
        let confirmed = Repairs::for_history(&set, &history);
        let difference = |change: fn(&mut Vec<HistoryRow>)| {
            let mut history = history.clone();
            change(&mut history.rows);
            let error = confirmed.confirm(&set, &history).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Diverged);
            error
                .message()
                .split_once("repaired: ")
                .unwrap()
                .1
                .to_owned()
        };
        assert_eq!(
            difference(|rows| rows.push(row("2.5", State::Applied, "gone"))),
            "2.5 x is missing"
        );
        assert_eq!(
            difference(|rows| drop(rows.remove(2))),
            "3 x was missing and needs no repair now"
        );
        assert_eq!(
            difference(|rows| {
                rows[3].state = State::Running;
                (rows[3].statements_done, rows[3].statements_total) = (1, 2);
            }),
            "4 x was failed and is running (1/2)"
        );
        assert_eq!(
            difference(|rows| rows[3].run_id = "another".into()),
            "4 x was failed by another run"
        );
        let repaired = History::default();
        assert!(confirmed.confirm(&set, &repaired).unwrap().is_empty());
    }
}
