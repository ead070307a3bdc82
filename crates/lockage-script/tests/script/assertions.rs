//! Assertions on scripts and their statements.

use lockage_script::{ScriptStatement, SplitError, Splitter, Syntax};

use crate::short_reads::ShortReads;

/// A script and the texts of its statements.
pub(crate) type Case = (&'static str, &'static [&'static str]);

pub(crate) fn statements(script: &str, syntax: &'static Syntax) -> Vec<ScriptStatement> {
    Splitter::new(script.as_bytes(), syntax)
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}, in {script:?}"))
}

/// Checks the statements of each script and their positions, with large and with short reads.
pub(crate) fn assert_split(syntax: &'static Syntax, cases: &[Case]) {
    for (script, expected) in cases {
        let found = statements(script, syntax);
        let texts: Vec<_> = found.iter().map(|found| found.text.as_str()).collect();
        assert_eq!(&texts, expected, "in {script:?}");
        assert_positions(script, &found);
        assert_gaps_hold_no_statement(script, syntax, &found);

        for seed in 0..3 {
            let short: Vec<_> = Splitter::new(ShortReads::new(script.as_bytes(), seed), syntax)
                .collect::<Result<_, _>>()
                .expect("the same script as before");
            assert_eq!(short, found, "in {script:?}");
        }
    }
}

/// Checks that each statement is in the script at its position, after the one before it.
pub(crate) fn assert_positions(script: &str, statements: &[ScriptStatement]) {
    let mut previous_end = 0;
    for statement in statements {
        let start = usize::try_from(statement.offset).expect("an offset in a string");
        assert!(previous_end <= start, "{statement:?} in {script:?}");
        assert!(
            script[start..].starts_with(&statement.text),
            "{statement:?} in {script:?}"
        );
        previous_end = start + statement.text.len();
        let before = &script[..start];
        let before = before.strip_prefix('\u{feff}').unwrap_or(before);
        let line = before.matches('\n').count() + 1;
        let line_start = before.rsplit('\n').next().unwrap_or_default();
        let column = line_start.chars().count() + 1;
        assert_eq!(
            (statement.line as usize, statement.column as usize),
            (line, column),
            "{statement:?} in {script:?}"
        );
    }
}

/// Checks that the script up to a statement consists of the statements before it: no text is lost in a gap.
pub(crate) fn assert_gaps_hold_no_statement(
    script: &str,
    syntax: &'static Syntax,
    found: &[ScriptStatement],
) {
    for (index, statement) in found.iter().enumerate() {
        let start = usize::try_from(statement.offset).expect("an offset in a string");
        assert_eq!(
            statements(&script[..start], syntax),
            found[..index],
            "before byte {start} of {script:?}"
        );
    }
}

pub(crate) fn error(script: &[u8], syntax: &'static Syntax) -> SplitError {
    Splitter::new(script, syntax)
        .find_map(Result::err)
        .unwrap_or_else(|| panic!("no error in {:?}", String::from_utf8_lossy(script)))
}
