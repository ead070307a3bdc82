//! Standard output that cannot be written.

use std::fs::File;
use std::process::Stdio;

use crate::sandbox::{CallResult, Sandbox};

#[test]
fn broken_stdout_pipe_is_not_an_error() {
    let sandbox = Sandbox::new();
    for args in [&["backends"][..], &["completions", "zsh"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command(args).stdout(writer).output().unwrap();
        let call = CallResult::from_output(&output).expect_success();
        assert_eq!(call.err, "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn unwritable_stdout_exits_with_1() {
    let sandbox = Sandbox::new();
    for args in [&["backends"][..], &["backends", "--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let child = sandbox
            .command(args)
            .stdout(Stdio::from(full))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let call = CallResult::from_output(&child.wait_with_output().unwrap());
        assert_eq!(call.code, 1, "{call:?}");
        assert!(
            call.err.starts_with("cannot write to standard output: "),
            "{call:?}"
        );
    }
}
