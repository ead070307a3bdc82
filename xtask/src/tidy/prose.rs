//! Extracts the texts that users and maintainers read: Markdown, doc comments and string literals.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::source_tree::{RustFile, TextFile};
use super::tokens::without_tests;

/// A text and its position. Code in it is replaced by spaces.
#[derive(Debug)]
pub(super) struct Prose {
    pub(super) path: String,
    /// The line of the first character.
    pub(super) line: usize,
    pub(super) text: String,
}

/// Returns the text of a Markdown file.
pub(super) fn of_markdown(file: &TextFile) -> Prose {
    Prose {
        path: file.path.clone(),
        line: 1,
        text: without_code(&file.text),
    }
}

/// Returns the doc comments of a Rust file. With `with_strings`, also returns its string literals outside of unit tests.
pub(super) fn of_rust(file: &RustFile, with_strings: bool) -> Vec<Prose> {
    let mut texts = Vec::new();
    if let Ok(tokens) = &file.tokens {
        doc_comments(file, tokens.clone(), &mut texts);
        if with_strings {
            strings(file, tokens.clone(), &mut texts);
        }
    }
    texts
}

/// Collects doc comments. The lines of a comment are one text, since a phrase may continue on the next line.
fn doc_comments(file: &RustFile, tokens: TokenStream, texts: &mut Vec<Prose>) {
    let mut current: Option<(usize, Vec<String>)> = None;
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if matches!(punct.as_char(), '#' | '!') => continue,
            TokenTree::Group(group) => {
                if let Some((line, text)) = doc_line(group) {
                    match &mut current {
                        Some((start, lines)) if line == *start + lines.len() => lines.push(text),
                        _ => {
                            push_comment(file, current.take(), texts);
                            current = Some((line, vec![text]));
                        }
                    }
                    continue;
                }
                doc_comments(file, group.stream(), texts);
            }
            _ => {}
        }
        push_comment(file, current.take(), texts);
    }
    push_comment(file, current, texts);
}

fn push_comment(file: &RustFile, comment: Option<(usize, Vec<String>)>, texts: &mut Vec<Prose>) {
    if let Some((line, lines)) = comment {
        texts.push(Prose {
            path: file.path.clone(),
            line,
            text: without_code(&lines.join("\n")),
        });
    }
}

/// Returns the line and the text of an attribute `[doc = "text"]`.
fn doc_line(group: &Group) -> Option<(usize, String)> {
    if group.delimiter() != Delimiter::Bracket {
        return None;
    }
    let mut tokens = group.stream().into_iter();
    match (tokens.next()?, tokens.next()?, tokens.next()?) {
        (TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Literal(text))
            if name == "doc" =>
        {
            Some((text.span().start().line, text.to_string()))
        }
        _ => None,
    }
}

fn strings(file: &RustFile, tokens: TokenStream, texts: &mut Vec<Prose>) {
    for token in without_tests(tokens) {
        match &token {
            TokenTree::Group(group) if doc_line(group).is_none() => {
                strings(file, group.stream(), texts);
            }
            TokenTree::Literal(literal) => {
                let source = literal.to_string();
                if source.contains('"') {
                    texts.push(Prose {
                        path: file.path.clone(),
                        line: literal.span().start().line,
                        // An escape must not join the words around it.
                        text: without_code(&source.replace("\\n", "  ").replace("\\\n", "  \n")),
                    });
                }
            }
            _ => {}
        }
    }
}

/// Replaces code blocks, inline code and link targets by spaces. Keeps all line breaks.
fn without_code(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    let mut in_block = false;
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            prose.push('\n');
        }
        let content = line.trim_start_matches(['"', ' ', '>']);
        if content.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            prose.push_str(line);
        }
    }
    blank_between(&blank_between(&prose, "`", "`"), "](", ")")
}

/// Replaces the text between two delimiters, which are in one paragraph, by spaces.
fn blank_between(text: &str, open: &str, close: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let inner = &rest[start + open.len()..];
        let Some(length) = inner
            .find(close)
            .filter(|end| !inner[..*end].contains("\n\n"))
        else {
            break;
        };
        kept.push_str(&rest[..start]);
        kept.extend(
            inner[..length]
                .chars()
                .map(|c| if c == '\n' { c } else { ' ' }),
        );
        // A separator, so that the words on both sides are not read as one phrase.
        kept.push_str(" ; ");
        rest = &inner[length + close.len()..];
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_not_prose() {
        let text = without_code("a `b` c\n```sh\nd\n```\n[e](f) g");
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(words, ["a", ";", "c", "[e", ";", "g"]);
        assert_eq!(text.lines().count(), 5);
    }
}
