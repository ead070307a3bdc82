//! The macro behind `lockage::embed!`. Its documentation stands there.

mod folder;
mod input;

use input::Input;
use proc_macro::TokenStream;

/// Takes the path of the crate that holds `EmbeddedFile`, then the folder: `embed!($crate, "migrations")`.
#[proc_macro]
pub fn embed(tokens: TokenStream) -> TokenStream {
    let Input {
        facade,
        folder: literal,
    } = syn::parse_macro_input!(tokens);
    match folder::read(&literal.value()) {
        Ok(files) => folder::expression(&facade, &files),
        Err(mistakes) => folder::compile_errors(&mistakes, literal.span()),
    }
    .into()
}
