//! Steps that touch the history and no schema.

use lockage_core::{Action, Applied, Error, ErrorKind, Held, Result, State, Step};

use crate::SqlSession;
use crate::connection::Connection;
use crate::history::Entry;

impl<C: Connection> SqlSession<C> {
    pub(crate) async fn apply_to_history(&mut self, held: &Held, step: &Step) -> Result<Applied> {
        let migration = &*step.migration;
        let mut statements = vec![self.history.delete(migration)];
        match step.action {
            Action::Record => {
                let entry = Entry {
                    migration,
                    state: State::Applied,
                    duration_ms: "0".into(),
                    statements: (0, 0),
                };
                statements.push(self.history.insert(&entry));
            }
            Action::Forget => {
                if self.read_journal(migration).await?.is_some() {
                    statements.push(self.journal.clear(migration));
                }
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
        Ok(Applied::default())
    }
}
