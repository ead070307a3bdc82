use crate::backend::Registration;
use crate::{Backend, ConnectOptions, Error, ErrorKind, Result, Unlocked};

/// The backends that a program can use.
///
/// [`linked`](Self::linked) contains every linked backend. If link-time registration does not work, for example in a static
/// library, add backends with [`with`](Self::with).
#[derive(Debug, Clone, Default)]
pub struct Registry {
    backends: Vec<Backend>,
}

impl Registry {
    /// Returns the backends that are linked into the program.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if two of them serve the same scheme.
    pub fn linked() -> Result<Self> {
        inventory::iter::<Registration>
            .into_iter()
            .try_fold(Self::default(), |registry, found| registry.with(*found.0))
    }

    /// Adds a backend, if it is not in the registry yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if another backend serves one of its schemes; the message names both.
    pub fn with(mut self, backend: Backend) -> Result<Self> {
        for scheme in backend.schemes() {
            match self.backend_for_url(scheme) {
                Some(other) if other.name() == backend.name() => return Ok(self),
                Some(other) => {
                    return Err(Error::new(
                        ErrorKind::InvalidConfig,
                        format!(
                            "{} and {} both serve the scheme `{scheme}`",
                            other.name(),
                            backend.name()
                        ),
                    )
                    .with_hint("link only one of the two"));
                }
                None => {}
            }
        }
        self.backends.push(backend);
        self.backends.sort_by_key(Backend::name);
        Ok(self)
    }

    /// Returns the backends, sorted by name.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        self.backends.iter()
    }

    /// Returns the backend that serves a scheme.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownBackend`]: the message lists the linked backends, and the hint says how to link another one.
    pub fn find(&self, scheme: &str) -> Result<&Backend> {
        self.backend_for_url(scheme).ok_or_else(|| {
            let linked: Vec<String> =
                self.backends().map(|b| format!("{} ({})", b.schemes().join(", "), b.name())).collect();
            let linked = if linked.is_empty() { "none".to_owned() } else { linked.join("; ") };
            Error::new(
                ErrorKind::UnknownBackend,
                format!("no linked backend serves the scheme `{scheme}`; linked: {linked}"),
            )
            .with_hint(
                "enable the backend's feature of the crate `lockage`, or name the backend's crate once in the program: \
                 `use lockage_postgres as _;`",
            )
        })
    }

    /// Opens a session to the database of [`ConnectOptions::url`].
    ///
    /// # Errors
    /// [`ErrorKind::UnknownBackend`], [`ErrorKind::InvalidConfig`] or [`ErrorKind::Connect`].
    pub async fn connect(&self, options: &ConnectOptions) -> Result<Unlocked> {
        let backend = self.find(options.url.scheme())?;
        backend.connect(options).await.map(Unlocked::new)
    }

    fn backend_for_url(&self, scheme: &str) -> Option<&Backend> {
        self.backends.iter().find(|backend| {
            backend
                .schemes()
                .iter()
                .any(|s| s.eq_ignore_ascii_case(scheme))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capabilities;

    const fn backend(name: &'static str, schemes: &'static [&'static str]) -> Backend {
        Backend::new(
            name,
            schemes,
            Capabilities::new(true, "none"),
            |_| Box::pin(async { Err(Error::new(ErrorKind::Connect, "not a real backend")) }),
            |_, _| Ok(()),
        )
    }

    #[test]
    fn unknown_scheme_lists_linked_backends() {
        let registry = Registry::default()
            .with(backend("b", &["bb", "b2"]))
            .unwrap()
            .with(backend("a", &["aa"]))
            .unwrap();
        assert_eq!(registry.find("B2").unwrap().name(), "b");
        let error = registry.find("oracle").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownBackend);
        assert_eq!(
            error.message(),
            "no linked backend serves the scheme `oracle`; linked: aa (a); bb, b2 (b)"
        );
        assert!(error.hint().unwrap().contains("use lockage_postgres as _;"));
    }

    #[test]
    fn two_backends_with_same_scheme_are_an_error() {
        let registry = Registry::default().with(backend("a", &["x"])).unwrap();
        assert_eq!(
            registry
                .clone()
                .with(backend("a", &["x"]))
                .unwrap()
                .backends()
                .count(),
            1
        );
        let error = registry.with(backend("b", &["y", "X"])).unwrap_err();
        assert_eq!(error.message(), "a and b both serve the scheme `X`");
    }
}
