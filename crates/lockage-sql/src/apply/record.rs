//! Steps that touch the history and no schema.

use lockage_core::{Action, StepResult, Error, ErrorKind, LockProof, Result, State, Step};

use crate::SqlSession;
use crate::connection::Connection;
use crate::history::Entry;

impl<C: Connection> SqlSession<C> {
    pub(crate) async fn apply_to_history(&mut self, held: &LockProof, step: &Step) -> Result<StepResult> {
        let migration = &*step.migration;
        let journal = self.read_journal(migration).await?;
        // The statements whose end nobody saw.
        let open: Vec<u32> = journal
            .iter()
            .flatten()
            .filter(|(_, line)| !line.done)
            .map(|(statement, _)| *statement)
            .collect();
        let mut statements = Vec::new();
        match step.action {
            Action::MarkApplied => {
                statements.push(self.history.delete(migration));
                let entry = Entry {
                    migration,
                    state: State::Applied,
                    duration_ms: "0".into(),
                    statements: (0, 0),
                };
                statements.push(self.history.insert(&entry));
            }
            Action::DeleteRow => {
                statements.push(self.history.delete(migration));
                if journal.is_some() {
                    statements.push(self.journal.clear(migration));
                }
            }
            Action::UpdateChecksum => statements.push(self.history.accept(migration)),
            Action::ResolveApplied => {
                statements.extend(
                    open.into_iter()
                        .map(|statement| self.journal.settle(migration, statement)),
                );
            }
            Action::ResolveNotApplied => {
                statements.extend(
                    open.into_iter()
                        .map(|statement| self.journal.erase(migration, statement)),
                );
            }
            action => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("{action:?} is not known to this backend"),
                ));
            }
        }
        let requirements = self.requirements(held, step).await?;
        self.write(requirements, statements).await?;
        Ok(StepResult::default())
    }
}
