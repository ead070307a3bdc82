//! Operations on rows. They do not take the migration lock.

use std::ops::Add;
use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::{CommandError, FailureCause};

use crate::counts::Counts;
use crate::fan_out::{StoreResult, collect_results, run_all};
use crate::message_store::MessageStore;
use crate::store::Store;

/// The tables that contain messages.
const MESSAGE_TABLES: [&str; 4] = [
    "incoming_envelopes",
    "outgoing_envelopes",
    "dead_letters",
    "control_queue",
];

/// The tables whose rows have an owner.
const OWNED_TABLES: [&str; 2] = ["incoming_envelopes", "outgoing_envelopes"];

/// The maximum age of a dead letter: 100 years, which the calendar of every engine can subtract from now.
const MAX_EXPIRY: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// The nodes whose messages are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// All nodes.
    All,
    /// The node with this number.
    Node(i32),
}

impl MessageStore {
    /// Counts the messages of all stores.
    ///
    /// # Errors
    /// [`ErrorKind::NotCurrent`] if a store has no message database. The error of each other store that failed is
    /// [related](Error::related).
    pub async fn counts(&self) -> Result<Counts> {
        let (main, tenants) = collect_results(self.counts_each().await)?;
        Ok(tenants
            .into_iter()
            .map(|(_, counts)| counts)
            .fold(main, Counts::add))
    }

    /// Counts the messages of each store.
    pub async fn counts_each(&self) -> Vec<StoreResult<Counts>> {
        run_all(&self.stores, |store| async move { store.counts().await }).await
    }

    /// Deletes all messages: incoming, outgoing, dead letters and the control messages between nodes. Nodes, restrictions, tenants
    /// and the schema stay.
    ///
    /// # Errors
    /// As [`counts`](Self::counts). A store that failed is unchanged.
    pub async fn clear(&self) -> Result<()> {
        collect_results(self.clear_each().await).map(drop)
    }

    /// Deletes all messages and returns the result of each store.
    pub async fn clear_each(&self) -> Vec<StoreResult<()>> {
        run_all(&self.stores, |store| async move {
            let delete = |table: &str| format!("DELETE FROM {}", store.names.table(table));
            store.write(MESSAGE_TABLES.map(delete).into()).await
        })
        .await
    }

    /// Deletes expired dead letters: those whose `expires` is in the past. With
    /// [`dead_letter_expiry`](crate::Builder::dead_letter_expiry), also those without `expires` that were sent longer ago.
    ///
    /// # Errors
    /// As [`clear`](Self::clear).
    pub async fn clear_expired(&self) -> Result<()> {
        let expiry = self.dead_letter_expiry;
        let cleared = run_all(&self.stores, move |store| async move {
            let ago = |time: Duration| store.engine.seconds_ago(time.min(MAX_EXPIRY).as_secs());
            let dead_letters = store.names.table("dead_letters");
            let mut deletes = vec![format!(
                "DELETE FROM {dead_letters} WHERE expires <= {}",
                ago(Duration::ZERO)
            )];
            deletes.extend(expiry.map(|time| {
                format!(
                    "DELETE FROM {dead_letters} WHERE expires IS NULL AND sent_at <= {}",
                    ago(time)
                )
            }));
            store.write(deletes).await
        });
        collect_results(cleared.await).map(drop)
    }

    /// Releases messages that nodes own, so that any node can claim them.
    ///
    /// # Errors
    /// As [`clear`](Self::clear).
    pub async fn release_ownership(&self, of: Ownership) -> Result<()> {
        collect_results(self.release_ownership_each(of).await).map(drop)
    }

    /// Releases messages that nodes own, and returns the result of each store.
    pub async fn release_ownership_each(&self, of: Ownership) -> Vec<StoreResult<()>> {
        run_all(&self.stores, move |store| async move {
            let owned = match of {
                Ownership::All => "owner_id <> 0".to_owned(),
                Ownership::Node(number) => format!("owner_id = {number}"),
            };
            let release = |table: &str| {
                let table = store.names.table(table);
                format!("UPDATE {table} SET owner_id = 0 WHERE {owned}")
            };
            store.write(OWNED_TABLES.map(release).into()).await
        })
        .await
    }
}

impl Store {
    async fn counts(&self) -> Result<Counts> {
        let mut row_store = self.engine.connect(&self.options).await?;
        let rows = row_store
            .read(&Counts::query(&self.names))
            .await
            .map_err(|failure| self.classify(failure))?;
        row_store.close().await?;
        Counts::parse(&rows)
    }

    /// Runs statements in one transaction, if the message database exists.
    async fn write(&self, statements: Vec<String>) -> Result<()> {
        let mut row_store = self.engine.connect(&self.options).await?;
        // Detects a missing table before the first write. On SQLite, a write would create a missing file.
        let probe = format!(
            "SELECT 1 FROM {} WHERE 1 = 0",
            self.names.table(MESSAGE_TABLES[0])
        );
        row_store
            .read(&probe)
            .await
            .map_err(|failure| self.classify(failure))?;
        row_store.write(&statements).await?;
        row_store.close().await
    }

    fn classify(&self, failure: CommandError) -> Error {
        if failure.cause != FailureCause::MissingTable {
            return failure.into();
        }
        Error::new(
            ErrorKind::NotCurrent,
            format!("no message database exists in {}", self.options.url),
        )
        .with_hint("create it with `lockage message-store migrate` or MessageStore::migrate")
        .with_source(failure.error)
    }
}
