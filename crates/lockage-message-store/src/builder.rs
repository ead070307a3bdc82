use std::sync::Arc;
use std::time::Duration;

use lockage_core::{
    ForeignLocks, ConnectOptions, DatabaseUrl, Error, ErrorKind, Event, Interrupt, LockKey, LockWait,
    NoObserver, Observer, Registry, Result, Runner,
};

use crate::auto_create::AutoCreate;
use crate::each::named;
use crate::engine::{self, migrations};
use crate::identity::Identity;
use crate::place::check_schema;
use crate::store::{MessageStore, OneStore};

/// Says where a message store is and how it is migrated.
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
    overriding: Option<LockKey>,
    align: ForeignLocks,
    wait: LockWait,
    observer: Arc<dyn Observer>,
    interrupt: Interrupt,
    connect: Arc<dyn Fn(&mut ConnectOptions) + Send + Sync>,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            tenants: Vec::new(),
            schema: None,
            identity: Identity::default(),
            dead_letter_expiry: None,
            auto_create: AutoCreate::default(),
            lock: LockKey::default(),
            overriding: None,
            align: ForeignLocks::none(),
            wait: LockWait::DEFAULT,
            observer: Arc::new(NoObserver),
            interrupt: Interrupt::new(),
            connect: Arc::new(|_| {}),
        }
    }

    /// The schema of the tables, made where it is missing. Default `lockage` on PostgreSQL, `dbo` on SQL Server. On MySQL and MariaDB a schema is a database,
    /// and the default is that of the URL; on SQLite a name other than `main` becomes a prefix of the tables.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// The lock of migrations by its id; 4006 when nothing is said. For the main store and for every tenant.
    pub fn migration_lock_id(mut self, id: i64) -> Self {
        self.lock = LockKey::id(id);
        self
    }

    /// The lock of migrations by its id, whatever [`migration_lock_id`](Self::migration_lock_id) or
    /// [`migration_lock`](Self::migration_lock) says: for whoever aligns it with a neighbour on the same database. On every engine, for the
    /// main store and for every tenant.
    pub fn override_migration_lock_id(mut self, id: i64) -> Self {
        self.overriding = Some(LockKey::id(id));
        self
    }

    /// The lock of migrations by any key: a name, say.
    pub fn migration_lock(mut self, key: LockKey) -> Self {
        self.lock = key;
        self
    }

    /// Takes the locks of other tools too, whose names are not an id of ours.
    pub fn align(mut self, align: ForeignLocks) -> Self {
        self.align = align;
        self
    }

    /// What makes an incoming message the same as another one.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// How long a dead letter without an `expires` of its own is kept, from its `sent_at` on, by
    /// [`clear_expired`](MessageStore::clear_expired). For ever when nothing is said.
    pub fn dead_letter_expiry(mut self, time: Duration) -> Self {
        self.dead_letter_expiry = Some(time);
        self
    }

    /// What [`start`](MessageStore::start) may do to the schema.
    pub fn auto_create(mut self, mode: AutoCreate) -> Self {
        self.auto_create = mode;
        self
    }

    /// A tenant with a database of its own, by a name that is told when something fails. May be said many times.
    pub fn tenant(mut self, name: impl Into<String>, url: impl Into<String>) -> Self {
        self.tenants.push((name.into(), url.into()));
        self
    }

    /// How long a migration waits for the lock, and [`start`](MessageStore::start) for what another process is making. Default 60 s.
    pub fn wait(mut self, wait: LockWait) -> Self {
        self.wait = wait;
        self
    }

    /// Tells what happens while the schema is changed, of every store.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Stops a change of the schema cleanly when asked; that is an error of the kind [`ErrorKind::Interrupted`].
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Changes how connections are opened, to the main store and to every tenant: time limits, creation of the database, the lock's
    /// strategy. URL, schema and history are the store's own.
    pub fn connect_options(
        mut self,
        change: impl Fn(&mut ConnectOptions) + Send + Sync + 'static,
    ) -> Self {
        self.connect = Arc::new(change);
        self
    }

    /// The store. Makes no connection.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a text that is no URL, no name of a schema, or a tenant that is named twice;
    /// [`ErrorKind::UnknownBackend`] for an engine that is not compiled in.
    pub fn build(self) -> Result<MessageStore> {
        if let Some(schema) = &self.schema {
            check_schema(schema)?;
        }
        let mut stores = vec![self.one(None, &self.url)?];
        for (index, (name, url)) in self.tenants.iter().enumerate() {
            if self.tenants[..index].iter().any(|(other, _)| other == name) {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("two tenants are named `{name}`"),
                ));
            }
            let store = self
                .one(Some(name), url)
                .map_err(|error| named(Some(name), error))?;
            stores.push(store);
        }
        Ok(MessageStore {
            stores,
            auto_create: self.auto_create,
            dead_letter_expiry: self.dead_letter_expiry,
        })
    }

    fn one(&self, tenant: Option<&str>, url: &str) -> Result<OneStore> {
        let url = DatabaseUrl::parse(url)?;
        let engine = engine::find(url.scheme())?;
        let place = engine.place(self.schema.as_deref());
        let set = migrations(engine, self.identity, &place)?;
        let mut options = ConnectOptions::for_url(url.clone());
        (self.connect)(&mut options);
        options.url = url;
        options.schema.clone_from(&place.schema);
        options.history_table = Some(place.history());
        let registry = Registry::default().with(engine.backend())?;
        let runner = Runner::new(registry, options.clone(), set)
            .lock_key(self.overriding.as_ref().unwrap_or(&self.lock).clone())
            .align(self.align.clone())
            .wait(self.wait)
            .observer(Shared(Arc::clone(&self.observer)))
            .interrupt(self.interrupt.clone());
        Ok(OneStore {
            tenant: tenant.map(str::to_owned),
            engine,
            place,
            options,
            runner,
            wait: self.wait,
        })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // URLs may hold passwords.
        f.debug_struct("Builder")
            .field("schema", &self.schema)
            .field("identity", &self.identity)
            .field("auto_create", &self.auto_create)
            .field("lock", self.overriding.as_ref().unwrap_or(&self.lock))
            .finish_non_exhaustive()
    }
}

/// One observer for all stores.
struct Shared(Arc<dyn Observer>);

impl Observer for Shared {
    fn on_event(&self, event: &Event<'_>) {
        self.0.on_event(event);
    }
}
