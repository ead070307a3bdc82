//! Long functions need a stated reason.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::finding::Finding;
use super::source_tree::{RustFile, SourceTree};

/// The longest function without a stated reason.
const MAX_LINES: usize = 60;

/// The start of a comment that states the reason, directly above the function.
const REASON: &str = "// Long because";

/// A function and its lines.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) path: String,
    pub(super) name: String,
    /// The line of the keyword `fn`.
    pub(super) line: usize,
    pub(super) lines: usize,
    has_reason: bool,
}

pub(super) fn check(tree: &SourceTree) -> Vec<Finding> {
    functions(tree)
        .iter()
        .filter(|function| function.lines > MAX_LINES && !function.has_reason)
        .map(|function| {
            let message = format!(
                "the function `{}` has {} lines, more than {MAX_LINES}; split it, or add a comment `{REASON} ...` directly above it",
                function.name, function.lines
            );
            Finding::at(&function.path, function.line, message)
        })
        .collect()
}

/// Returns all functions, the longest first.
pub(super) fn functions(tree: &SourceTree) -> Vec<Function> {
    let mut functions = Vec::new();
    for file in &tree.rust {
        if let Ok(tokens) = &file.tokens {
            collect(file, tokens.clone(), &mut functions);
        }
    }
    functions.sort_by_key(|function| std::cmp::Reverse(function.lines));
    functions
}

fn collect(file: &RustFile, tokens: TokenStream, functions: &mut Vec<Function>) {
    /// The name and the line of a signature whose body has not been found yet.
    type Signature = Option<(String, usize)>;

    let mut signature: Signature = None;
    let mut after_fn = None;
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if ident == "fn" => {
                after_fn = Some(ident.span().start().line);
                continue;
            }
            TokenTree::Ident(ident) => {
                if let Some(line) = after_fn {
                    signature = Some((ident.to_string(), line));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => signature = None,
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Brace
                    && let Some((name, line)) = signature.take()
                {
                    functions.push(Function {
                        path: file.path.clone(),
                        name,
                        line,
                        lines: group.span_close().end().line - line + 1,
                        has_reason: has_reason(&file.text, line),
                    });
                }
                collect(file, group.stream(), functions);
            }
            _ => {}
        }
        after_fn = None;
    }
}

/// Returns whether a comment above the function states a reason. Doc comments and attributes may be in between.
fn has_reason(text: &str, line: usize) -> bool {
    let above: Vec<&str> = text.lines().take(line - 1).collect();
    above
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("//") || line.starts_with('#'))
        .any(|line| line.starts_with(REASON))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(head: &str, body_lines: usize) -> Vec<String> {
        let text = format!("{head}fn f() {{\n{}}}\n", "g();\n".repeat(body_lines));
        let findings = check(&SourceTree::of(&[("crates/a/src/lock.rs", &text)]));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn long_function_without_reason_is_reported() {
        assert!(findings("", 58).is_empty());
        let found = findings("\n", 59);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("crates/a/src/lock.rs:2: the function `f` has 61 lines"),
            "{found:?}"
        );
    }

    #[test]
    fn reason_above_attributes_is_accepted() {
        let head = "// Long because each step depends on the one before.\n/// Docs.\n#[must_use]\n";
        assert!(findings(head, 59).is_empty());
        assert_eq!(findings("// It is long.\n", 59).len(), 1);
    }
}
