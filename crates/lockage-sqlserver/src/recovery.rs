//! Implements `Recovery` with its defaults. SQL Server does not report the outcome of a statement to a later session.

use lockage_sql::Recovery;

use crate::connection::SqlServerConnection;

impl Recovery for SqlServerConnection {}
