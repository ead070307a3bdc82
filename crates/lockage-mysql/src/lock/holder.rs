//! Who holds a lock.

use lockage_core::{LockHolder, Result};

use crate::dialect::literal;
use crate::error;
use crate::wire::Wire;

/// Told in place of what the user may not see.
const NOT_SHOWN: &str = "more is shown with the right PROCESS";

/// The holder of a lock. The number of its session every user may see; the rest stands in the process list, where a user without the right
/// `PROCESS` sees only sessions of its own account.
pub(crate) async fn holder(wire: &mut Wire, name: &str) -> Result<Option<LockHolder>> {
    let name = literal(name);
    let sets = wire
        .run(&format!("SELECT IS_USED_LOCK({name})"))
        .await
        .map_err(|broken| error::plain(broken.error))?;
    let Some(session) = sets
        .into_iter()
        .flatten()
        .next()
        .and_then(|row| row.into_iter().next()?)
    else {
        return Ok(None);
    };
    let mut holder = LockHolder::default();
    let sql =
        format!("SELECT USER, HOST, INFO FROM information_schema.PROCESSLIST WHERE ID = {session}");
    // Where the list cannot be read, the number alone is told.
    let row = wire
        .ask(&sql)
        .await
        .ok()
        .and_then(|sets| sets.into_iter().flatten().next());
    match row {
        Some(row) => {
            let mut columns = row.into_iter();
            let mut next = || columns.next().flatten();
            holder.user = next();
            holder.host = next().map(|host| without_port(&host).to_owned());
            holder.statement = next();
        }
        None => holder.application = Some(NOT_SHOWN.into()),
    }
    holder.session = Some(session);
    Ok(Some(holder))
}

/// The process list shows `host:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_host_is_shown_without_its_port() {
        assert_eq!(without_port("db:51234"), "db");
        assert_eq!(without_port("localhost"), "localhost");
        assert_eq!(without_port("::1:51234"), "::1");
    }
}
