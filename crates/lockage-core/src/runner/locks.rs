//! Looking at locks, and ending whoever holds ours.

use std::time::Duration;

use super::Runner;
use super::look::end;
use crate::lock::Patience;
use crate::{
    Error, ErrorKind, ForeignLocks, LockHolder, LockKey, LockWait, Result, Tool, Unlocked,
};

/// A neighbour of this database.
#[derive(Debug)]
#[non_exhaustive]
pub struct ForeignLockStatus {
    /// The tool, where it is one that is known.
    pub tool: Option<Tool>,
    /// Its lock, or why that cannot be taken.
    pub lock: Result<LockKey>,
    /// Whether a run of this runner takes it.
    pub taken: bool,
    /// Who holds it.
    pub holder: Option<LockHolder>,
}

impl Runner {
    /// Who holds the lock; `None` when nobody does.
    pub async fn lock_holder(&self) -> Result<Option<LockHolder>> {
        let mut session = self.open().await?;
        let holder = self.or_interrupted(session.holder(&self.key)).await?;
        end(session).await?;
        Ok(holder)
    }

    /// The locks of the neighbours: of those that this runner aligns itself with, and of those whose tables are found in the database.
    pub async fn foreign_lock_status(&self) -> Result<Vec<ForeignLockStatus>> {
        let mut session = self.open().await?;
        let found = self
            .or_interrupted(self.read_foreign_locks(&mut session))
            .await?;
        end(session).await?;
        Ok(found)
    }

    async fn read_foreign_locks(&self, session: &mut Unlocked) -> Result<Vec<ForeignLockStatus>> {
        let everybody = self
            .align
            .named()
            .iter()
            .cloned()
            .fold(ForeignLocks::auto(), ForeignLocks::with);
        let named = session.neighbours(&self.align).await?.locks;
        let all = session.neighbours(&everybody).await?;
        let mut found = Vec::new();
        for lock in all.locks {
            found.push(ForeignLockStatus {
                tool: lock.tool(),
                taken: named.contains(&lock) || session.is_same_lock(&lock, &self.key),
                holder: session.holder(&lock).await?,
                lock: Ok(lock),
            });
        }
        found.extend(
            all.left_out
                .into_iter()
                .map(|(tool, reason)| ForeignLockStatus {
                    tool: Some(tool),
                    lock: Err(reason),
                    taken: false,
                    holder: None,
                }),
        );
        Ok(found)
    }

    /// Ends, on the server, the session that holds the lock, as long as it is the one that [`lock_holder`](Self::lock_holder) told, and
    /// waits until it holds the lock no more.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], with what an administrator can do, where this user or this engine cannot;
    /// [`ErrorKind::LockTimeout`] when the session was ended and still holds the lock at the end of `patience`.
    pub async fn terminate_holder(&self, holder: &LockHolder, patience: Duration) -> Result<()> {
        let mut session = self.open().await?;
        let work = self.end_and_wait(&mut session, holder, patience);
        self.or_interrupted(work).await?;
        end(session).await
    }

    async fn end_and_wait(
        &self,
        session: &mut Unlocked,
        holder: &LockHolder,
        limit: Duration,
    ) -> Result<()> {
        session.terminate_holder(&self.key, holder).await?;
        let mut patience = Patience::new(LockWait::For(limit));
        while session
            .holder(&self.key)
            .await?
            .is_some_and(|now| now.session == holder.session)
        {
            if patience.is_over() {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    format!(
                        "the server was asked to end the holder of the lock {}, and it has not done so within {:.1} s: {holder}",
                        self.key,
                        patience.waited().as_secs_f64()
                    ),
                )
                .with_hint("a statement that cannot be broken off holds it up; look at it on the server"));
            }
            tokio::time::sleep(patience.next_pause()).await;
        }
        Ok(())
    }
}
