//! A cursor over the tokens of a statement.

use lockage_sql::script::tokens;

use crate::dialect::DIALECT;

/// The tokens of a statement, read from the front.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t> {
    tokens: Vec<&'t str>,
    at: usize,
}

/// The name of an object, with its database if the statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) database: Option<String>,
    pub(crate) name: String,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            tokens: tokens(text, DIALECT.syntax).collect(),
            at: 0,
        }
    }

    /// Returns the next token.
    pub(super) fn peek(&self) -> Option<&'t str> {
        self.lookahead(0)
    }

    /// Returns the token `count` tokens after the next.
    pub(super) fn lookahead(&self, count: usize) -> Option<&'t str> {
        self.tokens.get(self.at + count).copied()
    }

    /// Consumes the next token.
    pub(super) fn next(&mut self) -> Option<&'t str> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// Returns whether the next tokens are these keywords.
    pub(super) fn peek_keyword(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(count, word)| is_keyword(self.lookahead(count), word))
    }

    /// Consumes these keywords if they are next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.peek_keyword(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Consumes one of these keywords if it is next.
    pub(super) fn eat_any(&mut self, words: &[&str]) -> Option<&'t str> {
        let token = self.peek()?;
        words
            .iter()
            .any(|word| is_keyword(Some(token), word))
            .then(|| {
                self.at += 1;
                token
            })
    }

    /// Consumes all tokens up to and including the first such keyword outside parentheses. Returns `false` if the keyword does not
    /// occur; all tokens are consumed then.
    pub(super) fn skip_past(&mut self, word: &str) -> bool {
        let mut depth = 0_u32;
        while let Some(token) = self.next() {
            match token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ if depth == 0 && is_keyword(Some(token), word) => return true,
                _ => {}
            }
        }
        false
    }

    /// Consumes a name, with or without its database.
    pub(super) fn name(&mut self) -> Option<Name> {
        let first = unquoted(self.next()?)?;
        if self.peek() != Some(".") {
            return Some(Name {
                database: None,
                name: first,
            });
        }
        self.next();
        Some(Name {
            database: Some(first),
            name: unquoted(self.next()?)?,
        })
    }

    /// Consumes names that are separated by commas.
    pub(super) fn names(&mut self) -> Option<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.eat(&[","]) {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// Splits the remaining tokens at commas outside parentheses.
    pub(super) fn parts(&self) -> Vec<Self> {
        let mut depth = 0_u32;
        let mut parts = vec![Vec::new()];
        for token in self.remaining() {
            match *token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => {
                    parts.push(Vec::new());
                    continue;
                }
                _ => {}
            }
            if let Some(part) = parts.last_mut() {
                part.push(*token);
            }
        }
        parts
            .into_iter()
            .map(|tokens| Self { tokens, at: 0 })
            .collect()
    }

    /// Returns whether the remaining tokens contain a keyword outside parentheses.
    pub(super) fn contains(&self, word: &str) -> bool {
        self.clone().skip_past(word)
    }

    /// Returns whether the remaining tokens contain these keywords one after the other, also inside parentheses.
    pub(super) fn contains_anywhere(&self, words: &[&str]) -> bool {
        self.remaining().windows(words.len()).any(|tokens| {
            let mut pairs = tokens.iter().zip(words);
            pairs.all(|(token, word)| is_keyword(Some(token), word))
        })
    }

    /// Returns the remaining tokens.
    pub(super) fn remaining(&self) -> &[&'t str] {
        &self.tokens[self.at.min(self.tokens.len())..]
    }
}

/// Returns whether a token is an unquoted keyword, in upper or lower case.
fn is_keyword(token: Option<&str>, word: &str) -> bool {
    token.is_some_and(|token| token.eq_ignore_ascii_case(word))
}

/// Returns the name in a token; `None` if the token is not a name.
pub(super) fn unquoted(token: &str) -> Option<String> {
    match token.strip_prefix('`') {
        Some(quoted) => Some(quoted.strip_suffix('`')?.replace("``", "`")),
        None => {
            let first = token.chars().next()?;
            (first.is_alphanumeric() || "_$".contains(first) || !first.is_ascii())
                .then(|| token.to_owned())
        }
    }
}

/// Returns the text of a string literal; `None` if the token is not a string literal or contains escapes.
pub(super) fn literal_text(token: &str) -> Option<String> {
    let quote = token
        .chars()
        .next()
        .filter(|quote| "'\"".contains(*quote))?;
    let inner = token.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains('\\')).then(|| inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
}
