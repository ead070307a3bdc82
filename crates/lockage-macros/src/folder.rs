//! Reads the folder when the program is compiled, and generates the expression of the macro.

use std::path::{Path, PathBuf};

use lockage_core::{Error, ErrorKind, MigrationSet};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

/// A file to embed.
pub(crate) struct File {
    /// The path relative to the folder, separated by `/`.
    name: String,
    /// The path that the compiler opens.
    path: String,
}

/// Reads the folder and checks it with the code that checks it at run time.
///
/// # Errors
/// One message for each invalid file.
pub(crate) fn read(folder: &str) -> Result<Vec<File>, Vec<String>> {
    let package = env_var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = package.join(folder);
    let set = MigrationSet::from_folder(&root).map_err(|error| error_messages(&error, &package))?;
    if !has_rerun_if_changed() {
        return Err(vec![missing_build_script_error(folder)]);
    }
    set.iter()
        .map(|migration| {
            let path = Path::new(migration.file());
            let relative = path.strip_prefix(&root).unwrap_or(path);
            let parts: Vec<_> = relative
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect();
            // `include_str!` takes a string literal, so a path that is not UTF-8 cannot be embedded.
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

/// Returns whether added files can rebuild the program.
///
/// In Cargo that needs a build script, and only a package with a build script has an `OUT_DIR`. Other build systems track folders
/// themselves.
fn has_rerun_if_changed() -> bool {
    env_var("CARGO").is_none() || env_var("OUT_DIR").is_some()
}

fn missing_build_script_error(folder: &str) -> String {
    format!(
        "Cargo cannot detect a file that is added to `{folder}`, so the program would not be rebuilt\n\
         help: create a build.rs beside Cargo.toml, so that Cargo monitors the folder:\n\
         \n    fn main() {{\n        println!(\"cargo::rerun-if-changed={folder}\");\n    }}\n"
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo passes the package to a macro in environment variables"
)]
fn env_var(key: &str) -> Option<PathBuf> {
    std::env::var_os(key).map(PathBuf::from)
}

/// Returns one message for an error and each related error, with paths relative to the package.
fn error_messages(error: &Error, package: &Path) -> Vec<String> {
    let package = format!("{}{}", package.display(), std::path::MAIN_SEPARATOR);
    std::iter::once(error)
        .chain(error.related())
        .map(|error| {
            let mut text = error.to_string().replace(&package, "");
            if let Some(line) = error.location().and_then(|at| at.line_text.as_deref()) {
                text.push_str(&format!("\n    {line}"));
            }
            // The hint about the folder differs from the one at run time.
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

/// Returns one compile error for each message, at the position of the literal.
pub(crate) fn error_tokens(messages: &[String], at: Span) -> TokenStream {
    let errors = messages
        .iter()
        .map(|message| quote_spanned!(at=> ::core::compile_error!(#message)));
    quote!({ #(#errors);* })
}

/// Returns the expression for the migration set. It uses `include_str!`, so that the compiler reports every file to Cargo.
pub(crate) fn to_tokens(facade: &syn::Path, files: &[File]) -> TokenStream {
    let files = files.iter().map(|File { name, path }| {
        quote!(#facade::EmbeddedFile {
            path: #name,
            text: ::core::include_str!(#path),
        })
    });
    quote!({
        const FILES: &[#facade::EmbeddedFile] = &[#(#files),*];
        #facade::__private::embedded(FILES)
    })
}
