use std::fmt;

/// Who holds a lock, as far as the engine tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockHolder {
    /// The server's number for the session, or the process id where the engine has no server.
    pub session: Option<String>,
    /// The database user.
    pub user: Option<String>,
    /// The client's host.
    pub host: Option<String>,
    /// What the client calls itself.
    pub application: Option<String>,
    /// Since when it holds the lock, or since when its session stands where the engine knows only that; RFC 3339, UTC.
    pub since: Option<String>,
    /// The migration in hand.
    pub migration: Option<String>,
    /// The statement in hand.
    pub statement: Option<String>,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user.as_deref().unwrap_or("an unknown user"))?;
        if let Some(host) = &self.host {
            write!(f, "@{host}")?;
        }
        if let Some(session) = &self.session {
            write!(f, " (session {session}")?;
            if let Some(application) = &self.application {
                write!(f, ", {application}")?;
            }
            f.write_str(")")?;
        }
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        if let Some(migration) = &self.migration {
            write!(f, ", at migration {migration}")?;
        }
        Ok(())
    }
}
