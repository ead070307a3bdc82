//! The blocking calls of the driver: one attachment to a database and its transactions.

use std::collections::BTreeMap;

use lockage_sql::Row;
use lockage_sql::script::leading_words;
use rsfbclient_core::charset::UTF_8;
use rsfbclient_core::{
    Column, Dialect, FbError, FirebirdClientDbOps, FirebirdClientSqlOps, FreeStmtOp, SqlType,
    TrIsolationLevel, TrLockResolution, TrOp, TrRecordVersion, TransactionConfiguration,
};
use rsfbclient_rust::{DbHandle, RustFbClient, TrHandle};

use crate::config::ConnectConfig;
use crate::dialect::{DIALECT, UTC_OFFSET_VARIABLE};

pub(crate) struct Attachment {
    client: RustFbClient,
    database: DbHandle,
    /// The transaction of [`execute`](Self::execute).
    open: Option<TrHandle>,
    /// The transactions that hold locks, by the name of the lock.
    pub(crate) locks: BTreeMap<String, TrHandle>,
    /// How many seconds a statement waits for another transaction; `None` for no limit.
    pub(crate) wait_secs: Option<u32>,
}

impl Attachment {
    pub(crate) fn open(config: &ConnectConfig, create: bool) -> Result<Self, FbError> {
        let mut client = RustFbClient::new(UTF_8);
        let mut attached = client.attach_database(&config.attachment, Dialect::D3, false);
        if create && matches!(attached, Err(FbError::Sql { .. })) {
            client = RustFbClient::new(UTF_8);
            attached = client.create_database(&config.attachment, None, Dialect::D3);
        }
        Ok(Self {
            database: attached?,
            client,
            open: None,
            locks: BTreeMap::new(),
            wait_secs: Some(5),
        })
    }

    /// Stores the offset of the server's clock from UTC in the session, and returns the session's id.
    ///
    /// `unix_secs` is the current time. The offset is rounded to a quarter of an hour.
    pub(crate) fn initialize_session(&mut self, unix_secs: i64) -> Result<i64, FbError> {
        let rows = self.query(
            "SELECT CURRENT_CONNECTION, DATEDIFF(SECOND FROM TIMESTAMP '1970-01-01 00:00:00' TO CAST('NOW' AS TIMESTAMP)) FROM RDB$DATABASE",
        )?;
        let number = |column: usize| -> Result<i64, FbError> {
            let text = rows.first().and_then(|row| row.get(column)?.as_deref());
            let number = text.and_then(|text| text.parse().ok());
            number.ok_or_else(|| "the server did not report the session's id".into())
        };
        let (session_id, server_secs) = (number(0)?, number(1)?);
        let minutes = (unix_secs - server_secs + 450).div_euclid(900) * 15;
        self.set_session_variable(UTC_OFFSET_VARIABLE, &format!("'{minutes}'"))?;
        Ok(session_id)
    }

    /// Sets a variable of the session to an SQL expression. Other sessions can read it.
    pub(crate) fn set_session_variable(&mut self, name: &str, value: &str) -> Result<(), FbError> {
        self.query(&format!(
            "SELECT RDB$SET_CONTEXT('USER_SESSION', '{name}', {value}) FROM RDB$DATABASE"
        ))
        .map(drop)
    }

