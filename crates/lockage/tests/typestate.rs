//! Programs that the compiler must reject. Each program in `ui` names the error of each invalid line after `//~`.

mod external_crate;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use external_crate::ExternalCrate;

/// File, line and error code.
type CompileError = (String, usize, String);

fn expected(ui: &Path, program: &ExternalCrate) -> BTreeSet<CompileError> {
    let mut errors = BTreeSet::new();
    for file in ui.read_dir().unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        errors.extend(text.lines().zip(1..).filter_map(|(line, number)| {
            let (_, code) = line.split_once("//~ ")?;
            Some((name.clone(), number, code.to_owned()))
        }));
        program.write(&format!("src/bin/{name}"), &text);
    }
    errors
}

/// Parses `src/bin/name.rs:5:13: error[E0599]: …`.
fn parse_error(line: &str) -> Option<CompileError> {
    let (at, message) = line.strip_prefix("src/bin/")?.split_once(": error")?;
    let mut at = at.split(':');
    let code = message.strip_prefix('[')?.split(']').next()?;
    Some((
        at.next()?.to_owned(),
        at.next()?.parse().ok()?,
        code.to_owned(),
    ))
}

#[test]
fn code_without_lock_cannot_write() {
    let program = ExternalCrate::new("lockage = { path = \"{crates}/lockage\" }\n");
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let expected = expected(&ui, &program);
    assert!(expected.len() > 10);
    let good = program.cargo(&["check", "--bin", "locked_writes"]);
    assert!(good.success, "{}", good.stderr);
    let output = program.cargo(&["check", "--bins", "--keep-going", "--message-format=short"]);
    let found: BTreeSet<CompileError> = output.stderr.lines().filter_map(parse_error).collect();
    assert_eq!(found, expected, "{}", output.stderr);
}
