//! The procedural macro of `lockage::embed!`, which documents it.

mod folder;
mod macro_input;

use macro_input::MacroInput;
use proc_macro::TokenStream;

/// Embeds a folder. The arguments are the path of the crate that defines `EmbeddedFile` and the folder:
/// `embed!($crate, "migrations")`.
#[proc_macro]
pub fn embed(tokens: TokenStream) -> TokenStream {
    let MacroInput {
        facade,
        folder: literal,
    } = syn::parse_macro_input!(tokens);
    match folder::read(&literal.value()) {
        Ok(files) => folder::to_tokens(&facade, &files),
        Err(messages) => folder::error_tokens(&messages, literal.span()),
    }
    .into()
}
