//! Describes the holder of a lock.

use lockage_core::{LockHolder, Result};

use crate::dialect::literal;
use crate::driver::{DriverConnection, first_value};

/// Reported as the progress of a session that the user may not see.
const HIDDEN_HOLDER: &str = "its activity is visible with the privilege PROCESS";

/// Returns the holder of a lock.
///
/// Every user can see the number of its session. The rest comes from the process list, in which a user without the privilege `PROCESS`
/// sees only sessions of its own account.
pub(crate) async fn holder(
    driver: &mut DriverConnection,
    name: &str,
) -> Result<Option<LockHolder>> {
    let name = literal(name);
    let sets = driver.run(&format!("SELECT IS_USED_LOCK({name})")).await?;
    let Some(session) = first_value(sets) else {
        return Ok(None);
    };
    let mut holder = LockHolder::default();
    read_process_list(driver, &session, &mut holder).await;
    holder.application = application(driver, &session).await;
    holder.session = Some(session);
    Ok(Some(holder))
}

/// Adds what the process list shows about a session.
async fn read_process_list(driver: &mut DriverConnection, session: &str, holder: &mut LockHolder) {
    let sql = format!(
        "SELECT USER, HOST, INFO, COMMAND, TIME, STATE \
         /*M! , IF(MAX_STAGE > 1, CONCAT('stage ', STAGE, ' of ', MAX_STAGE, ', ', ROUND(PROGRESS), ' %'), NULL) */ \
         FROM information_schema.PROCESSLIST WHERE ID = {session}"
    );
    // If the list cannot be read, only the number of the session is reported.
    let sets = driver.query_sets(&sql).await.ok();
    let Some(row) = sets.and_then(|sets| sets.into_iter().flatten().next()) else {
        holder.progress = Some(HIDDEN_HOLDER.into());
        return;
    };
    let mut columns = row
        .into_iter()
        .map(|column| column.filter(|text| !text.is_empty()));
    let mut next = || columns.next().flatten();
    holder.user = next();
    holder.host = next().map(|host| without_port(&host).to_owned());
    holder.statement = next();
    holder.progress = progress(next().as_deref(), next(), next(), next());
}

/// Returns the name and process id of a session's program, if the server stores them and shows them to this account.
async fn application(driver: &mut DriverConnection, session: &str) -> Option<String> {
    for attributes in ["session_connect_attrs", "session_account_connect_attrs"] {
        let sql = format!(
            "SELECT MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)), MAX(IF(ATTR_NAME = '_pid', ATTR_VALUE, NULL)) \
             FROM performance_schema.{attributes} WHERE PROCESSLIST_ID = {session}"
        );
        let Ok(sets) = driver.query_sets(&sql).await else {
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

/// Returns what a session does, for how long, and at which stage it is (MariaDB).
fn progress(
    command: Option<&str>,
    seconds: Option<String>,
    state: Option<String>,
    stage: Option<String>,
) -> Option<String> {
    let activity = match (command?, state) {
        ("Sleep", _) => "idle".to_owned(),
        (_, Some(state)) => lower_first(&state),
        (_, None) => "active".to_owned(),
    };
    let parts = [
        Some(activity),
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

/// Removes the port from `host:port`.
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
    fn progress_uses_words_of_the_server() {
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
    fn port_is_stripped_from_host() {
        assert_eq!(without_port("db:51234"), "db");
        assert_eq!(without_port("localhost"), "localhost");
        assert_eq!(without_port("::1:51234"), "::1");
    }
}
