//! The words a statement starts with.

use super::lexer::{Lexer, Token};
use super::syntax::Syntax;

/// How much of a text is looked at at once: most look-ups end after a few words.
const CHUNK: usize = 256;

/// The first `count` tokens of a statement, comments skipped: words in upper case, everything else as it stands.
///
/// Code in a versioned comment (`/*!40101 SET … */`) counts as if it stood outside. The words end early where the text does, or where
/// it holds something without an end.
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

/// The tokens of a statement as they stand there, comments skipped: words, numbers, literals and quoted names with their quotes, and
/// characters. They end early as those of [`leading_words`] do.
pub fn tokens<'t>(text: &'t str, syntax: &'static Syntax) -> impl Iterator<Item = &'t str> {
    Words::new(text, syntax).map(|word| word.text)
}

/// A significant token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'t> {
    pub(super) kind: Token,
    pub(super) text: &'t str,
}

impl Word<'_> {
    /// Whether it is this word, unquoted, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Token::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// The significant tokens of a text.
pub(super) struct Words<'t, 's> {
    text: &'t str,
    lexer: Lexer<'s, &'t [u8]>,
}

impl<'t, 's> Words<'t, 's> {
    pub(super) fn new(text: &'t str, syntax: &'s Syntax) -> Self {
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
                    let end = usize::try_from(self.lexer.cursor.here()).ok()?;
                    let text = self.text.get(start..end)?;
                    return Some(Word { kind, text });
                }
            }
        }
    }
}
