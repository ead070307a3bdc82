//! What the compiler must refuse. Each program in `ui` names, behind `//~`, the error of every line that is wrong.

mod foreign;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use foreign::Foreign;

/// File, line, code.
type Place = (String, usize, String);

fn expected(ui: &Path, program: &Foreign) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for file in ui.read_dir().unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        places.extend(text.lines().zip(1..).filter_map(|(line, number)| {
            let (_, code) = line.split_once("//~ ")?;
            Some((name.clone(), number, code.to_owned()))
        }));
        program.write(&format!("src/bin/{name}"), &text);
    }
    places
}

/// Reads `src/bin/name.rs:5:13: error[E0599]: …`.
fn place(line: &str) -> Option<Place> {
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
fn nothing_is_written_without_the_lock() {
    let program = Foreign::new("lockage = { path = \"{crates}/lockage\" }\n");
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let expected = expected(&ui, &program);
    assert!(expected.len() > 10);
    let good = program.cargo(&["check", "--bin", "locked_writes"]);
    assert!(good.success, "{}", good.stderr);
    let said = program.cargo(&["check", "--bins", "--keep-going", "--message-format=short"]);
    let found: BTreeSet<Place> = said.stderr.lines().filter_map(place).collect();
    assert_eq!(found, expected, "{}", said.stderr);
}
