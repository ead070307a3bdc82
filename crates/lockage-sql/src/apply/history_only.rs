//! Steps that change history and journal rows and run no script.

use lockage_core::{Action, Error, ErrorKind, LockProof, Result, State, Step, StepResult};

use crate::session::{SqlConnection, SqlSession};
use crate::tables::history::HistoryWrite;

impl<C: SqlConnection> SqlSession<C> {
    pub(crate) async fn apply_to_history(
        &mut self,
        proof: &LockProof,
        step: &Step,
    ) -> Result<StepResult> {
        let migration = &*step.migration;
        let journal = self.read_journal(migration).await?;
        let in_doubt = journal
            .iter()
            .flatten()
            .filter(|(_, row)| !row.done)
            .map(|(statement, _)| *statement);
        let statements: Vec<String> = match step.action {
            Action::MarkApplied => {
                let row = HistoryWrite {
                    migration,
                    state: State::Applied,
                    duration_ms: "0".into(),
                    statements: (0, 0),
                };
                vec![
                    self.history.delete_sql(migration),
                    self.history.insert_sql(&row),
                ]
            }
            Action::DeleteRow => {
                let mut statements = vec![self.history.delete_sql(migration)];
                if journal.is_some() {
                    statements.push(self.journal.clear_sql(migration));
                }
                statements
            }
            Action::UpdateChecksum => vec![self.history.update_checksum_sql(migration)],
            Action::ResolveApplied => in_doubt
                .map(|statement| self.journal.resolve_applied_sql(migration, statement))
                .collect(),
            Action::ResolveNotApplied => in_doubt
                .map(|statement| self.journal.delete_sql(migration, statement))
                .collect(),
            action => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("this backend does not know the action {action:?}"),
                ));
            }
        };
        let assertions = self.assertions(proof, step).await?;
        self.write_in_transaction(assertions, statements).await?;
        Ok(StepResult::default())
    }
}
