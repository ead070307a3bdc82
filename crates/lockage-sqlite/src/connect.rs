//! Opens sessions and connections from options.

use lockage_core::{Capabilities, ConnectOptions, Error, ErrorKind, LockStrategy, Result};
use lockage_sql::{Connection, SqlSession};

use crate::config::ConnectConfig;
use crate::connection::SqliteConnection;
use crate::dialect::SCHEMA;

/// What the engine can do.
pub(crate) const CAPABILITIES: Capabilities =
    Capabilities::new(true, "a file lock beside the database");

/// Opens a connection for rows, without a lock. Use [`BACKEND`](crate::BACKEND) with a [`Runner`](lockage_core::Runner) to
/// change the schema.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] for an invalid URL. A missing file is an error of the first query.
pub fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    SqliteConnection::start(ConnectConfig::parse(&options.url)?)
}

/// Opens a session that can migrate.
pub(crate) async fn open(options: &ConnectOptions) -> Result<SqlSession<SqliteConnection>> {
    let config = ConnectConfig::parse(&options.url)?;
    check_options(options)?;
    config.prepare_parent_dir(options.create)?;
    let capabilities = if config.is_file() {
        CAPABILITIES
    } else {
        CAPABILITIES.single_process()
    };
    let mut options = options.clone();
    options.schema = Some(SCHEMA.into());
    let connection = SqliteConnection::start(config)?;
    Ok(SqlSession::new(connection, options, capabilities))
}

fn check_options(options: &ConnectOptions) -> Result<()> {
    if let Some(schema) = options.schema.as_deref().filter(|schema| *schema != SCHEMA) {
        let message = format!("SQLite has no schema `{schema}`");
        return Err(Error::new(ErrorKind::InvalidConfig, message).with_hint("remove --schema"));
    }
    if !matches!(
        options.lock_strategy,
        LockStrategy::Auto | LockStrategy::Advisory
    ) {
        let strategy = options.lock_strategy;
        let message = format!(
            "SQLite has no lock strategy `{strategy}`: its lock is a file beside the database"
        );
        return Err(Error::new(ErrorKind::InvalidConfig, message)
            .with_hint("remove --lock-strategy, or set it to auto or advisory"));
    }
    Ok(())
}
