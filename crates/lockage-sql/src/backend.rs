//! The macro [`sql_backend!`](crate::sql_backend): the constant `BACKEND` of an SQL engine.

use lockage_core::{Error, Location, Migration, ParsedStatement, Result};

use crate::dialect::Dialect;
use crate::statement_reader::StatementReader;

/// Declares and registers the `BACKEND` of an SQL engine.
///
/// - `name`: the name of the crate.
/// - `schemes`: the URL schemes.
/// - `url_syntax` (optional): where a password ends in a URL, a constant [`UrlSyntax`](lockage_core::UrlSyntax). It must be the
///   rule of the engine's own parser.
/// - `capabilities`: a constant [`Capabilities`](lockage_core::Capabilities).
/// - `dialect`: a static [`Dialect`].
/// - `open`: an async function from `&ConnectOptions` to `Result<SqlSession<_>>`.
/// - `check_migration` (optional): `fn(&Migration) -> Result<()>`, called before the script is read.
/// - `check_statement`: `fn(&Migration, &ParsedStatement<'_>) -> Result<()>`, called for each statement of a script. The first
///   error is reported with the line of its statement, before anything runs.
///
/// ```ignore
/// lockage_sql::sql_backend! {
///     /// The backend for `firebird:` URLs.
///     pub const BACKEND = "lockage-firebird" {
///         schemes: ["firebird"],
///         capabilities: CAPABILITIES,
///         dialect: DIALECT,
///         open: open,
///         check_statement: check_statement,
///     }
/// }
/// ```
#[macro_export]
macro_rules! sql_backend {
    (
        $(#[$docs:meta])*
        $visibility:vis const $backend:ident = $name:literal {
            schemes: [$($scheme:literal),+ $(,)?],
            $(url_syntax: $url_syntax:expr,)?
            capabilities: $capabilities:expr,
            dialect: $dialect:expr,
            open: $open:expr,
            $(check_migration: $check_migration:expr,)?
            check_statement: $check_statement:expr $(,)?
        }
    ) => {
        $(#[$docs])*
        $visibility const $backend: $crate::__private::Backend = $crate::__private::Backend::new(
            $name,
            &[$($scheme),+],
            $capabilities,
            |options| ::std::boxed::Box::pin(async move {
                let session = $open(options).await?;
                ::core::result::Result::Ok(
                    ::std::boxed::Box::new(session) as ::std::boxed::Box<dyn $crate::__private::Session>,
                )
            }),
            |migration, on_statement| {
                $($check_migration(migration)?;)?
                $crate::check_script(&$dialect, migration, $check_statement, on_statement)
            },
        )$(.with_url_syntax($url_syntax))?;

        $crate::__private::register_backend!($backend);
    };
}

/// Reads a script as an engine of this dialect runs it, and passes each statement to `on_statement`.
///
/// # Errors
/// [`ErrorKind::InvalidMigration`](lockage_core::ErrorKind::InvalidMigration) with the position, if the script cannot be split
/// or `check_statement` rejects a statement. The whole script is read first; a script that cannot be split is reported before a
/// rejected statement.
pub fn check_script(
    dialect: &Dialect,
    migration: &Migration,
    check_statement: fn(&Migration, &ParsedStatement<'_>) -> Result<()>,
    on_statement: &mut dyn FnMut(ParsedStatement<'_>),
) -> Result<()> {
    let in_transaction = dialect.transactional_ddl && migration.directives().transaction;
    let mut rejected: Option<Error> = None;
    let mut last_offset = None;
    for statement in StatementReader::open(migration, dialect.syntax, in_transaction)? {
        let statement = statement?;
        if last_offset.replace(statement.offset) == Some(statement.offset) {
            // A batch with a count (`GO 3`) is read once for each execution.
            continue;
        }
        let parsed =
            ParsedStatement::new(&statement.text, statement.line).with_repeat(statement.repeat);
        if rejected.is_none()
            && let Err(error) = check_statement(migration, &parsed)
        {
            let first_line = statement.text.lines().next().unwrap_or_default();
            let location = Location::at(migration.file(), statement.line, 1);
            rejected = Some(error.with_location(location.with_line_text(first_line)));
        }
        on_statement(parsed);
    }
    rejected.map_or(Ok(()), Err)
}
