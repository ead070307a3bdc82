//! The state of the fake server: sessions, locks, transactions, the history, and the replies that a test sets.

use std::collections::{HashMap, HashSet, VecDeque};

use super::parse_sql::{Row, assertion_index, deleted_version, inserted_row, lock_resource};
use super::token::{done, envelope, error, rows};

/// The reply to a batch.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These tokens.
    Tokens(Vec<u8>),
    /// No reply before the client sends an attention.
    Silence,
    /// The server closes the connection.
    Disconnect,
}

/// State that all sessions share.
#[derive(Debug, Default)]
pub(crate) struct FakeState {
    /// The holder of each lock.
    pub(crate) holders: HashMap<String, u32>,
    /// The rows; `None` while the table does not exist.
    pub(crate) history: Option<Vec<Row>>,
    /// Every batch, with its session.
    pub(crate) batches: Vec<(u32, String)>,
    pub(crate) attentions: u32,
    /// The codes of the next requests for a lock. Without one, the code follows from the lock's holder.
    pub(crate) lock_codes: VecDeque<Option<&'static str>>,
    /// The error of the next request for a lock.
    pub(crate) lock_error: Option<Vec<u8>>,
    /// Whether a granted lock is not recorded.
    pub(crate) forgets_locks: bool,
    /// The errors of the next logins.
    pub(crate) login_errors: VecDeque<Vec<u8>>,
    pub(crate) logins: u32,
    /// The replies to the next batches that contain these texts.
    pub(crate) replies: Vec<(&'static str, Reply)>,
    session_count: u32,
    ended_sessions: HashSet<u32>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    number: u32,
    /// The history as the open transaction sees it.
    transaction: Option<Option<Vec<Row>>>,
}

impl FakeState {
    /// Returns the batches of scripts, without internal ones.
    pub(crate) fn scripts(&self) -> Vec<&str> {
        let is_internal = |text: &str| {
            text.contains("@@TRANCOUNT") || text.contains("APPLOCK") || text.contains("lockage_")
        };
        let texts = self.batches.iter().map(|(_, text)| text.as_str());
        texts
            .filter(|text| !is_internal(text) && !text.contains("DB_NAME()"))
            .collect()
    }

    pub(crate) fn applied(&self) -> Vec<&str> {
        let rows = self.history.iter().flatten();
        rows.filter_map(|row| row[0].as_deref()).collect()
    }

    pub(crate) fn has_ended(&self, session: u32) -> bool {
        self.ended_sessions.contains(&session)
    }

    pub(super) fn log_in(&mut self) -> Option<Vec<u8>> {
        self.logins += 1;
        self.login_errors.pop_front()
    }

    pub(super) fn begin_session(&mut self) -> Session {
        self.session_count += 1;
        Session {
            number: self.session_count,
            transaction: None,
        }
    }

    /// Releases the session's locks. Its open transaction is lost.
    pub(super) fn end_session(&mut self, session: &Session) {
        self.holders.retain(|_, holder| *holder != session.number);
        self.ended_sessions.insert(session.number);
    }

    pub(super) fn run_batch(&mut self, session: &mut Session, text: &str) -> Reply {
        self.batches.push((session.number, text.to_owned()));
        if let Some(index) = self
            .replies
            .iter()
            .position(|(part, _)| text.contains(part))
        {
            let (_, reply) = self.replies.remove(index);
            return reply;
        }
        let mut out = Vec::new();
        if text.contains("SERVERPROPERTY('Babelfish')") {
            let properties = [
                session.number.to_string(),
                "shop".into(),
                "16.0.1000.6".into(),
            ];
            let mut properties: Row = properties.map(Some).into();
            properties.push(None);
            out.extend(rows(&[properties], 4));
        }
        out.extend(self.reply_to(session, text));
        Reply::Tokens(out)
    }

    fn reply_to(&mut self, session: &mut Session, text: &str) -> Vec<u8> {
        let failed = |number, text: &str| [error(number, text, 1), done(2)].concat();
        let one = |row: &[Option<&str>]| [rows(&[row.to_vec()], row.len()), done(0)].concat();
        if text.contains("sp_getapplock") {
            if let Some(error) = self.lock_error.take() {
                return [error, done(2)].concat();
            }
            let (code, mode) = self.request_lock(session.number, &lock_resource(text));
            return one(&[code, Some(mode)]);
        }
        if text.contains("sp_releaseapplock") {
            let resource = lock_resource(text);
            let held = self.holders.get(&resource) == Some(&session.number);
            if held {
                self.holders.remove(&resource);
            }
            return one(&[Some(if held { "0" } else { "-999" }), Some("NoLock")]);
        }
        if text.ends_with("SELECT @@TRANCOUNT, CURRENT_TRANSACTION_ID()") {
            return self.run_internal(session, text);
        }
        if text.contains("SELECT CASE WHEN APPLOCK_MODE") {
            let held = self.holders.get(&lock_resource(text)) == Some(&session.number);
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

    fn request_lock(
        &mut self,
        session: u32,
        resource: &str,
    ) -> (Option<&'static str>, &'static str) {
        let code = match self.lock_codes.pop_front() {
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
        if matches!(code, Some("0" | "1")) && !self.forgets_locks {
            self.holders.insert(resource.to_owned(), session);
            return (code, "Exclusive");
        }
        (code, "NoLock")
    }

    /// Runs internal statements, one per line. Only statements that the tests need are supported.
    fn run_internal(&mut self, session: &mut Session, text: &str) -> Vec<u8> {
        let mut changes = Vec::new();
        for line in text.lines() {
            if line.contains("APPLOCK_MODE")
                && self.holders.get(&lock_resource(line)) != Some(&session.number)
            {
                session.transaction = None;
                let message = format!("lockage {}", assertion_index(line));
                return [error(54006, &message, 1), done(2)].concat();
            }
            let history = match &mut session.transaction {
                Some(transaction) => transaction,
                None => &mut self.history,
            };
            if line == "BEGIN TRANSACTION;" {
                session.transaction = Some(self.history.clone());
                changes.extend(envelope(0xe3, &[8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
            } else if line == "COMMIT TRANSACTION;" {
                self.history = session.transaction.take().expect("a transaction to commit");
                changes.extend(envelope(0xe3, &[9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]));
            } else if line.contains("ROLLBACK TRANSACTION") {
                session.transaction = None;
            } else if line
                .starts_with("IF OBJECT_ID(N'[dbo].[lockage_history]') IS NULL CREATE TABLE")
            {
                history.get_or_insert_default();
            } else if let Some(row) = inserted_row(line) {
                history.as_mut().expect("a table to write into").push(row);
            } else if let Some(version) = deleted_version(line) {
                let rows = history.as_mut().expect("a table to delete from");
                rows.retain(|row| row[0].as_deref() != Some(version));
            }
        }
        let open = if session.transaction.is_some() {
            "1"
        } else {
            "0"
        };
        [changes, rows(&[vec![Some(open), Some("77")]], 2), done(0)].concat()
    }
}
