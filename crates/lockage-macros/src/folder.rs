use std::path::{Path, PathBuf};

use lockage_core::{Error, ErrorKind, MigrationSet};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

/// A file to embed.
pub(crate) struct File {
    /// Its path below the folder, with `/`.
    name: String,
    /// Where the compiler finds it.
    path: String,
}

/// Checks the folder with the code that checks it at run time.
pub(crate) fn read(folder: &str) -> Result<Vec<File>, Vec<String>> {
    let package = environment("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = package.join(folder);
    let set = MigrationSet::from_folder(&root).map_err(|error| tell(&error, &package))?;
    if !is_watched() {
        return Err(vec![unwatched(folder)]);
    }
    set.iter()
        .map(|migration| {
            let path = Path::new(migration.file());
            let below = path.strip_prefix(&root).unwrap_or(path);
            let parts: Vec<_> = below
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect();
            // The compiler opens a file by a text, which not every path is.
            if path.is_file() {
                Ok(File {
                    name: parts.join("/"),
                    path: migration.file().to_owned(),
                })
            } else {
                Err(vec![format!("the path of {} is not UTF-8", path.display())])
            }
        })
        .collect()
}

/// Whether Cargo looks at more than the files that the compiler read: it does in a package with a build script, and only such a
/// package has an `OUT_DIR`. Other build systems track folders by themselves.
fn is_watched() -> bool {
    environment("CARGO").is_none() || environment("OUT_DIR").is_some()
}

fn unwatched(folder: &str) -> String {
    format!(
        "Cargo would not notice a file that is added to `{folder}`, and the program would be built without it\n\
         help: have Cargo watch the folder; write beside Cargo.toml a build.rs with\n\
         \n    fn main() {{\n        println!(\"cargo::rerun-if-changed={folder}\");\n    }}\n"
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a macro by the environment where it runs"
)]
fn environment(key: &str) -> Option<PathBuf> {
    std::env::var_os(key).map(PathBuf::from)
}

/// Every mistake as a text, with paths as they stand below the package.
fn tell(error: &Error, package: &Path) -> Vec<String> {
    let package = format!("{}{}", package.display(), std::path::MAIN_SEPARATOR);
    std::iter::once(error)
        .chain(error.related())
        .map(|error| {
            let mut text = error.to_string().replace(&package, "");
            if let Some(line) = error.location().and_then(|at| at.line_text.as_deref()) {
                text.push_str(&format!("\n    {line}"));
            }
            // Where a folder comes from is told differently at run time.
            let hint = match error.kind() {
                ErrorKind::InvalidConfig => {
                    Some("the path is relative to the folder of Cargo.toml")
                }
                _ => error.hint(),
            };
            if let Some(hint) = hint {
                text.push_str(&format!("\nhelp: {hint}"));
            }
            text
        })
        .collect()
}

/// One error of the compiler for each mistake, all at the literal.
pub(crate) fn compile_errors(mistakes: &[String], at: Span) -> TokenStream {
    let errors = mistakes
        .iter()
        .map(|mistake| quote_spanned!(at=> ::core::compile_error!(#mistake)));
    quote!({ #(#errors);* })
}

/// The set. `include_str!` embeds, so that the compiler tells Cargo of every file.
pub(crate) fn expression(facade: &syn::Path, files: &[File]) -> TokenStream {
    let files = files.iter().map(|File { name, path }| {
        quote!(#facade::EmbeddedFile {
            path: #name,
            text: ::core::include_str!(#path),
        })
    });
    quote!({
        const FILES: &[#facade::EmbeddedFile] = &[#(#files),*];
        #facade::private::embedded(FILES)
    })
}
