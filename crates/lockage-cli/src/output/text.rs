//! Formatting of durations, counts and statements.

use std::time::Duration;

/// Formats a duration as `12 ms`, `3.4 s` or `2 min 5 s`.
pub(crate) fn format_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Formats a count as `1 migration` or `3 migrations`.
pub(crate) fn format_count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// Joins the lines of a paragraph.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the first line of a statement, cut to `width` characters, with ` …` if anything was left out.
pub(crate) fn first_line(statement: &str, width: usize) -> String {
    let mut lines = statement.trim().lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let cut = first.chars().count() > width;
    let mut line: String = first.chars().take(width).collect();
    if cut || lines.next().is_some() {
        line.push_str(" …");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_counts_and_statements_are_formatted() {
        assert_eq!(format_duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(format_duration(Duration::from_millis(3_420)), "3.4 s");
        assert_eq!(format_duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(format_duration(Duration::from_secs(300)), "5 min");
        assert_eq!(format_count(1, "migration"), "1 migration");
        assert_eq!(format_count(0, "migration"), "0 migrations");
        assert_eq!(first_line("SELECT 1", 80), "SELECT 1");
        assert_eq!(
            first_line("CREATE TABLE a (\n  id int\n)", 80),
            "CREATE TABLE a ( …"
        );
        assert_eq!(first_line("SELECT 'äöü'", 9), "SELECT 'ä …");
    }
}
