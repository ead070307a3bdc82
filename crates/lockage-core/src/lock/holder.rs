use std::fmt;

/// The holder of a lock. A field is `None` if the engine does not report it, or not to this user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockHolder {
    /// The server's id of the session, or the process id for an engine without a server.
    pub session: Option<String>,
    /// The database user.
    pub user: Option<String>,
    /// The host of the client.
    pub host: Option<String>,
    /// The application name of the client.
    pub application: Option<String>,
    /// The time since which it holds the lock, in RFC 3339 and UTC. On some engines, the start of its session or of its
    /// migration.
    pub since: Option<String>,
    /// The running migration.
    pub migration: Option<String>,
    /// The running statement.
    pub statement: Option<String>,
    /// The progress in the engine's words: what it waits for, how much is done, since when it is idle.
    pub progress: Option<String>,
    /// The query that shows this holder to an operator, if it differs from the backend's
    /// [`holder_query`](crate::Capabilities::holder_query).
    pub query: Option<String>,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.host) {
            (Some(user), Some(host)) => write!(f, "{user}@{host}")?,
            (Some(user), None) => f.write_str(user)?,
            (None, Some(host)) => write!(f, "host {host}")?,
            (None, None) => f.write_str("an unknown client")?,
        }
        match (&self.session, &self.application) {
            (Some(session), Some(application)) => write!(f, " (session {session}, {application})")?,
            (Some(session), None) => write!(f, " (session {session})")?,
            (None, Some(application)) => write!(f, " ({application})")?,
            (None, None) => {}
        }
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        if let Some(migration) = &self.migration {
            write!(f, ", at migration {migration}")?;
        }
        if let Some(progress) = &self.progress {
            write!(f, ", {progress}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_omits_unknown_fields() {
        let mut holder = LockHolder {
            session: Some("123".into()),
            application: Some("lockage 0.1.0".into()),
            ..LockHolder::default()
        };
        assert_eq!(
            holder.to_string(),
            "an unknown client (session 123, lockage 0.1.0)"
        );
        holder.host = Some("vm".into());
        assert_eq!(holder.to_string(), "host vm (session 123, lockage 0.1.0)");
        holder.user = Some("app".into());
        holder.since = Some("2026-01-31T09:30:00Z".into());
        holder.migration = Some("2 orders".into());
        assert_eq!(
            holder.to_string(),
            "app@vm (session 123, lockage 0.1.0) since 2026-01-31T09:30:00Z, at migration 2 orders"
        );
        holder.host = None;
        assert!(holder.to_string().starts_with("app (session 123"));
        holder.session = None;
        assert!(holder.to_string().starts_with("app (lockage 0.1.0) since"));
    }
}
