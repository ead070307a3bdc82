//! Rejects circles between the files of a crate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::finding::Finding;
use super::module_graph::{ModuleGraph, graphs};
use super::source_tree::SourceTree;

/// A circle: each file uses the next, and the last one uses the first. A line is the place of the use in its file.
type Cycle = Vec<(String, usize)>;

pub(super) fn check(tree: &SourceTree) -> Vec<Finding> {
    let graphs = graphs(tree);
    graphs.iter().flat_map(cycles).map(finding).collect()
}

fn finding(cycle: Cycle) -> Finding {
    let (first, line) = &cycle[0];
    let uses: Vec<String> = cycle[1..]
        .iter()
        .map(|(file, line)| format!("{file}:{line}"))
        .chain([first.clone()])
        .collect();
    let message = format!(
        "circle between files: uses {}; move the shared items into a file of their own",
        uses.join(", which uses ")
    );
    Finding::at(first, *line, message)
}

/// Returns the shortest circle of each file that is in one. Circles with the same files are returned once.
fn cycles(graph: &ModuleGraph) -> Vec<Cycle> {
    let mut seen = BTreeSet::new();
    let mut cycles = Vec::new();
    for file in graph.edges.keys() {
        if let Some(cycle) = shortest_cycle(graph, file) {
            let files: BTreeSet<String> = cycle.iter().map(|(file, _)| file.clone()).collect();
            if seen.insert(files) {
                cycles.push(cycle);
            }
        }
    }
    cycles
}

/// Searches breadth-first for a way from `start` to itself.
fn shortest_cycle(graph: &ModuleGraph, start: &str) -> Option<Cycle> {
    // Each reached file with the file that uses it and the line.
    let mut reached: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for (target, line) in graph.edges.get(file)? {
            if target == start {
                let mut cycle = vec![(file.to_owned(), *line)];
                let mut current = file;
                while current != start {
                    let (user, line) = reached[current];
                    cycle.push((user.to_owned(), line));
                    current = user;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if !reached.contains_key(target.as_str()) {
                reached.insert(target, (file, *line));
                queue.push_back(target);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let findings = check(&SourceTree::of(files));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn circle_is_reported_with_its_path() {
        let found = findings(&[
            ("crates/a/src/lib.rs", "mod b; mod c; mod d;"),
            (
                "crates/a/src/b.rs",
                "\nuse crate::c::f;\npub(crate) fn g() {}",
            ),
            ("crates/a/src/c.rs", "pub(crate) fn f() { super::d::h() }"),
            (
                "crates/a/src/d.rs",
                "pub(crate) fn h() {\n format!(\"{}\", crate::b::g()) }",
            ),
        ]);
        assert_eq!(
            found,
            [
                "crates/a/src/b.rs:2: circle between files: uses crates/a/src/c.rs:1, which uses crates/a/src/d.rs:2, \
              which uses crates/a/src/b.rs; move the shared items into a file of their own"
            ]
        );
    }

    #[test]
    fn parent_and_child_can_form_a_circle() {
        let found = findings(&[
            (
                "crates/a/src/lib.rs",
                "mod b;\nuse b::f;\nstruct S;\nfn g() { f() }",
            ),
            (
                "crates/a/src/b.rs",
                "use super::S;\npub(crate) fn f() -> S { S }",
            ),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn reexports_and_unit_tests_form_no_circle() {
        let found = findings(&[
            (
                "crates/a/src/lib.rs",
                "mod b;\npub use b::f;\npub struct S;",
            ),
            (
                "crates/a/src/b.rs",
                "use crate::S;\npub fn f() -> S { S }\n#[cfg(test)]\nmod tests { use super::f; }",
            ),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
