use crate::sandbox::Sandbox;

#[test]
fn every_shell_gets_a_script() {
    let sandbox = Sandbox::new();
    // Completions are asked for where nothing is set up yet, or wrongly.
    sandbox.write("lockage.toml", "nonsense = 1");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let call = sandbox.run(&["completions", shell]).succeeds();
        assert!(
            call.out.contains("lockage") && call.out.contains("validate"),
            "{shell}"
        );
    }
    let (code, object) = sandbox.json(&["completions", "bash"]);
    assert_eq!((code, object["shell"].as_str()), (0, Some("bash")));
    assert!(object["script"].as_str().unwrap().contains("validate"));
    assert_eq!(sandbox.run(&["completions", "cmd"]).code, 2);
}
