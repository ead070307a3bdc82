//! Runs the cases of a suite.

use std::sync::Arc;

use crate::case::ALL;
use crate::case_context::CaseContext;
use crate::{Ability, Case, Suite, TestError, format_error_chain};

impl Suite {
    /// Returns all cases, in the order of the list.
    pub fn cases() -> impl Iterator<Item = &'static Case> {
        ALL.iter().copied().flatten()
    }

    /// Returns the reason why a case cannot run here, or `None` if it can.
    pub fn unsupported(&self, case: &Case) -> Option<String> {
        let capabilities = self.backend.capabilities();
        std::iter::once(&Ability::Engine)
            .chain(case.needs())
            .find_map(|ability| match ability {
                Ability::Processes => (!capabilities.cross_process_lock)
                    .then(|| "its lock excludes only within one process".into()),
                Ability::TransactionalDdl => {
                    (!capabilities.transactional_ddl).then(|| "its DDL is not transactional".into())
                }
                ability => self.fixture.unsupported(*ability),
            })
    }

    /// Runs a case in a new database and removes the database afterwards, also if the case fails. Requires a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// Fails if the backend breaks the guarantee, or if the case cannot find out.
    pub async fn run(&self, case: &Case) -> Result<(), TestError> {
        let url = self
            .with_timeout("creating the database", self.fixture.create_database())
            .await?;
        let context = Arc::new(CaseContext::new(self.clone(), url.clone())?);
        let mut task = tokio::spawn({
            let (run, context) = (case.run, Arc::clone(&context));
            async move { run(&context).await }
        });
        // Each wait of a case has a timeout of its own. This one stops calls without a timeout.
        let timeout = self.timeout * 4;
        let done = match tokio::time::timeout(timeout, &mut task).await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => Err(panic.into()),
            Err(_) => {
                task.abort();
                let _ = task.await;
                Err(format!("the case did not end within {timeout:?}").into())
            }
        };
        drop(context);
        let dropped = self
            .with_timeout("removing the database", self.fixture.drop_database(&url))
            .await;
        done.and(dropped)
    }

    async fn with_timeout<T>(
        &self,
        action: &str,
        work: impl Future<Output = Result<T, TestError>>,
    ) -> Result<T, TestError> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(format!("{action}: {}", format_error_chain(&*error)).into()),
            Err(_) => Err(format!("{action}: not within {:?}", self.timeout).into()),
        }
    }
}
