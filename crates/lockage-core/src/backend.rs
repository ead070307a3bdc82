use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{Capabilities, ConnectOptions, Migration, Result, Session};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens a session.
type Connect = for<'a> fn(&'a ConnectOptions) -> BoxFuture<'a, Result<Box<dyn Session>>>;

/// Reads a script as the engine will, without a database.
type CheckScript = fn(&Migration, &mut dyn FnMut(ParsedStatement<'_>)) -> Result<()>;

/// One statement of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedStatement<'a> {
    /// Its text.
    pub text: &'a str,
    /// The line of its first character, from one.
    pub line: u32,
}

/// What is known of an engine before there is a connection: a constant that every backend exports.
#[derive(Clone, Copy)]
pub struct Backend {
    name: &'static str,
    schemes: &'static [&'static str],
    capabilities: Capabilities,
    connect: Connect,
    check_script: CheckScript,
}

impl Backend {
    /// A backend: its crate's name, the URL schemes it serves, what its engine can do, how to open a session, and how to read a
    /// script.
    ///
    /// `check_script` calls back with each statement of a script and fails on one that the engine could never run; it is what
    /// reports a mistake before any connection is made.
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
        }
    }

    /// The name of its crate.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The URL schemes it serves.
    pub fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    /// What its engine can do.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Opens a bare session, as the conformance kit needs it. [`Registry::connect`](crate::Registry::connect) is the safe way to
    /// one; a bare session cannot write either, since only [`Locked`](crate::Locked) has the proof that writing asks for.
    pub fn connect<'a>(
        &self,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Session>>> {
        (self.connect)(options)
    }

    /// Reads a script as the engine will and hands out its statements.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidMigration`](crate::ErrorKind::InvalidMigration) with the place of the mistake.
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

/// What [`register_backend!`](crate::register_backend) hands to inventory.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registration(pub &'static Backend);

inventory::collect!(Registration);

/// Makes a backend known to every program that links its crate.
///
/// ```
/// use lockage_core::{Backend, BoxFuture, Capabilities, ConnectOptions, Error, ErrorKind, Result, Session};
///
/// /// The backend of an engine that is still to be written.
/// pub const BACKEND: Backend = Backend::new(
///     "acme-lockage",
///     &["acme"],
///     Capabilities::new(true, "a lock of Acme's"),
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
    };
}
