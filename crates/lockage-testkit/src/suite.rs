use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockage_core::{Backend, BoxFuture};

use crate::case_context::CaseContext;
use crate::{Ability, Fixture, TestError, case, format_error_chain};

/// One promise, and how it is put to the test.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    needs: &'static [Ability],
    run: for<'a> fn(&'a CaseContext) -> BoxFuture<'a, Result<(), TestError>>,
}

impl Case {
    pub(crate) const fn new(
        name: &'static str,
        needs: &'static [Ability],
        run: for<'a> fn(&'a CaseContext) -> BoxFuture<'a, Result<(), TestError>>,
    ) -> Self {
        Self { name, needs, run }
    }

    /// Its name: `lock::exclusive_while_held_and_free_after_release`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it needs beyond [`Ability::Engine`].
    pub fn needs(&self) -> &'static [Ability] {
        self.needs
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The suite as a value, for whoever wants to change its numbers or run its cases by hand.
/// [`conformance`](crate::conformance) is the short way.
#[derive(Clone)]
pub struct Suite {
    pub(crate) backend: Backend,
    pub(crate) fixture: Arc<dyn Fixture>,
    pub(crate) deadline: Duration,
    pub(crate) processes: usize,
}

impl Suite {
    /// The suite for a backend: 16 processes, 60 seconds for each wait.
    pub fn new(backend: Backend, fixture: impl Fixture) -> Self {
        Self {
            backend,
            fixture: Arc::new(fixture),
            deadline: Duration::from_secs(60),
            processes: 16,
        }
    }

    /// Gives each wait another time. A case fails when one is over, and says what it waited for.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Races with so many tasks and processes, at least two.
    #[must_use]
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes.max(2);
        self
    }

    /// All cases, in the order in which they are listed.
    pub fn cases() -> impl Iterator<Item = &'static Case> {
        case::ALL.iter().copied().flatten()
    }

    /// Why a case cannot run here; `None` when it can.
    pub fn unsupported(&self, case: &Case) -> Option<String> {
        let can = self.backend.capabilities();
        std::iter::once(&Ability::Engine)
            .chain(case.needs)
            .find_map(|need| match ability {
                Ability::Processes => {
                    (!can.cross_process_lock).then(|| "its lock lives in one process".into())
                }
                Ability::TransactionalDdl => {
                    (!can.transactional_ddl).then(|| "its DDL is not transactional".into())
                }
                need => self.fixture.unsupported(*need),
            })
    }

    /// Runs one case in a database of its own, which is removed afterwards, whatever happened. Needs a multi-threaded tokio
    /// runtime.
    ///
    /// # Errors
    /// What the backend did wrong, or what kept the case from finding out.
    pub async fn run(&self, case: &Case) -> Result<(), TestError> {
        let url = self
            .with_timeout("a fresh database", self.fixture.create_database())
            .await?;
        let context = Arc::new(CaseContext::new(self.clone(), url.clone())?);
        let mut work = tokio::spawn({
            let (run, context) = (case.run, Arc::clone(&context));
            async move { run(&context).await }
        });
        // Each wait of a case has its own deadline; this one is for a call that nobody foresaw would hang.
        let done = match tokio::time::timeout(self.deadline * 4, &mut work).await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => Err(panic.into()),
            Err(_) => {
                work.abort();
                let _ = work.await;
                Err(format!("the case was not over within {:?}", self.deadline * 4).into())
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
        what: &str,
        work: impl Future<Output = Result<T, TestError>>,
    ) -> Result<T, TestError> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(format!("{what}: {}", format_error_chain(&*failure)).into()),
            Err(_) => Err(format!("{what}: not within {:?}", self.deadline).into()),
        }
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("backend", &self.backend)
            .field("deadline", &self.deadline)
            .field("processes", &self.processes)
            .finish_non_exhaustive()
    }
}
