use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lockage_core::{
    Canceller, ConnectOptions, Error, ErrorKind, LockHolder, LockKey, LockStrategy, Migration,
    Result,
};
use lockage_sql::{
    Connection, Dialect, CommandError, HISTORY_TABLE, StatementMode, Notice, Command, Row, Resolution, MigrationContext,
    double_quoted,
};

use crate::address::Address;
use crate::application;
use crate::bare;
use crate::connect;
use crate::dialect::{DIALECT, literal};
use crate::error;
use crate::holder;
use crate::home;
use crate::key;
use crate::link::Link;
use crate::marked::Marked;
use crate::pooler::Way;
use crate::settings::{self, Settings};
use crate::standing::Standing;
use crate::tls::Tls;

/// How often what is ours is tried when requests to cancel hit it that were under way.
const TRIES: u32 = 4;

/// A session: one connection, never pooled by us.
#[derive(Debug)]
pub(crate) struct PostgresConnection {
    pub(crate) link: Link,
    pub(crate) address: Address,
    pub(crate) tls: Tls,
    /// Whether something stands between us and the server.
    pub(crate) way: Way,
    /// What is set for the session before it locks.
    pub(crate) settings: Settings,
    /// Whether it is set.
    pub(crate) is_set: bool,
    pub(crate) schema: Option<String>,
    /// The name of the history's table.
    history: String,
    /// What `lock_timeout` was last set to by us, in milliseconds; 0 for not at all.
    lock_timeout: AtomicU32,
    /// Whether the lock is a row in a table.
    pub(crate) is_leased: bool,
    /// Our session on the server, where the lock is a row and the session ours alone.
    pub(crate) standing: Option<Standing>,
    /// Whether some may lock by a row in a table.
    pub(crate) must_check_table_lock: bool,
    /// The path that leads to the schema of the options, where the session is not ours alone.
    pub(crate) search_path: Option<String>,
    /// `application_name` of the migration in hand, until its first statements are sent.
    name: Mutex<Option<String>>,
    /// What is set in each transaction, where the session is not ours alone.
    for_now: Mutex<Vec<String>>,
}

impl PostgresConnection {
    pub(crate) fn new(link: Link, address: Address, tls: Tls, options: &ConnectOptions) -> Self {
        let settings = settings::of_session(link.parameters().version);
        let way = Way::Unknown;
        Self {
            link,
            address,
            tls,
            way,
            settings,
            is_set: false,
            schema: options.schema.clone(),
            history: options
                .history_table
                .clone()
                .unwrap_or_else(|| HISTORY_TABLE.to_owned()),
            lock_timeout: AtomicU32::new(0),
            is_leased: false,
            standing: None,
            must_check_table_lock: true,
            search_path: None,
            name: Mutex::default(),
            for_now: Mutex::default(),
        }
    }

    /// The role that the URL names.
    fn role(&self) -> Option<&str> {
        self.address.role.as_deref()
    }

    pub(crate) fn lock_timeout(&self) -> Option<u32> {
        Some(self.lock_timeout.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// Runs what is ours alone. A request to cancel is meant for a statement of a script: were it to hit the row that says what became of
    /// that, nobody would know.
    async fn run_own(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let canceller = Arc::clone(self.link.canceller());
        let _untouched = canceller.hold_off();
        for _ in 1..TRIES {
            match self.link.run(pieces, done).await {
                // It was under way before.
                Err(failure) if error::is_cancelled(&failure.error) => {
                    self.link
                        .run(&[Command::Internal(DIALECT.rollback.into())], &mut |_| {})
                        .await?;
                }
                ran => return ran,
            }
        }
        self.link.run(pieces, done).await
    }

    /// Runs statements of a script.
    async fn run_script(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let name = self.name.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(marked) = name.take().and_then(|name| Marked::new(pieces, &name)) else {
            return self.link.run(pieces, done).await;
        };
        let mut tell = |through| marked.tell(through, done);
        let outcome = self.link.run(&marked.pieces, &mut tell).await;
        outcome.map_err(|failure| marked.in_its_place(failure))
    }

    /// The first value of the first row.
    pub(crate) async fn value(&mut self, sql: &str) -> Result<Option<String>> {
        let rows = self.link.query(sql).await?;
        Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten()))
    }
}

