//! Rejects words that make texts hard to read. `docs/style.md` has the glossary.

use super::finding::Finding;
use super::prose::{self, Prose};
use super::source_tree::SourceTree;
use super::word_list::{ALLOWED_WORDS, BANNED_WORDS, BannedWord, has_allow_marker};

/// The page that explains the banned words.
const STYLE_PAGE: &str = "docs/style.md";

pub(super) fn check(tree: &SourceTree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.markdown {
        if file.path != STYLE_PAGE {
            check_text(&prose::of_markdown(file), &file.text, &mut findings);
        }
    }
    for file in &tree.rust {
        if let Err(error) = &file.tokens {
            findings.push(Finding::about(&file.path, format!("invalid Rust: {error}")));
        }
        let is_source = file.path.starts_with("crates/") && file.path.contains("/src/");
        for text in prose::of_rust(file, is_source) {
            check_text(&text, &file.text, &mut findings);
        }
    }
    findings
}

fn check_text(prose: &Prose, source: &str, findings: &mut Vec<Finding>) {
    let words = words(&prose.text);
    for (word, suggestion) in matches(&words) {
        let line = prose.line + prose.text[..word.1].matches('\n').count();
        let phrase = word.0;
        let source_line = source.lines().nth(line - 1).unwrap_or_default();
        let allowed = ALLOWED_WORDS
            .iter()
            .any(|(path, allowed)| *path == prose.path && *allowed == phrase);
        if !allowed && !has_allow_marker(source_line, phrase) {
            let message = format!("banned word \"{phrase}\"; write: {suggestion}");
            findings.push(Finding::at(&prose.path, line, message));
        }
    }
}

/// A word in lower case and the positions of its start and end.
type Word = (String, usize, usize);

/// Splits a text into words. A punctuation mark is a word of its own, so that a phrase does not match across it.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (index, c) in text.char_indices() {
        let end = index + c.len_utf8();
        let is_letter = c.is_alphanumeric() || matches!(c, '_' | '\'' | '-');
        match words.last_mut() {
            Some((word, _, word_end)) if is_letter && *word_end == index && word != "\0" => {
                word.extend(c.to_lowercase());
                *word_end = end;
            }
            _ if is_letter => words.push((c.to_lowercase().collect(), index, end)),
            _ if !c.is_whitespace() => words.push(("\0".into(), index, end)),
            _ => {}
        }
    }
    words
}

/// Returns each banned phrase with its position and its suggestion.
fn matches(words: &[Word]) -> impl Iterator<Item = ((&'static str, usize), &'static str)> {
    (0..words.len()).filter_map(|start| {
        let is_here = |(phrase, _): &&BannedWord| {
            let mut expected = phrase.split(' ');
            let mut found = words[start..].iter();
            expected.all(|word| found.next().is_some_and(|(found, ..)| found == word))
        };
        // The longest phrase wins: "stands in" is also "stands".
        let (phrase, suggestion) = BANNED_WORDS
            .iter()
            .filter(is_here)
            .max_by_key(|(phrase, _)| phrase.len())?;
        Some(((*phrase, words[start].1), *suggestion))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let findings = check(&SourceTree::of(&[(path, text)]));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn banned_word_in_markdown_is_reported() {
        assert_eq!(
            findings("docs/a.md", "Fine.\n\nThe lock is\n\nWhoever `told` me.\n"),
            [
                "docs/a.md:5: banned word \"whoever\"; write: name the actor: the caller, the session"
            ]
        );
    }

    #[test]
    fn phrase_matches_across_lines() {
        let found = findings("README.md", "The statement is in\nhand.");
        assert_eq!(
            found,
            ["README.md:1: banned word \"in hand\"; write: running, current"]
        );
    }

    #[test]
    fn banned_word_in_doc_comment_or_message_is_reported() {
        let text = "//! Fine.\n/// A\n/// neighbour.\nfn f() { g(\"told\"); /* told */ }\n#[cfg(test)]\nmod tests { const A: &str = \"told\"; }\n";
        let found = findings("crates/a/src/lib.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/lib.rs:3: banned word \"neighbour\""));
        assert!(found[1].starts_with("crates/a/src/lib.rs:4: banned word \"told\""));
        // A string in a test is not a message.
        assert_eq!(findings("crates/a/tests/a.rs", text).len(), 1);
    }

    #[test]
    fn allow_marker_accepts_a_word() {
        let text = "const A: &str = \"told\"; // tidy: allow(told)\n";
        assert!(findings("crates/a/src/lib.rs", text).is_empty());
    }
}
