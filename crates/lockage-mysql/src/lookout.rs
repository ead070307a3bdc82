//! Whether a server that owes an answer is still there. The driver leaves the time-outs of TCP as they are: without this, whoever waits
//! for a host that vanished waits for a quarter of an hour.

use std::time::Duration;

use lockage_core::BoxFuture;

use crate::connect::{Gangway, Glimpse};
use crate::dialect::literal;
use crate::facts::{self, Facts, Identity};
use crate::wire::Wire;

/// How long an answer is waited for before the server is looked for, and between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// How long a server may take to answer a look before its host is looked for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks for a server over another connection.
#[derive(Debug)]
pub(crate) struct Lookout {
    gangway: Gangway,
    identity: Identity,
    /// The number of the session that is waited for.
    connection: u64,
}

/// What a look shows.
enum Sight {
    /// The session stands.
    Session,
    /// The server is there, and the session is not.
    NoSession,
    /// Somebody answers; nothing more is known.
    Host,
    /// Nobody answers.
    Nobody,
}

impl Lookout {
    pub(crate) fn new(gangway: &Gangway, facts: &Facts) -> Self {
        Self {
            gangway: gangway.clone(),
            identity: facts.identity.clone(),
            connection: facts.connection,
        }
    }

    /// Ready when no answer can come any more: the host is gone, or the session that was seen there has ended without a word.
    pub(crate) async fn out_of_sight(&self) -> &'static str {
        if !self.gangway.is_remote() {
            // The kernel tells.
            return std::future::pending().await;
        }
        let mut wire = None;
        let (mut seen, mut missed) = (false, false);
        loop {
            tokio::time::sleep(EVERY).await;
            match self.boxed_look(&mut wire).await {
                Sight::Session => (seen, missed) = (true, false),
                // Twice, since an answer and the end may be under way.
                Sight::NoSession if seen && missed => {
                    return "the session has ended on the server without a word";
                }
                Sight::NoSession => missed = true,
                Sight::Host => {}
                Sight::Nobody => return "the server is not to be reached any more",
            }
        }
    }

    /// In a box, since a look is a call that is looked after, too.
    fn boxed_look<'a>(&'a self, wire: &'a mut Option<Wire>) -> BoxFuture<'a, Sight> {
        Box::pin(self.look(wire))
    }

    async fn look(&self, wire: &mut Option<Wire>) -> Sight {
        if wire.is_none() {
            match self.gangway.glimpse(EVERY).await {
                Glimpse::Open(opened) => *wire = Some(*opened),
                Glimpse::Refused => return Sight::Host,
                Glimpse::Nothing => return self.knock().await,
            }
        }
        let Some(open) = wire else { return Sight::Host };
        match tokio::time::timeout(PATIENCE, self.ask(open)).await {
            Ok(Ok(sight)) => sight,
            // A server with much to do is slow to answer; its host is not.
            Ok(Err(_)) | Err(_) => {
                *wire = None;
                self.knock().await
            }
        }
    }

    async fn ask(&self, wire: &mut Wire) -> Result<Sight, crate::wire::Broken> {
        let sql = format!(
            "{}; SELECT ID FROM information_schema.PROCESSLIST WHERE ID = {}",
            facts::IDENTITY,
            literal(&self.connection.to_string())
        );
        let sets = wire.run(&sql).await?;
        Ok(match &sets[..] {
            [variables, _] if facts::identity(variables) != self.identity => Sight::Host,
            [_, sessions] if sessions.is_empty() => Sight::NoSession,
            [_, _] => Sight::Session,
            _ => Sight::Host,
        })
    }

    async fn knock(&self) -> Sight {
        if self.gangway.is_answered().await {
            Sight::Host
        } else {
            Sight::Nobody
        }
    }
}
