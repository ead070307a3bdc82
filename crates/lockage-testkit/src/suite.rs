use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockage_core::Backend;

use crate::Fixture;

/// The conformance suite of a backend with its settings. [`conformance`](crate::conformance) runs it with the defaults.
#[derive(Clone)]
pub struct Suite {
    pub(crate) backend: Backend,
    pub(crate) fixture: Arc<dyn Fixture>,
    pub(crate) timeout: Duration,
    pub(crate) processes: usize,
}

impl Suite {
    /// Creates the suite of a backend: 16 processes in a race, and a timeout of 60 seconds for each wait.
    pub fn new(backend: Backend, fixture: impl Fixture) -> Self {
        Self {
            backend,
            fixture: Arc::new(fixture),
            timeout: Duration::from_secs(60),
            processes: 16,
        }
    }

    /// Sets the timeout of each wait. A case whose wait times out fails and reports what it waited for.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the number of tasks or processes in a race. The minimum is two.
    #[must_use]
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes.max(2);
        self
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("backend", &self.backend)
            .field("timeout", &self.timeout)
            .field("processes", &self.processes)
            .finish_non_exhaustive()
    }
}