#[async_trait]
impl Connection for PostgresConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        self.address
            .config
            .get_user()
            .or(self.link.parameters().user.as_deref())
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        self.link.query(sql).await
    }

    async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        if pieces.is_empty() {
            return Ok(());
        }
        for (index, piece) in pieces.iter().enumerate() {
            if let Command::Script(script) = piece
                && bare::copies_to_client(script)
            {
                return Err(CommandError::new(index, copies_to_client()));
            }
        }
        if pieces.iter().any(|piece| matches!(piece, Command::Script(_))) {
            return self.run_script(pieces, done).await;
        }
        match pieces {
            // It commits by itself, in a session for which nothing can be set.
            [Command::Internal(sql)] if self.way == Way::Shared && *sql != DIALECT.rollback => {
                let first = Command::Internal("SET TRANSACTION READ WRITE".into());
                self.run_own(&[first, pieces[0].clone()], done).await
            }
            pieces => self.run_own(pieces, done).await,
        }
    }

    async fn run_autocommit(&mut self, statement: &str) -> Result<(), CommandError> {
        self.run_alone(statement).await
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        self.link.take_notices()
    }

    async fn history_schema(&mut self) -> Result<Option<String>> {
        let look = home::look(&self.history);
        match self.value(&look).await? {
            Some(schema) => Ok(Some(schema)),
            None => Err(home::nowhere()),
        }
    }

    async fn check_history_absent(&mut self, schema: Option<&str>) -> Result<()> {
        if schema.is_some() {
            // The server itself says so where that schema must not be entered.
            return Ok(());
        }
        let look = home::look_for_hidden(&self.history);
        home::check_history_absent(self.link.query(&look).await?, &self.history)
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        let look = format!(
            "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {}",
            literal(schema)
        );
        if self.value(&look).await?.is_some() {
            return Ok(());
        }
        let create = Command::Internal(format!("CREATE SCHEMA {}", double_quoted(schema)).into());
        match self.run(&[create], &mut |_| {}).await {
            Ok(()) => Ok(()),
            // Somebody else, who does not take our lock, made it meanwhile.
            Err(failure) if self.value(&look).await?.is_none() => Err(failure.into()),
            Err(_) => Ok(()),
        }
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(key::is_ours(key))
    }

    fn prepare(&self, work: &MigrationContext<'_>) -> Vec<String> {
        let limit = |limit: Option<_>| limit.map_or(0, settings::milliseconds);
        let lock_timeout = limit(work.ddl_lock_timeout);
        let shared = self.way == Way::Shared;
        let mut settings = match shared {
            true => Vec::new(),
            false => self.settings.clone(),
        };
        settings.push((
            "statement_timeout",
            limit(work.statement_timeout).to_string(),
        ));
        let name = application::name(self.address.application.as_deref(), Some(work.migration));
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
        settings.push(("application_name", name));
        if lock_timeout > 0 {
            settings.push(("lock_timeout", lock_timeout.to_string()));
        }
        if shared {
            *self.for_now.lock().unwrap_or_else(PoisonError::into_inner) =
                settings::for_now(&settings, self.search_path.as_deref());
            return Vec::new();
        }
        self.lock_timeout.store(lock_timeout, Ordering::Relaxed);
        settings::start_afresh(&settings, self.schema.as_deref(), self.role())
    }

    fn within(&self) -> Vec<String> {
        // A lease is renewed while the transaction runs: one that sees only what was there at its start could not end.
        let level = self
            .is_leased
            .then(|| "SET TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned());
        let for_now = self.for_now.lock().unwrap_or_else(PoisonError::into_inner);
        level.into_iter().chain(for_now.iter().cloned()).collect()
    }

    fn after_begin(&self) -> Vec<String> {
        let for_now = self.for_now.lock().unwrap_or_else(PoisonError::into_inner);
        for_now.clone()
    }

    fn before_commit(&self, _migration: &Migration) -> Vec<Command<'static>> {
        let statements = match self.way {
            Way::Shared => settings::as_found(),
            _ => settings::as_ourselves(self.role()),
        };
        statements
            .into_iter()
            .map(|statement| Command::Internal(statement.into()))
            .collect()
    }

    fn before_bookkeeping(&self) -> Vec<String> {
        match self.way {
            Way::Shared => settings::as_found(),
            _ => settings::as_ourselves_for_now(self.role()),
        }
    }

    fn after_session_setting(&self, statement: &str) -> Vec<String> {
        if bare::resets_all(&bare::words(statement)) && !self.settings.is_empty() {
            vec![settings::set(&self.settings)]
        } else {
            Vec::new()
        }
    }

    fn allows_transaction(&self, statement: &str) -> bool {
        !bare::stands_alone(statement)
    }

    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        let alone = bare::stands_alone(statement);
        let sets = !alone && bare::is_for_session(&bare::words(statement));
        if self.way == Way::Shared {
            if sets {
                return Err(not_ours_alone(
                    "what a statement sets for the session does not reach the next statement",
                ));
            }
            if alone && self.schema.is_some() {
                return Err(not_ours_alone(
                    "a statement that no transaction may hold cannot be led to the schema of the options",
                ));
            }
        }
        Ok(match (alone, sets) {
            (true, _) => StatementMode::Autocommit { before: None },
            (_, true) => StatementMode::SessionSetting,
            _ => StatementMode::WithJournal,
        })
    }

    fn default_lock_strategy(&self) -> LockStrategy {
        match self.way {
            Way::Shared => LockStrategy::Table,
            _ => LockStrategy::Advisory,
        }
    }

    async fn prepare_table_lock(&mut self) -> Result<()> {
        self.take_stand().await
    }

    fn must_check_table_lock(&self) -> bool {
        self.must_check_table_lock
    }

    async fn native_lock_held_by_other(&mut self, key: &LockKey) -> Result<bool> {
        let held = self.value(&format!("SELECT {}", key::is_held(key))).await?;
        Ok(held.as_deref() == Some("t"))
    }

    async fn enrich_holder(&mut self, holder: &mut LockHolder) {
        let session = holder.session.as_ref().and_then(|pid| pid.parse().ok());
        let look = holder::look_at_session(session);
        // A courtesy: without it the row tells what it tells. Of several nobody knows which it is.
        let rows = self.link.query(&look).await.unwrap_or_default();
        if let Ok([row]) = <[Row; 1]>::try_from(rows) {
            let seen = holder::read(row);
            holder.migration = seen.migration;
            holder.statement = seen.statement;
            holder.progress = seen.progress;
        }
    }

    async fn end_holder(&mut self, session: &str, since: Option<&str>) -> Result<bool> {
        self.end_standing(session, since).await
    }

    fn ending(&self, session: &str) -> Option<String> {
        let pid: i32 = session.parse().ok()?;
        Some(format!("SELECT pg_terminate_backend({pid})"))
    }

    fn session_id(&self) -> Option<String> {
        self.standing
            .as_ref()
            .map(|standing| standing.pid.to_string())
    }

    fn session_exists_sql(&self) -> Option<String> {
        self.standing.as_ref().map(Standing::condition)
    }

    async fn open_sibling(&mut self) -> Result<Box<dyn Connection>> {
        let mut link = connect::open_again(&self.address, &self.tls).await?;
        if self.way != Way::Shared {
            link.query(&settings::set(&self.settings)).await?;
        }
        Ok(Box::new(Self {
            link,
            address: self.address.clone(),
            tls: self.tls.clone(),
            way: self.way,
            settings: self.settings.clone(),
            is_set: true,
            schema: self.schema.clone(),
            history: self.history.clone(),
            lock_timeout: AtomicU32::new(0),
            is_leased: true,
            standing: None,
            must_check_table_lock: true,
            search_path: None,
            name: Mutex::default(),
            for_now: Mutex::default(),
        }))
    }

    async fn settle(&mut self, statement: &str) -> Result<Resolution> {
        self.settle_alone(statement).await
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::clone(self.link.canceller()) as Arc<dyn Canceller>
    }

    async fn close(self) -> Result<()> {
        self.link.close().await;
        Ok(())
    }
}

fn not_ours_alone(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("behind a pooler that keeps no session for a client, {what}"),
    )
    .with_hint(
        "write BEGIN, SET LOCAL … and COMMIT, or name the schema in the statement; or connect to PostgreSQL itself or through session pooling",
    )
}

pub(crate) fn copies_to_client() -> Error {
    Error::new(
        ErrorKind::InvalidMigration,
        "COPY … TO STDOUT in a migration: there is nobody to take the rows",
    )
    .with_hint("take the statement out")
}
