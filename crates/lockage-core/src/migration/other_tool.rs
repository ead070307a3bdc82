//! Marks of other migration tools in a script.

/// A line with which another tool begins a part of a file. Lockage would run the part that undoes a migration, too.
pub(super) struct Mark {
    pub(super) tool: &'static str,
    pub(super) mark: &'static str,
}

const MARKS: [Mark; 6] = [
    Mark {
        // https://github.com/amacneil/dbmate#creating-migrations
        tool: "dbmate",
        mark: "-- migrate:down",
    },
    Mark {
        // https://pressly.github.io/goose/documentation/annotations/
        tool: "goose",
        mark: "-- +goose Down",
    },
    Mark {
        // https://github.com/rubenv/sql-migrate#writing-migrations
        tool: "sql-migrate",
        mark: "-- +migrate Down",
    },
    Mark {
        // https://docs.liquibase.com/concepts/changelogs/sql-format.html
        tool: "Liquibase",
        mark: "--liquibase formatted sql",
    },
    Mark {
        // https://mybatis.org/migrations/newcreate.html
        tool: "MyBatis Migrations",
        mark: "-- //@UNDO",
    },
    Mark {
        tool: "MyBatis Migrations",
        mark: "--//@UNDO",
    },
];

/// Returns the mark that a line begins with. Case and the amount of white space do not matter.
pub(super) fn find_mark(line: &str) -> Option<&'static Mark> {
    let comment = words(line)?;
    MARKS.iter().find(|mark| {
        let expected = words(mark.mark).unwrap_or_default();
        let mut found = comment.iter();
        expected.iter().all(|word| {
            found
                .next()
                .is_some_and(|found| found.eq_ignore_ascii_case(word))
        })
    })
}

/// Returns the words of a comment after `--`; `None` if the line is no comment.
fn words(line: &str) -> Option<Vec<&str>> {
    let comment = line.trim_start().strip_prefix("--")?;
    Some(comment.split_whitespace().take(3).collect())
}
