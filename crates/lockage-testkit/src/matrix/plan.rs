//! The cells for a program to read: a CI server makes a job of each.

use serde::Serialize;

use super::cell::{Cell, Own, Place};

#[derive(Serialize)]
struct Planned {
    /// As `--engine` takes it.
    name: String,
    engine: &'static str,
    version: &'static str,
    lock: Vec<&'static str>,
    /// Images to fetch.
    official: Vec<&'static str>,
    /// Images to build, as `images` takes them, unless an official one serves.
    own: Vec<&'static str>,
    /// Debian's packages to install.
    packages: Vec<&'static str>,
}

/// One object for each engine and version, as JSON.
pub(super) fn json(cells: &[&Cell]) -> serde_json::Result<String> {
    let mut plan: Vec<Planned> = Vec::new();
    for cell in cells {
        let name = format!("{}:{}", cell.engine, cell.version);
        if let Some(same) = plan.iter_mut().find(|one| one.name == name) {
            same.lock.push(cell.lock);
            continue;
        }
        let (server, pooler, clustered) = match &cell.place {
            Place::Embedded | Place::Programs { .. } => (None, None, false),
            Place::Server(server) => (Some(server), None, false),
            Place::Galera(server) => (Some(server), None, true),
            Place::Pooled { pooler, server, .. } => (Some(server), Some(*pooler), false),
        };
        let official = server
            .and_then(|server| server.official)
            .filter(|_| !clustered);
        let built: Vec<Own> = pooler
            .into_iter()
            .chain(
                server
                    .and_then(|server| server.own)
                    .filter(|_| official.is_none()),
            )
            .collect();
        plan.push(Planned {
            name,
            engine: cell.engine,
            version: cell.version,
            lock: vec![cell.lock],
            official: official.iter().map(|official| official.image).collect(),
            own: built.iter().map(|own| own.image).collect(),
            packages: match cell.place {
                Place::Programs { packages, .. } => packages.to_vec(),
                _ => Vec::new(),
            },
        });
    }
    serde_json::to_string_pretty(&plan)
}
