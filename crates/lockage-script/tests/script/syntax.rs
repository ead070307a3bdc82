use lockage_script::{Bodies, SQLITE, Splitter, Syntax};

fn texts(script: &str, syntax: &'static Syntax) -> Vec<String> {
    Splitter::new(script.as_bytes(), syntax)
        .map(|found| found.expect("a valid script").text)
        .collect()
}

#[test]
fn new_syntax_follows_standard_sql() {
    static STANDARD: Syntax = Syntax::new("standard SQL");
    assert_eq!(
        texts(
            "SELECT '\\;'; /* ; */ SELECT \"a;\" -- b;\n; SELECT `c; SELECT [d;",
            &STANDARD
        ),
        ["SELECT '\\;'", "SELECT \"a;\"", "SELECT `c", "SELECT [d"]
    );
}

#[test]
fn setter_changes_only_its_rule() {
    static WITHOUT_BODIES: Syntax = SQLITE.with_name("Other").with_bodies(Bodies::None);
    assert_eq!(WITHOUT_BODIES.name, "Other");
    assert_eq!(
        texts(
            "CREATE TRIGGER `t;` AFTER INSERT ON a BEGIN SELECT 1; END;",
            &WITHOUT_BODIES
        ),
        [
            "CREATE TRIGGER `t;` AFTER INSERT ON a BEGIN SELECT 1",
            "END"
        ]
    );
}
