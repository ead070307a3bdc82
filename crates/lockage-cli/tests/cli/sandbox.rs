//! A working directory in which tests run the program.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary working directory with a folder `migrations`.
pub(crate) struct Sandbox {
    folder: TempDir,
}

/// Exit code and output of a call of the program.
#[derive(Debug)]
pub(crate) struct CallResult {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("migrations")).unwrap();
        Self { folder }
    }

    /// Creates a sandbox with migrations, which are pairs of file name and text.
    pub(crate) fn with_migrations(files: &[(&str, &str)]) -> Self {
        let sandbox = Self::new();
        for (name, text) in files {
            sandbox.write_migration(name, text);
        }
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the working directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Writes a file into the folder `migrations`.
    pub(crate) fn write_migration(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(&format!("migrations/{name}"), text);
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Returns the sorted names in a folder.
    pub(crate) fn file_names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Returns the program in this working directory, without the environment variables that it reads.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command_in(self.folder.path(), args)
    }

    pub(crate) fn run(&self, args: &[&str]) -> CallResult {
        CallResult::from_output(&self.command(args).output().unwrap())
    }

    /// Runs the program with environment variables.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], args: &[&str]) -> CallResult {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        CallResult::from_output(&command.output().unwrap())
    }

    /// Runs the program with `--json` and returns the exit code and the object.
    pub(crate) fn run_json(&self, args: &[&str]) -> (i32, Value) {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let call = self.run(&args);
        let object = call.object();
        (call.code, object)
    }

    /// Runs several processes concurrently with `--json`, asserts that all succeed, and returns their objects.
    pub(crate) fn run_concurrently(&self, processes: usize, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let started: Vec<_> = (0..processes)
            .map(|_| {
                self.command(&args)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let result = |child: Child| CallResult::from_output(&child.wait_with_output().unwrap());
        started
            .into_iter()
            .map(|child| result(child).expect_success().object())
            .collect()
    }

    /// Asserts that a call fails with `code`, with all `parts` on standard error and nothing on standard output. Asserts the same with
    /// `--json` and returns the object of the error.
    pub(crate) fn expect_failure(&self, args: &[&str], code: i32, parts: &[&str]) -> Value {
        let call = self.run(args);
        assert_eq!(call.code, code, "{call:?}");
        assert_eq!(call.out, "", "{call:?}");
        for part in parts {
            assert!(call.err.contains(part), "{part} is not in {}", call.err);
        }
        let (json_code, object) = self.run_json(args);
        assert_eq!(json_code, code, "{object}");
        assert_eq!(object["outcome"], "failed", "{object}");
        let error = object["error"].clone();
        assert!(error["kind"].is_string(), "{object}");
        let message = error["message"].as_str().unwrap();
        assert!(
            call.err.contains(message),
            "{message} is not in {}",
            call.err
        );
        error
    }
}

impl CallResult {
    pub(crate) fn from_output(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Returns the single object on standard output.
    pub(crate) fn object(&self) -> Value {
        let lines: Vec<&str> = self.out.lines().collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        let object: Value = serde_json::from_str(lines[0]).unwrap();
        assert!(object.is_object(), "{self:?}");
        assert!(object["outcome"].is_string(), "{self:?}");
        object
    }

    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

fn command_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockage"));
    command.current_dir(folder).args(args);
    for (name, _) in std::env::vars_os() {
        let is_setting = name.to_string_lossy().starts_with("LOCKAGE_");
        if is_setting || name == "DATABASE_URL" || name == "NO_COLOR" {
            command.env_remove(name);
        }
    }
    command
}
