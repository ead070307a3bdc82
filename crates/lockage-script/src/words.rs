//! The tokens of a single statement.

use crate::lexer::{Lexer, Token};
use crate::syntax::Syntax;

/// How many bytes of a text are read in one call. Most callers need only a few words.
const CHUNK: usize = 256;

/// Returns the first `count` tokens of a statement, without comments: words in upper case, other tokens unchanged.
///
/// Code in a versioned comment (`/*!40101 SET … */`) counts like code outside. The result is shorter at the end of the text, or at an
/// unterminated construct.
#[must_use]
pub fn leading_words(text: &str, syntax: &Syntax, count: usize) -> Vec<String> {
    Words::new(text, syntax)
        .take(count)
        .map(|word| match word.kind {
            Token::Word => word.text.to_uppercase(),
            _ => word.text.to_owned(),
        })
        .collect()
}

/// Returns the unchanged tokens of a statement, without comments: words, numbers, literals and identifiers with their quotes, and single
/// characters. They end early at an unterminated construct, as in [`leading_words`].
pub fn tokens<'t>(text: &'t str, syntax: &'static Syntax) -> impl Iterator<Item = &'t str> {
    Words::new(text, syntax).map(|word| word.text)
}

/// A significant token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'t> {
    pub(crate) kind: Token,
    pub(crate) text: &'t str,
}

impl Word<'_> {
    /// Returns whether it is the unquoted word `word`, in upper or lower case.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Token::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// The significant tokens of a text.
pub(crate) struct Words<'t, 's> {
    text: &'t str,
    lexer: Lexer<'s, &'t [u8]>,
}

impl<'t, 's> Words<'t, 's> {
    pub(crate) fn new(text: &'t str, syntax: &'s Syntax) -> Self {
        Self {
            text,
            lexer: Lexer::new(text.as_bytes(), CHUNK, syntax),
        }
    }
}

impl<'t> Iterator for Words<'t, '_> {
    type Item = Word<'t>;

    fn next(&mut self) -> Option<Word<'t>> {
        loop {
            self.lexer.cursor.release();
            match self.lexer.next().ok()? {
                Token::Space { .. } | Token::Comment | Token::CodeOpen | Token::CodeClose => {}
                Token::End => return None,
                kind => {
                    let start = usize::try_from(self.lexer.start).ok()?;
                    let end = usize::try_from(self.lexer.cursor.offset()).ok()?;
                    let text = self.text.get(start..end)?;
                    return Some(Word { kind, text });
                }
            }
        }
    }
}
