//! Where nobody reads what is written.

use std::fs::File;
use std::process::Stdio;

use crate::sandbox::{Call, Sandbox};

#[test]
fn whoever_has_read_enough_may_go() {
    let sandbox = Sandbox::new();
    for args in [&["backends"][..], &["completions", "zsh"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command(args).stdout(writer).output().unwrap();
        let call = Call::of(&output).succeeds();
        assert_eq!(call.err, "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let sandbox = Sandbox::new();
    for args in [&["backends"][..], &["backends", "--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let child = sandbox
            .command(args)
            .stdout(Stdio::from(full))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let call = Call::of(&child.wait_with_output().unwrap());
        assert_eq!(call.code, 1, "{call:?}");
        assert!(
            call.err.starts_with("cannot write to standard output: "),
            "{call:?}"
        );
    }
}
