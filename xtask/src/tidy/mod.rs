//! `cargo xtask tidy`: checks the repository rules.

mod banned_words;
mod crate_count;
mod dependency_rules;
mod finding;
mod function_length;
mod guarantee_tests;
mod module_cycles;
mod module_graph;
mod prose;
mod source_files;
mod source_tree;
mod tokens;
mod word_list;

use std::process::ExitCode;

use cargo_metadata::{Metadata, MetadataCommand};
use source_tree::SourceTree;

/// How many functions the report lists.
const LISTED_FUNCTIONS: usize = 10;

/// The arguments of `cargo xtask tidy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print counts instead of findings: banned words, circles, the longest functions
    #[arg(long)]
    report: bool,
}

/// Checks all rules and prints the findings, or prints a report.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let metadata: Metadata = MetadataCommand::new()
        .exec()
        .map_err(|error| error.to_string())?;
    let root = metadata.workspace_root.as_std_path();
    let tree = SourceTree::read(root)?;
    if arguments.report {
        print_report(&tree);
        return Ok(ExitCode::SUCCESS);
    }
    let mut findings = dependency_rules::check(&metadata);
    findings.extend(source_files::check(&tree));
    findings.extend(function_length::check(&tree));
    findings.extend(module_cycles::check(&tree));
    findings.extend(banned_words::check(&tree));
    findings.extend(guarantee_tests::check(root, &tree)?);
    findings.extend(crate_count::check()?);
    for finding in &findings {
        println!("tidy: {finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints the counts that show the state of the code base.
fn print_report(tree: &SourceTree) {
    println!("banned words: {}", banned_words::check(tree).len());
    println!(
        "circles between files: {}",
        module_cycles::check(tree).len()
    );
    let functions = function_length::functions(tree);
    let long = function_length::check(tree).len();
    println!("long functions without a stated reason: {long}");
    println!("longest functions:");
    for function in functions.iter().take(LISTED_FUNCTIONS) {
        println!(
            "  {:>4} lines  {}:{} {}",
            function.lines, function.path, function.line, function.name
        );
    }
}
