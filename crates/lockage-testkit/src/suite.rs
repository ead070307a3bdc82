use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockage_core::{Backend, BoxFuture};

use crate::scene::Scene;
use crate::{Failure, Fixture, Need, case, told};

/// One promise, and how it is put to the test.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    needs: &'static [Need],
    run: for<'a> fn(&'a Scene) -> BoxFuture<'a, Result<(), Failure>>,
}

impl Case {
    pub(crate) const fn new(
        name: &'static str,
        needs: &'static [Need],
        run: for<'a> fn(&'a Scene) -> BoxFuture<'a, Result<(), Failure>>,
    ) -> Self {
        Self { name, needs, run }
    }

    /// Its name: `lock::exclusive_while_held_and_free_after_release`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it needs beyond [`Need::Engine`].
    pub fn needs(&self) -> &'static [Need] {
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
    pub(crate) replicas: usize,
}

impl Suite {
    /// The suite for a backend: 16 replicas, 60 seconds for each wait.
    pub fn new(backend: Backend, fixture: impl Fixture) -> Self {
        Self {
            backend,
            fixture: Arc::new(fixture),
            deadline: Duration::from_secs(60),
            replicas: 16,
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
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas.max(2);
        self
    }

    /// All cases, in the order in which they are listed.
    pub fn cases() -> impl Iterator<Item = &'static Case> {
        case::ALL.iter().copied().flatten()
    }

    /// Why a case cannot run here; `None` when it can.
    pub fn lacks(&self, case: &Case) -> Option<String> {
        let can = self.backend.capabilities();
        std::iter::once(&Need::Engine)
            .chain(case.needs)
            .find_map(|need| match need {
                Need::Processes => {
                    (!can.cross_process_lock).then(|| "its lock lives in one process".into())
                }
                Need::TransactionalDdl => {
                    (!can.transactional_ddl).then(|| "its DDL is not transactional".into())
                }
                need => self.fixture.lacks(*need),
            })
    }

    /// Runs one case in a database of its own, which is removed afterwards, whatever happened. Needs a multi-threaded tokio
    /// runtime.
    ///
    /// # Errors
    /// What the backend did wrong, or what kept the case from finding out.
    pub async fn run(&self, case: &Case) -> Result<(), Failure> {
        let url = self
            .bounded("a fresh database", self.fixture.create_database())
            .await?;
        let scene = Arc::new(Scene::new(self.clone(), url.clone())?);
        let mut work = tokio::spawn({
            let (run, scene) = (case.run, Arc::clone(&scene));
            async move { run(&scene).await }
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
        drop(scene);
        let dropped = self
            .bounded("removing the database", self.fixture.drop_database(&url))
            .await;
        done.and(dropped)
    }

    async fn bounded<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(format!("{what}: {}", told(&*failure)).into()),
            Err(_) => Err(format!("{what}: not within {:?}", self.deadline).into()),
        }
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("backend", &self.backend)
            .field("deadline", &self.deadline)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
