//! The modules of a crate and the files that each file uses.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenTree};

use super::source_tree::{RustFile, SourceTree};
use super::tokens::without_tests;

/// How often a name may be re-exported. This stops at circular re-exports.
const MAX_REEXPORTS: usize = 8;

/// A path such as `crate::lock::LockKey`, as its segments.
type Path = Vec<String>;

/// A module with a file of its own.
#[derive(Debug, Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    /// The names of its items.
    items: BTreeSet<String>,
    /// The names that it imports or re-exports, with their absolute paths. Glob imports have the name `*`.
    imports: Vec<(String, Path)>,
    /// The absolute paths that its code uses, with their lines. Re-exports are not uses.
    uses: Vec<(Path, usize)>,
}

/// The files of one crate. `edges[a][b]` is the first line of `a` that uses an item of `b`.
#[derive(Debug, Default)]
pub(super) struct ModuleGraph {
    pub(super) edges: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Returns the graph of each crate with a folder `src`.
pub(super) fn graphs(tree: &SourceTree) -> Vec<ModuleGraph> {
    let roots = tree
        .rust
        .iter()
        .filter(|file| file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs"));
    roots.map(|root| graph(tree, root)).collect()
}

fn graph(tree: &SourceTree, root: &RustFile) -> ModuleGraph {
    let mut modules = BTreeMap::new();
    add_module(tree, root, Vec::new(), &mut modules);
    let mut graph = ModuleGraph::default();
    for module in modules.values() {
        let edges = graph.edges.entry(module.file.clone()).or_default();
        for (path, line) in &module.uses {
            if let Some(target) = resolve(&modules, path, 0)
                && target != module.file
            {
                edges.entry(target).or_insert(*line);
            }
        }
    }
    graph
}

/// Adds a module and its children.
fn add_module(
    tree: &SourceTree,
    file: &RustFile,
    path: Path,
    modules: &mut BTreeMap<Path, Module>,
) {
    let Ok(tokens) = &file.tokens else { return };
    let mut module = Module {
        file: file.path.clone(),
        ..Module::default()
    };
    let tokens = without_tests(tokens.clone());
    collect_items(&tokens, &mut module);
    let mut reader = PathReader {
        module_path: &path,
        module: &mut module,
    };
    reader.read(&tokens);
    let folder = child_folder(&file.path);
    let children = module.children.clone();
    modules.insert(path.clone(), module);
    for child in children {
        let candidates = [
            format!("{folder}/{child}.rs"),
            format!("{folder}/{child}/mod.rs"),
        ];
        if let Some(file) = tree
            .rust
            .iter()
            .find(|file| candidates.contains(&file.path))
        {
            let path = [path.clone(), vec![child]].concat();
            add_module(tree, file, path, modules);
        }
    }
}

/// Returns the folder with the child modules of a file.
fn child_folder(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        name => format!("{folder}/{}", name.trim_end_matches(".rs")),
    }
}

/// Collects the names of items and of child modules.
fn collect_items(tokens: &[TokenTree], module: &mut Module) {
    const KEYWORDS: [&str; 9] = [
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "const",
        "static",
        "union",
        "macro_rules",
    ];
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Ident(keyword) = token else {
            continue;
        };
        let mut following = tokens[index + 1..]
            .iter()
            .filter(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == '!'));
        let Some(TokenTree::Ident(name)) = following.next() else {
            continue;
        };
        if keyword == "mod" {
            match following.next() {
                Some(token) if is_punct(token, ';') => module.children.insert(name.to_string()),
                // A module in the same file.
                _ => module.items.insert(name.to_string()),
            };
        } else if KEYWORDS.iter().any(|known| keyword == known) {
            module.items.insert(name.to_string());
        }
    }
}

/// Reads the paths in the tokens of a module.
struct PathReader<'a> {
    module_path: &'a Path,
    module: &'a mut Module,
}

