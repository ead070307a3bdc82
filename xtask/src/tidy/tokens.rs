//! Token streams without unit tests.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Returns the tokens of one level without the items that have an attribute such as `#[cfg(test)]`.
pub(super) fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut skipping = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Bracket && is_cfg_test(group.stream()) =>
            {
                // The `#` in front of the attribute.
                kept.pop();
                skipping = true;
            }
            // The item ends with a block or a semicolon.
            TokenTree::Group(group) if skipping && group.delimiter() == Delimiter::Brace => {
                skipping = false;
            }
            TokenTree::Punct(punct) if skipping && punct.as_char() == ';' => skipping = false,
            _ if skipping => {}
            _ => kept.push(token),
        }
    }
    kept
}

fn is_cfg_test(attribute: TokenStream) -> bool {
    let text: String = attribute
        .to_string()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_items_are_removed() {
        let tokens = "fn a() {} #[cfg(test)] mod tests { fn b() {} } #[cfg(test)] use c; fn d() {}";
        let kept: Vec<_> = without_tests(tokens.parse().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(kept, ["fn", "a", "()", "{ }", "fn", "d", "()", "{ }"]);
    }
}
