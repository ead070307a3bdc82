//! What is done with rows, without the migration lock.

use std::ops::Add;
use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::{FailureCause, CommandError};

use crate::counts::Counts;
use crate::each::{OfStore, all};
use crate::store::{MessageStore, OneStore};

/// What is a message, or on its way to be one.
const MESSAGES: [&str; 4] = [
    "incoming_envelopes",
    "outgoing_envelopes",
    "dead_letters",
    "control_queue",
];

/// What a node may own.
const OWNED: [&str; 2] = ["incoming_envelopes", "outgoing_envelopes"];

/// Longer than anybody waits, and short enough for every engine's calendar.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Whose messages are to be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// Every node's.
    All,
    /// Those of the node with this number.
    Node(i32),
}

impl MessageStore {
    /// How many messages there are, in all stores together.
    ///
    /// # Errors
    /// [`ErrorKind::NotCurrent`] where there is no message database; one error for each store that failed.
    pub async fn counts(&self) -> Result<Counts> {
        let (main, tenants) = all(self.counts_each().await)?;
        Ok(tenants
            .into_iter()
            .map(|(_, counts)| counts)
            .fold(main, Counts::add))
    }

    /// The same, store by store.
    pub async fn counts_each(&self) -> Vec<OfStore<Counts>> {
        self.each(|store| async move { store.counts().await }).await
    }

    /// Removes every message: incoming, outgoing, dead letters, and what nodes have told each other. Nodes, restrictions and tenants
    /// stay, and so does the schema.
    ///
    /// # Errors
    /// As [`counts`](Self::counts); a store that failed has lost nothing.
    pub async fn clear(&self) -> Result<()> {
        all(self.clear_each().await).map(drop)
    }

    /// The same, with what became of each store.
    pub async fn clear_each(&self) -> Vec<OfStore<()>> {
        self.each(|store| async move {
            let delete = |table: &str| format!("DELETE FROM {}", store.place.table(table));
            store.write(MESSAGES.map(delete).into()).await
        })
        .await
    }

    /// Removes the dead letters whose time is over: those whose `expires` is past and, with
    /// [`dead_letter_expiry`](crate::Builder::dead_letter_expiry), those without one that were sent so long ago.
    ///
    /// # Errors
    /// As [`clear`](Self::clear).
    pub async fn clear_expired(&self) -> Result<()> {
        let kept = self.dead_letter_expiry;
        let cleared = self.each(move |store| async move {
            let ago = |time: Duration| store.engine.seconds_ago(time.min(LONGEST).as_secs());
            let dead_letters = store.place.table("dead_letters");
            let mut deletes = vec![format!(
                "DELETE FROM {dead_letters} WHERE expires <= {}",
                ago(Duration::ZERO)
            )];
            deletes.extend(kept.map(|time| {
                format!(
                    "DELETE FROM {dead_letters} WHERE expires IS NULL AND sent_at <= {}",
                    ago(time)
                )
            }));
            store.write(deletes).await
        });
        all(cleared.await).map(drop)
    }

    /// Gives messages up that nodes own, so that any node may take them.
    ///
    /// # Errors
    /// As [`clear`](Self::clear).
    pub async fn release_ownership(&self, of: Ownership) -> Result<()> {
        all(self.release_ownership_each(of).await).map(drop)
    }

    /// The same, with what became of each store.
    pub async fn release_ownership_each(&self, of: Ownership) -> Vec<OfStore<()>> {
        self.each(move |store| async move {
            let owned = match of {
                Ownership::All => "owner_id <> 0".to_owned(),
                Ownership::Node(number) => format!("owner_id = {number}"),
            };
            let release = |table: &str| {
                let table = store.place.table(table);
                format!("UPDATE {table} SET owner_id = 0 WHERE {owned}")
            };
            store.write(OWNED.map(release).into()).await
        })
        .await
    }
}

impl OneStore {
    async fn counts(&self) -> Result<Counts> {
        let mut records = self.engine.connect(&self.options).await?;
        let rows = records
            .read(&Counts::query(&self.place))
            .await
            .map_err(|failure| self.judge(failure))?;
        records.end().await?;
        Counts::parse(&rows)
    }

    /// Writes rows where there is a message database.
    async fn write(&self, statements: Vec<String>) -> Result<()> {
        let mut records = self.engine.connect(&self.options).await?;
        // A file that SQLite would make, or a table that is missing, is told before anything is written.
        let probe = format!(
            "SELECT 1 FROM {} WHERE 1 = 0",
            self.place.table(MESSAGES[0])
        );
        records
            .read(&probe)
            .await
            .map_err(|failure| self.judge(failure))?;
        records.write(&statements).await?;
        records.end().await
    }

    fn judge(&self, failure: CommandError) -> Error {
        if failure.cause != FailureCause::MissingTable {
            return failure.into();
        }
        Error::new(
            ErrorKind::NotCurrent,
            format!("there is no message database in {}", self.options.url),
        )
        .with_hint("`lockage message-store migrate`, or MessageStore::migrate, makes it")
        .with_source(failure.error)
    }
}
