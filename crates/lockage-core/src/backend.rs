use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::Result;
use crate::capabilities::Capabilities;
use crate::connect::ConnectOptions;
use crate::migration::Migration;
use crate::session::Session;
use crate::url_syntax::UrlSyntax;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens a session.
type Connect = for<'a> fn(&'a ConnectOptions) -> BoxFuture<'a, Result<Box<dyn Session>>>;

/// Parses a script like the engine, without a database.
type CheckScript = fn(&Migration, &mut dyn FnMut(ParsedStatement<'_>)) -> Result<()>;

/// One statement of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedStatement<'a> {
    /// The text.
    pub text: &'a str,
    /// The line of the first character, from one.
    pub line: u32,
    /// The number of times that the statement runs: `n` for a batch of SQL Server that ends with `GO n`, otherwise one.
    pub repeat: u32,
}

impl<'a> ParsedStatement<'a> {
    /// Creates a statement that runs once.
    pub const fn new(text: &'a str, line: u32) -> Self {
        Self {
            text,
            line,
            repeat: 1,
        }
    }

    /// Sets the number of times that the statement runs.
    #[must_use]
    pub const fn with_repeat(mut self, repeat: u32) -> Self {
        self.repeat = repeat;
        self
    }
}

/// The description of an engine that needs no connection: a constant that every backend exports.
#[derive(Clone, Copy)]
pub struct Backend {
    name: &'static str,
    schemes: &'static [&'static str],
    capabilities: Capabilities,
    connect: Connect,
    check_script: CheckScript,
    url_syntax: UrlSyntax,
}

impl Backend {
    /// Creates a backend from the name of its crate, its URL schemes, its capabilities, and two functions: one that opens a
    /// session, and one that parses a script.
    ///
    /// `check_script` calls back with each statement of a script and fails for a statement that the engine can never run.
    /// Invalid scripts are therefore reported before anything is locked.
    pub const fn new(
        name: &'static str,
        schemes: &'static [&'static str],
        capabilities: Capabilities,
        connect: Connect,
        check_script: CheckScript,
    ) -> Self {
        Self {
            name,
            schemes,
            capabilities,
            connect,
            check_script,
            url_syntax: UrlSyntax::Unknown,
        }
    }

    /// Declares how the backend reads its URLs, so that a password is omitted from messages by the same rule.
    #[must_use]
    pub const fn with_url_syntax(mut self, syntax: UrlSyntax) -> Self {
        self.url_syntax = syntax;
        self
    }

    /// Returns how the backend reads its URLs.
    pub const fn url_syntax(&self) -> UrlSyntax {
        self.url_syntax
    }

    /// Returns the name of the backend's crate.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the URL schemes.
    pub const fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    /// Returns the capabilities of the engine.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Opens a session without the typestate, for the conformance suite. Other callers use
    /// [`Registry::connect`](crate::Registry::connect). This session cannot write either: only [`Locked`](crate::Locked) has
    /// the required [`LockProof`](crate::LockProof).
    pub fn connect<'a>(
        &self,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Session>>> {
        (self.connect)(options)
    }

    /// Parses a script like the engine and calls `each` with every statement.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidMigration`](crate::ErrorKind::InvalidMigration) with the position of the error.
    pub fn check_script(
        &self,
        migration: &Migration,
        each: &mut dyn FnMut(ParsedStatement<'_>),
    ) -> Result<()> {
        (self.check_script)(migration, each)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("name", &self.name)
            .field("schemes", &self.schemes)
            .finish_non_exhaustive()
    }
}

/// The item that [`register_backend!`](crate::register_backend) submits to inventory.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration(pub &'static Backend);

inventory::collect!(Registration);

/// Registers a backend in every program that links its crate. [`Registry::linked`](crate::Registry::linked) finds it.
///
/// ```
/// use lockage_core::{Backend, BoxFuture, Capabilities, ConnectOptions, Error, ErrorKind, Result, Session};
///
/// /// The backend of a fictitious engine.
/// pub const BACKEND: Backend = Backend::new(
///     "acme-lockage",
///     &["acme"],
///     Capabilities::new(true, "an advisory lock of Acme"),
///     |options| Box::pin(async move { Err(Error::new(ErrorKind::Connect, options.url.to_string())) }),
///     |_, _| Ok(()),
/// );
/// lockage_core::register_backend!(BACKEND);
///
/// # fn main() {
/// assert!(lockage_core::Registry::linked().unwrap().find("acme").is_ok());
/// # }
/// ```
#[macro_export]
macro_rules! register_backend {
    ($backend:path) => {
        $crate::__private::inventory::submit! { $crate::__private::Registration(&$backend) }
        $crate::__private::inventory::submit! {
            $crate::__private::SchemeSyntax {
                schemes: $backend.schemes(),
                syntax: $backend.url_syntax(),
            }
        }
    };
}
