use lockage_script::{MYSQL, POSTGRES, SQLSERVER, Syntax, leading_words};

#[test]
fn leading_words_skip_comments_and_keep_literals() {
    let cases: &[(&Syntax, &str, usize, &[&str])] = &[
        (
            &POSTGRES,
            "create /* or */ Table t(a)",
            2,
            &["CREATE", "TABLE"],
        ),
        (
            &POSTGRES,
            "create table t(a)",
            9,
            &["CREATE", "TABLE", "T", "(", "A", ")"],
        ),
        (
            &POSTGRES,
            "-- x\nselect 'a;b', \"c\", $$d$$, 12",
            9,
            &["SELECT", "'a;b'", ",", "\"c\"", ",", "$$d$$", ",", "12"],
        ),
        (&POSTGRES, "drop größe", 2, &["DROP", "GRÖSSE"]),
        (&POSTGRES, "select 'never closed", 3, &["SELECT"]),
        (&POSTGRES, "", 3, &[]),
        (&POSTGRES, "a b", 0, &[]),
        (
            &MYSQL,
            "/*!40101 set names utf8 */",
            3,
            &["SET", "NAMES", "UTF8"],
        ),
        (&MYSQL, "# c\nset @a = 1", 3, &["SET", "@A", "="]),
        (&SQLSERVER, ";with #a as [b]", 4, &[";", "WITH", "#A", "AS"]),
    ];
    for (syntax, text, count, expected) in cases {
        assert_eq!(
            leading_words(text, syntax, *count),
            *expected,
            "in {text:?}"
        );
    }
}

#[test]
fn leading_words_skip_long_comment() {
    let text = format!("/* {} */ SELECT 1", "x\n".repeat(10_000));
    assert_eq!(leading_words(&text, &POSTGRES, 2), ["SELECT", "1"]);
}
