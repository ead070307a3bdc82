//! The text in a lock file that describes the holder: one `field=value` a line. Other versions read it.

use std::time::SystemTime;

use lockage_core::LockHolder;

/// Returns the text for this process.
pub(super) fn format_holder(since: &str, migration: Option<&str>) -> String {
    format!(
        "pid={}\nhost={}\napplication=lockage {}\nsince={since}\nmigration={}\n",
        std::process::id(),
        lockage_sql::client_host(),
        env!("CARGO_PKG_VERSION"),
        migration.unwrap_or_default().replace('\n', " "),
    )
}

/// Parses the text. Missing and empty fields are `None`.
pub(super) fn parse_holder(text: &str) -> LockHolder {
    let field = |name: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let mut holder = LockHolder::default();
    holder.session = field("pid");
    holder.host = field("host");
    holder.application = field("application");
    holder.since = field("since");
    holder.migration = field("migration");
    holder
}

/// Returns the current time in RFC 3339.
pub(super) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
