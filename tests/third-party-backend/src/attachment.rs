//! What blocks: one attachment to a database, the transaction in hand, and the transactions that are its locks.

use std::collections::BTreeMap;

use lockage_sql::Row;
use lockage_sql::script::leading_words;
use rsfbclient_core::charset::UTF_8;
use rsfbclient_core::{
    Column, Dialect, FbError, FirebirdClientDbOps, FirebirdClientSqlOps, FreeStmtOp, SqlType,
    TrIsolationLevel, TrLockResolution, TrOp, TrRecordVersion, TransactionConfiguration,
};
use rsfbclient_rust::{DbHandle, RustFbClient, TrHandle};

use crate::address::Address;
use crate::dialect::{DIALECT, UTC};

pub(crate) struct Attachment {
    client: RustFbClient,
    database: DbHandle,
    open: Option<TrHandle>,
    pub(crate) locks: BTreeMap<String, TrHandle>,
    /// How many seconds a statement waits for others; `None` for ever.
    pub(crate) wait: Option<u32>,
}

impl Attachment {
    pub(crate) fn open(address: &Address, create: bool) -> Result<Self, FbError> {
        let mut client = RustFbClient::new(UTF_8);
        let mut attached = client.attach_database(&address.config, Dialect::D3, false);
        if create && matches!(attached, Err(FbError::Sql { .. })) {
            client = RustFbClient::new(UTF_8);
            attached = client.create_database(&address.config, None, Dialect::D3);
        }
        Ok(Self {
            database: attached?,
            client,
            open: None,
            locks: BTreeMap::new(),
            wait: Some(5),
        })
    }

    /// Notes how far the server's clock is from UTC, to the quarter of an hour, and returns the session's number.
    pub(crate) fn introduce(&mut self, unix: i64) -> Result<i64, FbError> {
        let asked = self.query(
            "SELECT CURRENT_CONNECTION, DATEDIFF(SECOND FROM TIMESTAMP '1970-01-01 00:00:00' TO CAST('NOW' AS TIMESTAMP)) FROM RDB$DATABASE",
        )?;
        let number = |column: usize| -> Result<i64, FbError> {
            let text = asked.first().and_then(|row| row.get(column)?.as_deref());
            let read = text.and_then(|text| text.parse().ok());
            read.ok_or_else(|| "the server did not tell the session's number".into())
        };
        let (session, clock) = (number(0)?, number(1)?);
        let minutes = (unix - clock + 450).div_euclid(900) * 15;
        self.set(UTC, &format!("'{minutes}'"))?;
        Ok(session)
    }

    /// Sets a variable of the session, which other sessions can see.
    pub(crate) fn set(&mut self, variable: &str, value: &str) -> Result<(), FbError> {
        self.query(&format!(
            "SELECT RDB$SET_CONTEXT('USER_SESSION', '{variable}', {value}) FROM RDB$DATABASE"
        ))
        .map(drop)
    }

    /// Runs a query in the transaction in hand, or in a short one.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Row>, FbError> {
        match self.open {
            Some(transaction) => self.rows(transaction, sql),
            None => self.alone(|this, transaction| this.rows(transaction, sql)),
        }
    }

    /// Runs a statement in the transaction in hand, or in a short one.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), FbError> {
        if sql == DIALECT.begin {
            self.open = Some(self.begin(TrLockResolution::Wait(self.wait))?);
            return Ok(());
        }
        let ends = [
            (DIALECT.commit, TrOp::Commit),
            (DIALECT.rollback, TrOp::Rollback),
        ];
        if let Some((_, end)) = ends.into_iter().find(|(word, _)| *word == sql) {
            let Some(transaction) = self.open else {
                return Ok(());
            };
            self.end(transaction, end)?;
            self.open = None;
            return Ok(());
        }
        match self.open {
            Some(transaction) => self.statement(transaction, sql),
            None => self.alone(|this, transaction| this.statement(transaction, sql)),
        }
    }

    pub(crate) fn begin(&mut self, lock_resolution: TrLockResolution) -> Result<TrHandle, FbError> {
        let how = TransactionConfiguration {
            isolation: TrIsolationLevel::ReadCommited(TrRecordVersion::RecordVersion),
            lock_resolution,
            ..TransactionConfiguration::default()
        };
        self.client.begin_transaction(&mut self.database, how)
    }

    pub(crate) fn end(&mut self, mut transaction: TrHandle, how: TrOp) -> Result<(), FbError> {
        self.client.transaction_operation(&mut transaction, how)
    }

    /// Runs something in a transaction of its own.
    pub(crate) fn alone<T>(
        &mut self,
        work: impl FnOnce(&mut Self, TrHandle) -> Result<T, FbError>,
    ) -> Result<T, FbError> {
        let transaction = self.begin(TrLockResolution::Wait(self.wait))?;
        let outcome = work(self, transaction)
            .and_then(|value| self.end(transaction, TrOp::Commit).map(|()| value));
        if matches!(outcome, Err(FbError::Sql { .. })) {
            self.end(transaction, TrOp::Rollback)?;
        }
        outcome
    }

    /// Runs a statement; what it answers is dropped.
    pub(crate) fn statement(
        &mut self,
        mut transaction: TrHandle,
        sql: &str,
    ) -> Result<(), FbError> {
        let words = leading_words(sql, DIALECT.syntax, 1);
        if words.iter().any(|word| word == "SELECT" || word == "WITH") {
            return self.rows(transaction, sql).map(drop);
        }
        self.client
            .exec_immediate(&mut self.database, &mut transaction, Dialect::D3, sql)
    }

    pub(crate) fn rows(
        &mut self,
        mut transaction: TrHandle,
        sql: &str,
    ) -> Result<Vec<Row>, FbError> {
        let Self {
            client, database, ..
        } = self;
        let (_, mut statement) =
            client.prepare_statement(database, &mut transaction, Dialect::D3, sql)?;
        let mut read = || {
            client.execute(database, &mut transaction, &mut statement, Vec::new())?;
            let mut rows = Vec::new();
            while let Some(row) = client.fetch(database, &mut transaction, &mut statement)? {
                rows.push(row.into_iter().map(text).collect());
            }
            Ok(rows)
        };
        let rows = read();
        if !matches!(rows, Err(FbError::Io(_) | FbError::Other(_))) {
            client.free_statement(&mut statement, FreeStmtOp::Drop)?;
        }
        rows
    }

    /// Takes back what is open, the locks last, and detaches.
    pub(crate) fn close(mut self) -> Result<(), FbError> {
        let locks = std::mem::take(&mut self.locks).into_values();
        for transaction in self.open.take().into_iter().chain(locks) {
            self.end(transaction, TrOp::Rollback)?;
        }
        self.client.detach_database(&mut self.database)
    }
}

fn text(column: Column) -> Option<String> {
    match column.value {
        SqlType::Null => None,
        SqlType::Text(text) => Some(text),
        SqlType::Integer(number) => Some(number.to_string()),
        SqlType::Floating(number) => Some(number.to_string()),
        SqlType::Boolean(truth) => Some(truth.to_string()),
        SqlType::Timestamp(time) => Some(time.to_string()),
        SqlType::Binary(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
