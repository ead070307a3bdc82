//! Builds the test programs once for all cells.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use lockage_testkit::TestError;

/// A program that Cargo built.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) package: String,
    /// The name of the `[[test]]`, the `[[bin]]` or the library.
    pub(crate) target: String,
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// The folder of the package, which is the current directory of its tests.
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The unit tests of a library or a program.
    Unit,
    Test,
    Program,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds test targets of a workspace and the programs of their packages. An empty target means the unit tests of all libraries, and `None`
/// means all targets. Features are always those of the whole workspace, so that nothing is built twice.
pub(crate) fn build(
    root: &Path,
    manifest: &str,
    targets: Option<&BTreeSet<&str>>,
) -> Result<Vec<Program>, TestError> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-run"]);
    command.arg("--message-format=json-render-diagnostics");
    if !manifest.is_empty() {
        command.args(["--manifest-path", manifest]);
        command.args(["--target-dir", "target"]);
    }
    for target in targets.into_iter().flatten() {
        match *target {
            "" => command.arg("--lib"),
            target => command.args(["--test", target]),
        };
    }
    let mut child = command
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut programs = Vec::new();
    for line in BufReader::new(child.stdout.take().ok_or("the child has no pipe")?).lines() {
        if let Ok(message) = serde_json::from_str::<Message>(&line?) {
            programs.extend(program(message));
        }
    }
    if !child.wait()?.success() {
        return Err("the tests do not build; see the output above".into());
    }
    Ok(programs)
}

/// Returns a command for Cargo without the variables that `cargo run` sets for this program. Build scripts that read them would run again,
/// and Cargo would rebuild everything that depends on them.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

fn program(message: Message) -> Option<Program> {
    let (target, path) = (message.target?, message.executable?);
    let folder = message.manifest_path?.parent()?.to_owned();
    let is = |wanted: &str| target.kind.iter().any(|kind| kind == wanted);
    let kind = match (message.profile?.test, is("test")) {
        _ if message.reason != "compiler-artifact" => return None,
        (true, true) => Kind::Test,
        (true, false) => Kind::Unit,
        (false, _) if is("bin") => Kind::Program,
        (false, _) => return None,
    };
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let package = manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = \""))?;
    Some(Program {
        package: package.trim_end_matches('"').to_owned(),
        target: target.name,
        kind,
        path,
        folder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Program> {
        program(serde_json::from_str(line).unwrap())
    }

    #[test]
    fn program_kind_is_read_from_cargo_message() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let line = |reason: &str, kind: &str, test: bool, executable: &str| {
            parse(&format!(
                r#"{{"reason":"{reason}","manifest_path":"{here}","target":{{"name":"x","kind":["{kind}"]}},
                    "profile":{{"test":{test}}},"executable":{executable}}}"#
            ))
            .map(|program| program.kind)
        };
        let artifact = "compiler-artifact";
        assert_eq!(line(artifact, "test", true, "\"/x\""), Some(Kind::Test));
        assert_eq!(line(artifact, "lib", true, "\"/x\""), Some(Kind::Unit));
        assert_eq!(line(artifact, "bin", false, "\"/x\""), Some(Kind::Program));
        assert_eq!(line(artifact, "custom-build", false, "\"/x\""), None);
        assert_eq!(line(artifact, "lib", true, "null"), None);
        assert_eq!(line("build-finished", "test", true, "\"/x\""), None);
    }

    #[test]
    fn program_package_is_read_from_manifest() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let found = parse(&format!(
            r#"{{"reason":"compiler-artifact","manifest_path":"{here}","target":{{"name":"x","kind":["test"]}},
                "profile":{{"test":true}},"executable":"/x"}}"#
        ));
        assert_eq!(found.unwrap().package, "lockage-test-matrix");
    }
}
