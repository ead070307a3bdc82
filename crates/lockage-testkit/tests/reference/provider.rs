use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, LockProvider, Result, async_trait};

use super::Flaw;
use super::lock::{Grip, note};
use super::session::ReferenceSession;
use super::store::lost;

/// The lock that a try has got and not yet handed over.
struct Tried {
    grip: Option<Grip>,
    leaks: bool,
}

impl Drop for Tried {
    fn drop(&mut self) {
        if let Some(grip) = self.grip.take().filter(|_| self.leaks) {
            grip.leak();
        }
    }
}

#[async_trait]
impl LockProvider for ReferenceSession {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        self.alive()?;
        if self.has_taken(key) {
            self.taken += 1;
            return Ok(true);
        }
        let file = self.lock_file(key);
        if self.has(Flaw::LooksThenTakes) {
            let free = note(&file).map_err(|error| lost(&error))?.is_none();
            tokio::time::sleep(Duration::from_millis(50)).await;
            if free
                && Grip::take(&file, &self.id, self.flaw)
                    .map_err(|error| lost(&error))?
                    .is_none()
            {
                let nothing = Grip::take(&file, &self.id, Some(Flaw::NeverLocks));
                if let Some(grip) = nothing.map_err(|error| lost(&error))? {
                    self.keep(key, grip);
                }
                return Ok(true);
            }
        }
        let mut tried = loop {
            let grip = Grip::take(&file, &self.id, self.flaw).map_err(|error| lost(&error))?;
            if grip.is_some() || !self.has(Flaw::QueuesForEver) {
                break Tried {
                    grip,
                    leaks: self.has(Flaw::LeaksATry),
                };
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        tokio::task::yield_now().await;
        let Some(grip) = tried.grip.take() else {
            return Ok(false);
        };
        self.keep(key, grip);
        self.taken = 1;
        Ok(true)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        self.alive()?;
        if self.has(Flaw::ForgetsTheLock) && self.is_firm(key) {
            self.let_go(key);
            return Ok(true);
        }
        if self.has(Flaw::HoldsMeansAnybody) {
            return Ok(note(&self.lock_file(key))
                .map_err(|error| lost(&error))?
                .is_some());
        }
        Ok(self.is_firm(key) || self.has(Flaw::HoldsFromMemory) && self.has_taken(key))
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        self.alive()?;
        if self.has(Flaw::Stacks) && self.taken > 1 {
            self.taken -= 1;
            return Ok(());
        }
        let firm = self.is_firm(key);
        let grip = self.let_go(key);
        if self.failed
            && self.has(Flaw::LeaksOnError)
            && let Some(grip) = grip
        {
            grip.leak();
        }
        if firm || self.has(Flaw::LiesOnUnlock) || self.has(Flaw::NeverLooksBack) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LockLost,
            format!("the lock {key} was not held"),
        ))
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.alive()?;
        let session = match self.flaw {
            Some(Flaw::TellsNobody) => None,
            Some(Flaw::TellsAGhost) => Some("ghost".to_owned()),
            _ => note(&self.lock_file(key)).map_err(|error| lost(&error))?,
        };
        Ok(session.map(|session| {
            let mut holder = LockHolder::default();
            holder.session = Some(session);
            holder
        }))
    }
}