impl PathReader<'_> {
    fn read(&mut self, tokens: &[TokenTree]) {
        let mut index = 0;
        while index < tokens.len() {
            match &tokens[index] {
                TokenTree::Ident(ident) if ident == "use" => {
                    let is_public = is_public(&tokens[..index]);
                    let end = (index..tokens.len())
                        .find(|at| is_punct(&tokens[*at], ';'))
                        .unwrap_or(tokens.len());
                    self.read_use(&tokens[index + 1..end], is_public);
                    index = end;
                }
                TokenTree::Ident(ident) if ident == "mod" && is_inline_module(&tokens[index..]) => {
                    self.read_inline_module(&tokens[index + 1], &tokens[index + 2]);
                    index += 2;
                }
                TokenTree::Ident(_) if !follows_path(&tokens[..index]) => {
                    index = self.read_path(tokens, index);
                    continue;
                }
                TokenTree::Group(group) => {
                    self.read(&without_tests(group.stream()));
                }
                _ => {}
            }
            index += 1;
        }
    }

    /// Reads the block of a module in the same file, in which `super` is the module of the file.
    fn read_inline_module(&mut self, name: &TokenTree, block: &TokenTree) {
        if let TokenTree::Group(group) = block {
            let path = [self.module_path.clone(), vec![name.to_string()]].concat();
            let mut reader = PathReader {
                module_path: &path,
                module: self.module,
            };
            reader.read(&without_tests(group.stream()));
        }
    }

    /// Reads a path in an expression or a type. Returns the index after it.
    fn read_path(&mut self, tokens: &[TokenTree], start: usize) -> usize {
        let mut segments = Vec::new();
        let mut index = start;
        while let Some(TokenTree::Ident(ident)) = tokens.get(index) {
            segments.push(ident.to_string());
            index += 1;
            if !is_double_colon(tokens, index) {
                break;
            }
            index += 2;
        }
        let line = tokens[start].span().start().line;
        if segments.len() > 1
            && let Some(path) = self.absolute(&segments)
        {
            self.module.uses.push((path, line));
        }
        index.max(start + 1)
    }

    fn read_use(&mut self, tokens: &[TokenTree], is_public: bool) {
        let line = tokens.first().map_or(0, |token| token.span().start().line);
        for (name, segments) in use_tree(tokens, &[]) {
            let Some(path) = self.absolute(&segments) else {
                continue;
            };
            if !is_public {
                self.module.uses.push((path.clone(), line));
            }
            self.module.imports.push((name, path));
        }
    }

    /// Makes a path absolute. Returns `None` if it leads out of the crate.
    fn absolute(&self, segments: &[String]) -> Option<Path> {
        let (first, rest) = segments.split_first()?;
        let mut path = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.module_path.clone(),
            "super" => self.module_path.split_last()?.1.to_vec(),
            child if self.module.children.contains(child) => {
                [self.module_path.clone(), vec![child.to_owned()]].concat()
            }
            _ => return None,
        };
        for segment in rest {
            match segment.as_str() {
                "super" => {
                    path.pop()?;
                }
                _ => path.push(segment.clone()),
            }
        }
        Some(path)
    }
}

/// Expands a use tree to names and paths.
fn use_tree(tokens: &[TokenTree], prefix: &[String]) -> Vec<(String, Path)> {
    let mut path = prefix.to_vec();
    let mut name = None;
    let mut renamed = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "as" => renamed = true,
            TokenTree::Ident(ident) if renamed => name = Some(ident.to_string()),
            TokenTree::Ident(ident) => path.push(ident.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == '*' => name = Some("*".into()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let trees = inner.split(|token| is_punct(token, ','));
                return trees
                    .filter(|tree| !tree.is_empty())
                    .flat_map(|tree| use_tree(tree, &path))
                    .collect();
            }
            _ => {}
        }
    }
    // `use a::{self}` imports `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
    vec![(name, path)]
}

