//! Small pieces of text.

use std::time::Duration;

/// `12 ms`, `3.4 s`, `2 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// `1 migration`, `3 migrations`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// A paragraph in one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first line of a statement, cut to a width.
pub(crate) fn head(statement: &str, width: usize) -> String {
    let mut lines = statement.trim().lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let cut = first.chars().count() > width;
    let mut head: String = first.chars().take(width).collect();
    if cut || lines.next().is_some() {
        head.push_str(" …");
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_text_read_well() {
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(3_420)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(duration(Duration::from_secs(300)), "5 min");
        assert_eq!(count(1, "migration"), "1 migration");
        assert_eq!(count(0, "migration"), "0 migrations");
        assert_eq!(head("SELECT 1", 80), "SELECT 1");
        assert_eq!(
            head("CREATE TABLE a (\n  id int\n)", 80),
            "CREATE TABLE a ( …"
        );
        assert_eq!(head("SELECT 'äöü'", 9), "SELECT 'ä …");
    }
}
