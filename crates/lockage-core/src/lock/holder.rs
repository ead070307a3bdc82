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
    /// Whether it makes progress, in the engine's words: what it waits for, how far it is, since when it is idle.
    pub progress: Option<String>,
    /// The query with which an operator sees this holder, where it is another than the backend's
    /// [`lock_query`](crate::Capabilities::lock_query).
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
    fn a_holder_is_told_as_far_as_it_is_known() {
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
