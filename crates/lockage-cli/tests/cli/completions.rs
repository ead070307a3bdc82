use crate::sandbox::Sandbox;

#[test]
fn every_shell_has_a_completion_script() {
    let sandbox = Sandbox::new();
    // An invalid configuration file must not prevent completions.
    sandbox.write("lockage.toml", "nonsense = 1");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let call = sandbox.run(&["completions", shell]).expect_success();
        assert!(
            call.out.contains("lockage") && call.out.contains("validate"),
            "{shell}"
        );
    }
    for value in ["advisory", "not-applied"] {
        let call = sandbox.run(&["completions", "bash"]).expect_success();
        assert!(call.out.contains(value), "{value}");
    }
    let (code, object) = sandbox.run_json(&["completions", "bash"]);
    assert_eq!((code, object["shell"].as_str()), (0, Some("bash")));
    assert!(object["script"].as_str().unwrap().contains("validate"));
    assert_eq!(sandbox.run(&["completions", "cmd"]).code, 2);
}
