//! The configuration of a message store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockage_core::{
    ConnectOptions, DatabaseUrl, Error, ErrorKind, Event, ForeignLocks, Interrupt, LockKey,
    LockWait, NoObserver, Observer, Registry, Result, Runner,
};

use crate::auto_create::AutoCreate;
use crate::engine::{find, migrations};
use crate::fan_out::with_tenant_name;
use crate::identity::Identity;
use crate::message_store::MessageStore;
use crate::store::Store;
use crate::table_names::check_schema;

impl MessageStore {
    /// Creates a builder with the defaults.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            tenants: Vec::new(),
            schema: None,
            identity: Identity::default(),
            dead_letter_expiry: None,
            auto_create: AutoCreate::default(),
            lock: LockKey::default(),
            lock_override: None,
            foreign_locks: ForeignLocks::none(),
            wait: LockWait::DEFAULT,
            observer: Arc::new(NoObserver),
            interrupt: Interrupt::new(),
            configure: Arc::new(|_| {}),
        }
    }
}

/// Configures the databases of a message store and their migration.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    url: String,
    tenants: Vec<(String, String)>,
    schema: Option<String>,
    identity: Identity,
    dead_letter_expiry: Option<Duration>,
    auto_create: AutoCreate,
    lock: LockKey,
    lock_override: Option<LockKey>,
    foreign_locks: ForeignLocks,
    wait: LockWait,
    observer: Arc<dyn Observer>,
    interrupt: Interrupt,
    configure: Arc<dyn Fn(&mut ConnectOptions) + Send + Sync>,
}

impl Builder {
    /// Sets the schema of the tables. A missing schema is created.
    ///
    /// The default is `lockage` on PostgreSQL and `dbo` on SQL Server. On MySQL and MariaDB a schema is a database, and the
    /// default is the database of the URL. On SQLite a name other than `main` becomes a prefix of the tables.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Sets the id of the migration lock, for the main store and every tenant. The default is 4006.
    pub fn migration_lock_id(mut self, id: i64) -> Self {
        self.lock = LockKey::id(id);
        self
    }

    /// Sets the id of the migration lock with precedence over [`migration_lock_id`](Self::migration_lock_id) and
    /// [`migration_lock`](Self::migration_lock), for the main store and every tenant. Use it to share the lock of another
    /// program that migrates the same database.
    pub fn migration_lock_id_override(mut self, id: i64) -> Self {
        self.lock_override = Some(LockKey::id(id));
        self
    }

    /// Sets the key of the migration lock: a name, for example.
    pub fn migration_lock(mut self, key: LockKey) -> Self {
        self.lock = key;
        self
    }

    /// Sets the locks of other tools that a migration also acquires.
    pub fn foreign_locks(mut self, locks: ForeignLocks) -> Self {
        self.foreign_locks = locks;
        self
    }

    /// Sets what identifies an incoming message.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Sets how long after its `sent_at` a dead letter without `expires` is kept by
    /// [`clear_expired`](MessageStore::clear_expired). By default it is kept forever.
    pub fn dead_letter_expiry(mut self, time: Duration) -> Self {
        self.dead_letter_expiry = Some(time);
        self
    }

    /// Sets what [`start`](MessageStore::start) may do to the schema.
    pub fn auto_create(mut self, mode: AutoCreate) -> Self {
        self.auto_create = mode;
        self
    }

    /// Adds a tenant with its own database. Errors of its store contain the name.
    pub fn tenant(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.tenants.push((name.into(), url.into()));
        self
    }

    /// Sets how long a migration waits for the lock, and how long [`start`](MessageStore::start) waits for another process that
    /// is creating the schema. The default is 60 seconds.
    pub fn wait(mut self, wait: LockWait) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the observer of the migrations of all stores.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Sets an interrupt that stops a change of the schema cleanly, with an error of the kind [`ErrorKind::Interrupted`].
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Changes the options of all connections: time limits, creation of the database, lock strategy. URL, schema and history
    /// table are set by the store.
    pub fn connect_options(
        mut self,
        change: impl Fn(&mut ConnectOptions) + Send + Sync + 'static,
    ) -> Self {
        self.configure = Arc::new(change);
        self
    }

    /// Creates the message store. Does not connect.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for an invalid URL, an invalid schema name, or two tenants with the same name.
    /// [`ErrorKind::UnknownBackend`] for an engine that is not compiled in.
    pub fn build(self) -> Result<MessageStore> {
        if let Some(schema) = &self.schema {
            check_schema(schema)?;
        }
        let mut stores = vec![self.build_store(None, &self.url)?];
        for (index, (name, url)) in self.tenants.iter().enumerate() {
            if self.tenants[..index].iter().any(|(other, _)| other == name) {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("two tenants have the name `{name}`"),
                ));
            }
            let store = self
                .build_store(Some(name), url)
                .map_err(|error| with_tenant_name(Some(name), error))?;
            stores.push(store);
        }
        Ok(MessageStore {
            stores,
            auto_create: self.auto_create,
            dead_letter_expiry: self.dead_letter_expiry,
        })
    }

    fn build_store(&self, tenant: Option<&str>, url: &str) -> Result<Store> {
        let url = DatabaseUrl::parse(url)?;
        let engine = find(url.scheme())?;
        let names = engine.table_names(self.schema.as_deref());
        let set = migrations(engine, self.identity, &names)?;
        let mut options = ConnectOptions::for_url(url.clone());
        (self.configure)(&mut options);
        options.url = url;
        options.schema.clone_from(&names.schema);
        options.history_table = Some(names.history());
        let registry = Registry::default().with(engine.backend())?;
        let runner = Runner::new(registry, options.clone(), set)
            .lock_key(self.effective_lock().clone())
            .foreign_locks(self.foreign_locks.clone())
            .wait(self.wait)
            .observer(SharedObserver(Arc::clone(&self.observer)))
            .interrupt(self.interrupt.clone());
        Ok(Store {
            tenant: tenant.map(str::to_owned),
            engine,
            names,
            options,
            runner,
            wait: self.wait,
        })
    }

    fn effective_lock(&self) -> &LockKey {
        self.lock_override.as_ref().unwrap_or(&self.lock)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs are omitted, because they can contain passwords.
        f.debug_struct("Builder")
            .field("schema", &self.schema)
            .field("identity", &self.identity)
            .field("auto_create", &self.auto_create)
            .field("lock", self.effective_lock())
            .finish_non_exhaustive()
    }
}

/// One observer of all stores.
struct SharedObserver(Arc<dyn Observer>);

impl Observer for SharedObserver {
    fn on_event(&self, event: &Event<'_>) {
        self.0.on_event(event);
    }
}