    /// Runs a query in the open transaction, or in one of its own.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Row>, FbError> {
        match self.open {
            Some(transaction) => self.query_in(transaction, sql),
            None => self.autocommit(|this, transaction| this.query_in(transaction, sql)),
        }
    }

    /// Runs a statement in the open transaction, or in one of its own. The dialect's `begin`, `commit` and `rollback` control
    /// the open transaction.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), FbError> {
        if sql == DIALECT.begin {
            self.open = Some(self.begin(TrLockResolution::Wait(self.wait_secs))?);
            return Ok(());
        }
        let operations = [
            (DIALECT.commit, TrOp::Commit),
            (DIALECT.rollback, TrOp::Rollback),
        ];
        if let Some((_, operation)) = operations.into_iter().find(|(text, _)| *text == sql) {
            let Some(transaction) = self.open else {
                return Ok(());
            };
            self.end(transaction, operation)?;
            self.open = None;
            return Ok(());
        }
        match self.open {
            Some(transaction) => self.execute_in(transaction, sql),
            None => self.autocommit(|this, transaction| this.execute_in(transaction, sql)),
        }
    }

    pub(crate) fn begin(&mut self, lock_resolution: TrLockResolution) -> Result<TrHandle, FbError> {
        let configuration = TransactionConfiguration {
            isolation: TrIsolationLevel::ReadCommited(TrRecordVersion::RecordVersion),
            lock_resolution,
            ..TransactionConfiguration::default()
        };
        self.client
            .begin_transaction(&mut self.database, configuration)
    }

    pub(crate) fn end(
        &mut self,
        mut transaction: TrHandle,
        operation: TrOp,
    ) -> Result<(), FbError> {
        self.client
            .transaction_operation(&mut transaction, operation)
    }

    /// Runs `work` in a transaction of its own.
    pub(crate) fn autocommit<T>(
        &mut self,
        work: impl FnOnce(&mut Self, TrHandle) -> Result<T, FbError>,
    ) -> Result<T, FbError> {
        let transaction = self.begin(TrLockResolution::Wait(self.wait_secs))?;
        let outcome = work(self, transaction)
            .and_then(|value| self.end(transaction, TrOp::Commit).map(|()| value));
        if matches!(outcome, Err(FbError::Sql { .. })) {
            self.end(transaction, TrOp::Rollback)?;
        }
        outcome
    }

    /// Runs a statement in a transaction and discards its rows.
    pub(crate) fn execute_in(
        &mut self,
        mut transaction: TrHandle,
        sql: &str,
    ) -> Result<(), FbError> {
        let words = leading_words(sql, DIALECT.syntax, 1);
        if words.iter().any(|word| word == "SELECT" || word == "WITH") {
            return self.query_in(transaction, sql).map(drop);
        }
        self.client
            .exec_immediate(&mut self.database, &mut transaction, Dialect::D3, sql)
    }

    /// Runs a query in a transaction.
    pub(crate) fn query_in(
        &mut self,
        mut transaction: TrHandle,
        sql: &str,
    ) -> Result<Vec<Row>, FbError> {
        let Self {
            client, database, ..
        } = self;
        let (_, mut statement) =
            client.prepare_statement(database, &mut transaction, Dialect::D3, sql)?;
        let mut fetch_all = || {
            client.execute(database, &mut transaction, &mut statement, Vec::new())?;
            let mut rows = Vec::new();
            while let Some(row) = client.fetch(database, &mut transaction, &mut statement)? {
                rows.push(row.into_iter().map(value_text).collect());
            }
            Ok(rows)
        };
        let rows = fetch_all();
        // After an error of the connection no further request is possible.
        if !matches!(rows, Err(FbError::Io(_) | FbError::Other(_))) {
            client.free_statement(&mut statement, FreeStmtOp::Drop)?;
        }
        rows
    }

    /// Rolls all transactions back and detaches. The locks are released last, after the work that they protect was undone.
    pub(crate) fn close(mut self) -> Result<(), FbError> {
        let locks = std::mem::take(&mut self.locks).into_values();
        for transaction in self.open.take().into_iter().chain(locks) {
            self.end(transaction, TrOp::Rollback)?;
        }
        self.client.detach_database(&mut self.database)
    }
}

fn value_text(column: Column) -> Option<String> {
    match column.value {
        SqlType::Null => None,
        SqlType::Text(text) => Some(text),
        SqlType::Integer(number) => Some(number.to_string()),
        SqlType::Floating(number) => Some(number.to_string()),
        SqlType::Boolean(value) => Some(value.to_string()),
        SqlType::Timestamp(time) => Some(time.to_string()),
        SqlType::Binary(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
