//! The arguments of the macro.

use syn::parse::{Parse, ParseStream};
use syn::{LitStr, Path, Token};

/// The arguments that `lockage::embed!` passes.
pub(crate) struct MacroInput {
    /// The path of the facade crate, which the program may have renamed.
    pub(crate) facade: Path,
    /// The folder, as written.
    pub(crate) folder: LitStr,
}

impl Parse for MacroInput {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let facade = input.call(Path::parse_mod_style)?;
        input.parse::<Token![,]>()?;
        let folder = input.parse().map_err(|error| {
            syn::Error::new(
                error.span(),
                "embed! takes the path of the migrations folder, relative to the folder of Cargo.toml: embed!(\"migrations\")",
            )
        })?;
        input.parse::<Option<Token![,]>>()?;
        Ok(Self { facade, folder })
    }
}
