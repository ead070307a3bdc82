use lockage_sql::script::tokens;

use crate::dialect::DIALECT;

/// The tokens of a statement, read from the front.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t> {
    tokens: Vec<&'t str>,
    at: usize,
}

/// The name of something, with the database where it is named.
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

    pub(super) fn peek(&self) -> Option<&'t str> {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, count: usize) -> Option<&'t str> {
        self.tokens.get(self.at + count).copied()
    }

    pub(super) fn next(&mut self) -> Option<&'t str> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// Whether the words come next.
    pub(super) fn sees(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(count, word)| is(self.ahead(count), word))
    }

    /// Takes the words where they come next.
    pub(super) fn takes(&mut self, words: &[&str]) -> bool {
        let seen = self.sees(words);
        if seen {
            self.at += words.len();
        }
        seen
    }

    /// Takes one of the words where it comes next.
    pub(super) fn takes_any(&mut self, words: &[&str]) -> Option<&'t str> {
        let token = self.peek()?;
        words.iter().any(|word| is(Some(token), word)).then(|| {
            self.at += 1;
            token
        })
    }

    /// Goes to behind the first of the words outside parentheses. `false`: there is none such, and nothing is left.
    pub(super) fn skip_behind(&mut self, word: &str) -> bool {
        let mut depth = 0_u32;
        while let Some(token) = self.next() {
            match token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ if depth == 0 && is(Some(token), word) => return true,
                _ => {}
            }
        }
        false
    }

    /// A name with or without its database.
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

    /// Names with commas between them.
    pub(super) fn names(&mut self) -> Option<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.takes(&[","]) {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// What is left, in parts that commas outside parentheses divide.
    pub(super) fn parts(&self) -> Vec<Self> {
        let mut depth = 0_u32;
        let mut parts = vec![Vec::new()];
        for token in &self.tokens[self.at.min(self.tokens.len())..] {
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

    /// Whether a word stands anywhere in what is left, outside parentheses.
    pub(super) fn holds(&self, word: &str) -> bool {
        self.clone().skip_behind(word)
    }

    pub(super) fn rest(&self) -> &[&'t str] {
        &self.tokens[self.at.min(self.tokens.len())..]
    }
}

/// Whether a token is a word, unquoted, in any case.
fn is(token: Option<&str>, word: &str) -> bool {
    token.is_some_and(|token| token.eq_ignore_ascii_case(word))
}

/// The name that a token stands for; `None` where it is no name.
pub(super) fn unquoted(token: &str) -> Option<String> {
    match token.strip_prefix('`') {
        Some(rest) => Some(rest.strip_suffix('`')?.replace("``", "`")),
        None => {
            let first = token.chars().next()?;
            (first.is_alphanumeric() || "_$".contains(first) || !first.is_ascii())
                .then(|| token.to_owned())
        }
    }
}

/// The text of a string literal without its quotes; `None` where a token is none, or one with escapes.
pub(super) fn literal_text(token: &str) -> Option<String> {
    let quote = token
        .chars()
        .next()
        .filter(|quote| "'\"".contains(*quote))?;
    let inner = token.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains('\\')).then(|| inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
}
