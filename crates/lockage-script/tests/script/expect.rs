//! Scripts and the statements they hold.

use lockage_script::{SplitError, Splitter, Statement, Syntax};

use crate::reader::Trickle;

pub(crate) type Case = (&'static str, &'static [&'static str]);

pub(crate) fn statements(script: &str, syntax: &'static Syntax) -> Vec<Statement> {
    Splitter::new(script.as_bytes(), syntax)
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error}, in {script:?}"))
}

/// Each script yields these statements, and all bytes of it come back, however it is read.
pub(crate) fn expect(syntax: &'static Syntax, cases: &[Case]) {
    for (script, expected) in cases {
        let found = statements(script, syntax);
        let texts: Vec<_> = found.iter().map(|found| found.text.as_str()).collect();
        assert_eq!(&texts, expected, "in {script:?}");

        for seed in 0..3 {
            let again: Vec<_> = Splitter::new(Trickle::new(script.as_bytes(), seed), syntax)
                .collect::<Result<_, _>>()
                .expect("what could be split at once can be split in small reads");
            assert_eq!(again, found, "in {script:?}");
        }
        assert_eq!(pieces(script.as_bytes(), syntax).0, *script);
    }
}

/// All pieces joined, and the error that ended them.
pub(crate) fn pieces(script: &[u8], syntax: &'static Syntax) -> (String, Option<SplitError>) {
    let mut splitter = Splitter::new(Trickle::new(script, script.len()), syntax);
    let mut joined = String::new();
    loop {
        match splitter.next_piece() {
            Ok(None) => return (joined, None),
            Ok(Some(piece)) => {
                joined.push_str(piece.leading);
                joined.push_str(piece.text);
                joined.push_str(piece.terminator);
            }
            Err(error) => return (joined, Some(error)),
        }
    }
}

pub(crate) fn error(script: &[u8], syntax: &'static Syntax) -> SplitError {
    Splitter::new(script, syntax)
        .find_map(Result::err)
        .unwrap_or_else(|| panic!("no error in {:?}", String::from_utf8_lossy(script)))
}
