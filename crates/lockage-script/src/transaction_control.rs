//! Finds the statements that begin, end or divide a transaction.

use std::collections::VecDeque;

use crate::syntax::{Separator, Syntax};
use crate::transaction_phrase::{TransactionControl, TransactionPhrase};
use crate::words::{Word, Words};

/// The maximum number of words in a phrase.
const MAX_PHRASE_LEN: usize = 3;

/// Returns the effect of a statement on the transaction around it, judged by its first words.
///
/// A SQL Server batch contains many statements. In a batch, a phrase counts wherever it occurs outside literals and comments, and one that
/// [crosses a boundary](TransactionControl::crosses_boundary) takes precedence over one that does not. A batch that defines a procedure,
/// function, trigger or view has no effect itself. The effects of called routines and of dynamic SQL are not detected.
#[must_use]
pub fn transaction_control(text: &str, syntax: &Syntax) -> Option<TransactionControl> {
    let mut words = Words::new(text, syntax);
    let mut lookahead: VecDeque<Word<'_>> = words.by_ref().take(MAX_PHRASE_LEN + 1).collect();
    if syntax.separator == Separator::Semicolon {
        return matching_phrase(&lookahead, syntax)?.control;
    }
    if is_module_definition(&lookahead) {
        return None;
    }
    let mut inside_transaction = None;
    while !lookahead.is_empty() {
        let phrase = matching_phrase(&lookahead, syntax);
        let control = phrase.and_then(|phrase| phrase.control);
        if control.is_some_and(TransactionControl::crosses_boundary) {
            return control;
        }
        inside_transaction = inside_transaction.or(control);
        for _ in 0..phrase.map_or(1, |phrase| phrase.words.len()) {
            lookahead.pop_front();
            lookahead.extend(words.next());
        }
    }
    inside_transaction
}

fn matching_phrase(
    lookahead: &VecDeque<Word<'_>>,
    syntax: &Syntax,
) -> Option<&'static TransactionPhrase> {
    syntax.transactions.iter().find(|phrase| {
        phrase.words.len() <= lookahead.len()
            && phrase
                .words
                .iter()
                .zip(lookahead)
                .all(|(word, found)| found.is(word))
    })
}

/// Returns whether a batch starts with `CREATE [OR ALTER] PROCEDURE` or a similar definition.
fn is_module_definition(lookahead: &VecDeque<Word<'_>>) -> bool {
    let mut words = lookahead.iter();
    if !words
        .next()
        .is_some_and(|word| word.is("CREATE") || word.is("ALTER"))
    {
        return false;
    }
    words
        .find(|word| !word.is("OR") && !word.is("ALTER"))
        .is_some_and(|word| {
            ["PROC", "PROCEDURE", "FUNCTION", "TRIGGER", "VIEW"]
                .iter()
                .any(|kind| word.is(kind))
        })
}
