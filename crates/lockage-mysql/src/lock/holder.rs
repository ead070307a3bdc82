//! Who holds a lock.

use lockage_core::{LockHolder, Result};

use crate::dialect::literal;
use crate::error;
use crate::wire::Wire;

/// Told in place of what the user may not see.
const NOT_SHOWN: &str = "what it does is shown with the right PROCESS";

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
    let sql = format!(
        "SELECT USER, HOST, INFO, COMMAND, TIME, STATE \
         /*M! , IF(MAX_STAGE > 1, CONCAT('stage ', STAGE, ' of ', MAX_STAGE, ', ', ROUND(PROGRESS), ' %'), NULL) */ \
         FROM information_schema.PROCESSLIST WHERE ID = {session}"
    );
    // Where the list cannot be read, the number alone is told.
    let row = wire
        .ask(&sql)
        .await
        .ok()
        .and_then(|sets| sets.into_iter().flatten().next());
    match row {
        Some(row) => {
            let mut columns = row
                .into_iter()
                .map(|column| column.filter(|text| !text.is_empty()));
            let mut next = || columns.next().flatten();
            holder.user = next();
            holder.host = next().map(|host| without_port(&host).to_owned());
            holder.statement = next();
            holder.progress = progress(next().as_deref(), next(), next(), next());
        }
        None => holder.progress = Some(NOT_SHOWN.into()),
    }
    holder.application = application(wire, &session).await;
    holder.session = Some(session);
    Ok(Some(holder))
}

/// What the program of a session calls itself, where the server keeps that and shows it to this account.
async fn application(wire: &mut Wire, session: &str) -> Option<String> {
    for attributes in ["session_connect_attrs", "session_account_connect_attrs"] {
        let sql = format!(
            "SELECT MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)), MAX(IF(ATTR_NAME = '_pid', ATTR_VALUE, NULL)) \
             FROM performance_schema.{attributes} WHERE PROCESSLIST_ID = {session}"
        );
        let Ok(sets) = wire.ask(&sql).await else {
            continue;
        };
        let row = sets.into_iter().flatten().next().unwrap_or_default();
        let mut columns = row.into_iter();
        let mut next = || columns.next().flatten();
        match (next(), next()) {
            (Some(program), Some(process)) => return Some(format!("{program}, process {process}")),
            (Some(program), None) => return Some(program),
            (None, _) => {}
        }
    }
    None
}

/// What a session does, since when, and how far it is where MariaDB tells.
fn progress(
    command: Option<&str>,
    seconds: Option<String>,
    state: Option<String>,
    stage: Option<String>,
) -> Option<String> {
    let doing = match (command?, state) {
        ("Sleep", _) => "idle".to_owned(),
        (_, Some(state)) => lower_first(&state),
        (_, None) => "at work".to_owned(),
    };
    let parts = [
        Some(doing),
        seconds.map(|seconds| format!("for {seconds} s")),
        stage.map(|stage| format!("({stage})")),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
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
    use super::{progress, without_port};

    #[test]
    fn progress_is_told_in_the_words_of_the_server() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            progress(Some("Sleep"), text("3"), None, None),
            text("idle for 3 s")
        );
        assert_eq!(
            progress(
                Some("Query"),
                text("70"),
                text("Waiting for table metadata lock"),
                None
            ),
            text("waiting for table metadata lock for 70 s")
        );
        assert_eq!(
            progress(
                Some("Query"),
                text("9"),
                text("copy to tmp table"),
                text("stage 1 of 2, 40 %")
            ),
            text("copy to tmp table for 9 s (stage 1 of 2, 40 %)")
        );
        assert_eq!(progress(None, None, None, None), None);
    }

    #[test]
    fn a_host_is_shown_without_its_port() {
        assert_eq!(without_port("db:51234"), "db");
        assert_eq!(without_port("localhost"), "localhost");
        assert_eq!(without_port("::1:51234"), "::1");
    }
}
