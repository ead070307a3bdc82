/// The capabilities of an engine. `lockage backends` prints them, and the conformance suite reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether a migration and its history row commit together, including DDL.
    pub transactional_ddl: bool,
    /// Whether the lock excludes other processes; `false` for a database inside one process.
    pub cross_process_lock: bool,
    /// A short description of the lock.
    pub lock: &'static str,
    /// A query that shows the holder of the lock to an operator.
    pub holder_query: Option<&'static str>,
}

impl Capabilities {
    /// Creates the capabilities of an engine whose lock excludes other processes.
    pub const fn new(transactional_ddl: bool, lock: &'static str) -> Self {
        Self {
            transactional_ddl,
            cross_process_lock: true,
            lock,
            holder_query: None,
        }
    }

    /// Replaces the description of the lock and removes the query.
    #[must_use]
    pub const fn with_lock(mut self, lock: &'static str) -> Self {
        self.lock = lock;
        self.holder_query = None;
        self
    }

    /// Adds the query that shows the holder.
    #[must_use]
    pub const fn with_holder_query(mut self, query: &'static str) -> Self {
        self.holder_query = Some(query);
        self
    }

    /// Declares that the database is inside one process.
    #[must_use]
    pub const fn single_process(mut self) -> Self {
        self.cross_process_lock = false;
        self
    }
}