/// Returns the file that defines the item at an absolute path. Follows imports and re-exports.
fn resolve(modules: &BTreeMap<Path, Module>, path: &[String], depth: usize) -> Option<String> {
    let mut length = path.len();
    while !modules.contains_key(&path[..length]) {
        length = length.checked_sub(1)?;
    }
    let module = &modules[&path[..length]];
    let Some(name) = path.get(length) else {
        return Some(module.file.clone());
    };
    if module.items.contains(name) || depth == MAX_REEXPORTS {
        return Some(module.file.clone());
    }
    for (import, target) in &module.imports {
        if import == name {
            let rest = &path[length + 1..];
            return resolve(modules, &[target, rest].concat(), depth + 1);
        }
    }
    for (import, target) in &module.imports {
        let defines = |target: &Path| {
            let module = modules.get(target);
            module.is_some_and(|module| module.items.contains(name))
        };
        if import == "*" && defines(target) {
            return resolve(modules, target, depth + 1);
        }
    }
    // The name comes from another crate or from a macro.
    None
}

/// Returns whether tokens are `mod name { ... }`.
fn is_inline_module(tokens: &[TokenTree]) -> bool {
    matches!(
        tokens,
        [_, TokenTree::Ident(_), TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace
    )
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

fn is_double_colon(tokens: &[TokenTree], index: usize) -> bool {
    tokens.get(index).is_some_and(|token| is_punct(token, ':'))
        && tokens
            .get(index + 1)
            .is_some_and(|token| is_punct(token, ':'))
}

/// Returns whether the next identifier continues a path, as `B` in `A::B`.
fn follows_path(before: &[TokenTree]) -> bool {
    before.len() >= 2 && is_double_colon(before, before.len() - 2)
}

/// Returns whether the tokens end with a visibility: `pub`, `pub(crate)`.
fn is_public(before: &[TokenTree]) -> bool {
    let before = match before {
        [rest @ .., TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => rest,
        all => all,
    };
    matches!(before.last(), Some(TokenTree::Ident(ident)) if ident == "pub")
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;

    use super::*;

    fn parse(text: &str) -> Vec<TokenTree> {
        text.parse::<TokenStream>().unwrap().into_iter().collect()
    }

    #[test]
    fn use_tree_is_expanded() {
        let tree = use_tree(&parse("crate::{a::{self, B as C}, d::*}"), &[]);
        let shown: Vec<_> = tree
            .iter()
            .map(|(name, path)| format!("{name}={}", path.join("::")))
            .collect();
        assert_eq!(shown, ["a=crate::a", "C=crate::a::B", "*=crate::d"]);
    }

    #[test]
    fn super_in_inline_module_is_the_file() {
        let tree = SourceTree::of(&[
            ("crates/a/src/lib.rs", "mod b;\nfn f() { b::g() }"),
            ("crates/a/src/b.rs", "fn g() {}\nmod c { use super::g; }"),
        ]);
        assert!(graphs(&tree)[0].edges["crates/a/src/b.rs"].is_empty());
    }

    #[test]
    fn reexport_leads_to_the_defining_file() {
        let tree = SourceTree::of(&[
            (
                "crates/a/src/lib.rs",
                "mod lock; mod run; pub use lock::Key;",
            ),
            (
                "crates/a/src/lock/mod.rs",
                "mod key; pub(crate) use key::Key;",
            ),
            ("crates/a/src/lock/key.rs", "pub(crate) struct Key;"),
            (
                "crates/a/src/run.rs",
                "use crate::lock::Key;\nfn f() { crate::lock::Key; }",
            ),
        ]);
        let graph = &graphs(&tree)[0];
        let edges = &graph.edges["crates/a/src/run.rs"];
        assert_eq!(edges.len(), 1);
        assert_eq!(edges["crates/a/src/lock/key.rs"], 1);
        assert!(graph.edges["crates/a/src/lib.rs"].is_empty());
    }
}
