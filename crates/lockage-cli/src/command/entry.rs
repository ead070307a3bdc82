//! Columns that the tables of `status` and `repair` share.

use comfy_table::Color;
use lockage::Kind;
use lockage::status::{MigrationEntry, MigrationStatus};

/// Returns the version, or the text in the history if it is not a valid version. Repeatable migrations have none.
pub(super) fn entry_version(entry: &MigrationEntry) -> Option<String> {
    match (&entry.version, &entry.row) {
        (Some(version), _) => Some(version.to_string()),
        (None, Some(row)) if entry.kind != Kind::Repeatable => Some(row.version.clone()),
        (None, _) => None,
    }
}

/// Returns the colour of a status.
pub(super) fn status_color(status: MigrationStatus) -> Color {
    match status {
        MigrationStatus::Applied => Color::Green,
        MigrationStatus::Pending | MigrationStatus::Running => Color::Yellow,
        MigrationStatus::Ignored | MigrationStatus::Future => Color::Blue,
        _ => Color::Red,
    }
}

/// Formats a state, with the number of committed statements if the migration is not complete.
pub(super) fn format_state(state: &str, done: Option<u32>, total: Option<u32>) -> String {
    match (state, done, total) {
        ("failed" | "running", Some(done), Some(total)) => format!("{state} ({done}/{total})"),
        _ => state.to_owned(),
    }
}

/// Formats `2026-01-31T09:30:00.123Z` without the fraction of a second.
pub(super) fn format_time(time: Option<&str>) -> String {
    let time = time.unwrap_or_default();
    match time.split_once('.') {
        Some((seconds, fraction)) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{seconds}{zone}")
        }
        None => time.to_owned(),
    }
}
