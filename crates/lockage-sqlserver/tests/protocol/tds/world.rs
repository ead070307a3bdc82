//! What the server remembers.

use std::collections::{HashMap, HashSet, VecDeque};

use super::statement::{inserted, refused_piece, removed_version, resource};
use super::token::{done, envelope, error, rows};

/// A row of the history.
pub(crate) type Row = Vec<Option<String>>;

/// What a batch gets.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Tokens(Vec<u8>),
    /// Nothing, until the client says that it does not want it any more.
    Silence,
    /// The connection ends.
    HangUp,
}

/// All that sessions share.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The holder of each lock.
    pub(crate) holders: HashMap<String, u32>,
    /// The rows; `None` while there is no such table.
    pub(crate) history: Option<Vec<Row>>,
    /// Every batch that came, and in which session.
    pub(crate) heard: Vec<(u32, String)>,
    pub(crate) attentions: u32,
    /// How the next requests for a lock are answered; as they should be when there is none.
    pub(crate) codes: VecDeque<Option<&'static str>>,
    /// What takes the place of an answer to the next request for a lock.
    pub(crate) lock_error: Option<Vec<u8>>,
    /// Whether a lock that was granted is not to be had.
    pub(crate) forgetful: bool,
    /// How the next logins are refused.
    pub(crate) refusals: VecDeque<Vec<u8>>,
    pub(crate) logins: u32,
    /// What batches of scripts get: the next answer to those that hold a text.
    pub(crate) answers: Vec<(&'static str, Reply)>,
    sessions: u32,
    ended: HashSet<u32>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    number: u32,
    /// What the transaction has made of the history.
    open: Option<Option<Vec<Row>>>,
}

impl World {
    /// What scripts, and nothing of ours, had the server run.
    pub(crate) fn scripts(&self) -> Vec<&str> {
        let ours = |text: &str| {
            text.contains("@@TRANCOUNT") || text.contains("APPLOCK") || text.contains("lockage_")
        };
        let texts = self.heard.iter().map(|(_, text)| text.as_str());
        texts
            .filter(|text| !ours(text) && !text.contains("DB_NAME()"))
            .collect()
    }

    pub(crate) fn applied(&self) -> Vec<&str> {
        let rows = self.history.iter().flatten();
        rows.filter_map(|row| row[0].as_deref()).collect()
    }

    pub(crate) fn has_ended(&self, session: u32) -> bool {
        self.ended.contains(&session)
    }

    pub(super) fn log_in(&mut self) -> Option<Vec<u8>> {
        self.logins += 1;
        self.refusals.pop_front()
    }

    pub(super) fn begin_session(&mut self) -> Session {
        self.sessions += 1;
        Session {
            number: self.sessions,
            open: None,
        }
    }

    /// Whatever it held is free, whatever it had not committed is gone.
    pub(super) fn end_session(&mut self, session: &Session) {
        self.holders.retain(|_, holder| *holder != session.number);
        self.ended.insert(session.number);
    }

    pub(super) fn hear(&mut self, session: &mut Session, text: &str) -> Reply {
        self.heard.push((session.number, text.to_owned()));
        if let Some(index) = self
            .answers
            .iter()
            .position(|(part, _)| text.contains(part))
        {
            let (_, reply) = self.answers.remove(index);
            return reply;
        }
        let mut out = Vec::new();
        if text.contains("SERVERPROPERTY('Babelfish')") {
            let facts = [
                session.number.to_string(),
                "shop".into(),
                "16.0.1000.6".into(),
            ];
            let mut facts: Row = facts.map(Some).into();
            facts.push(None);
            out.extend(rows(&[facts], 4));
        }
        out.extend(self.answer(session, text));
        Reply::Tokens(out)
    }

    fn answer(&mut self, session: &mut Session, text: &str) -> Vec<u8> {
        let failed = |number, text: &str| [error(number, text, 1), done(2)].concat();
        let one = |row: &[Option<&str>]| [rows(&[row.to_vec()], row.len()), done(0)].concat();
        if text.contains("sp_getapplock") {
            if let Some(error) = self.lock_error.take() {
                return [error, done(2)].concat();
            }
            let (code, mode) = self.request(session.number, &resource(text));
            return one(&[code, Some(mode)]);
        }
        if text.contains("sp_releaseapplock") {
            let resource = resource(text);
            let held = self.holders.get(&resource) == Some(&session.number);
            if held {
                self.holders.remove(&resource);
            }
            return one(&[Some(if held { "0" } else { "-999" }), Some("NoLock")]);
        }
        if text.ends_with("SELECT @@TRANCOUNT, CURRENT_TRANSACTION_ID()") {
            return self.convoy(session, text);
        }
        if text.contains("SELECT CASE WHEN APPLOCK_MODE") {
            let held = self.holders.get(&resource(text)) == Some(&session.number);
            return one(&[Some(if held { "1" } else { "0" })]);
        }
        if text.contains("OBJECT_SCHEMA_NAME") {
            return one(&[Some("dbo")]);
        }
        if text.contains("sys.dm_tran_locks") {
            return [rows::<&str>(&[], 6), done(0)].concat();
        }
        if text.contains("SELECT") && text.contains("lockage_history]") {
            return match &self.history {
                None => failed(208, "Invalid object name 'lockage_history'."),
                Some(history) => [rows(history, 12), done(0)].concat(),
            };
        }
        done(0)
    }

    fn request(&mut self, session: u32, resource: &str) -> (Option<&'static str>, &'static str) {
        let code = match self.codes.pop_front() {
            Some(code) => code,
            None if self
                .holders
                .get(resource)
                .is_none_or(|holder| *holder == session) =>
            {
                Some("0")
            }
            None => Some("-1"),
        };
        if matches!(code, Some("0" | "1")) && !self.forgetful {
            self.holders.insert(resource.to_owned(), session);
            return (code, "Exclusive");
        }
        (code, "NoLock")
    }

    /// Statements of ours: they are run as far as this test goes, one line each.
    fn convoy(&mut self, session: &mut Session, text: &str) -> Vec<u8> {
        let mut changes = Vec::new();
        for line in text.lines() {
            if line.contains("APPLOCK_MODE")
                && self.holders.get(&resource(line)) != Some(&session.number)
            {
                session.open = None;
                let message = format!("lockage {}", refused_piece(line));
                return [error(54006, &message, 1), done(2)].concat();
            }
            let history = match &mut session.open {
                Some(open) => open,
                None => &mut self.history,
            };
            if line == "BEGIN TRANSACTION;" {
                session.open = Some(self.history.clone());
                changes.extend(envelope(0xe3, &[8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
            } else if line == "COMMIT TRANSACTION;" {
                self.history = session.open.take().expect("a transaction to commit");
                changes.extend(envelope(0xe3, &[9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]));
            } else if line.contains("ROLLBACK TRANSACTION") {
                session.open = None;
            } else if line
                .starts_with("IF OBJECT_ID(N'[dbo].[lockage_history]') IS NULL CREATE TABLE")
            {
                history.get_or_insert_default();
            } else if let Some(row) = inserted(line) {
                history.as_mut().expect("a table to write into").push(row);
            } else if let Some(version) = removed_version(line) {
                let rows = history.as_mut().expect("a table to delete from");
                rows.retain(|row| row[0].as_deref() != Some(version));
            }
        }
        let open = if session.open.is_some() { "1" } else { "0" };
        [changes, rows(&[vec![Some(open), Some("77")]], 2), done(0)].concat()
    }
}
