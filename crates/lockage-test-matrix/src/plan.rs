//! The cells as JSON. CI servers create a job for each.

use serde::Serialize;

use crate::cell::{Cell, LocalImage, Provisioning};

#[derive(Serialize)]
struct PlannedJob {
    /// The name, as a value of `--engine`.
    name: String,
    engine: &'static str,
    version: &'static str,
    lock: Vec<&'static str>,
    /// Images to pull.
    #[serde(rename = "official")]
    published_images: Vec<&'static str>,
    /// Images to build if no published image exists, as arguments of `images`.
    #[serde(rename = "own")]
    local_images: Vec<&'static str>,
    /// Debian packages to install.
    packages: Vec<&'static str>,
}

/// Returns one object for each engine and version, as JSON.
pub(crate) fn json(cells: &[&Cell]) -> serde_json::Result<String> {
    let mut plan: Vec<PlannedJob> = Vec::new();
    for cell in cells {
        let name = format!("{}:{}", cell.engine, cell.version);
        if let Some(same) = plan.iter_mut().find(|job| job.name == name) {
            same.lock.push(cell.lock);
            continue;
        }
        let (server, pooler, clustered) = match &cell.provisioning {
            Provisioning::Embedded | Provisioning::Programs { .. } => (None, None, false),
            Provisioning::Server(server) => (Some(server), None, false),
            Provisioning::Galera(server) => (Some(server), None, true),
            Provisioning::Pooled { pooler, server, .. } => (Some(server), Some(*pooler), false),
        };
        let published = server
            .and_then(|server| server.published_image)
            .filter(|_| !clustered);
        let local: Vec<LocalImage> = pooler
            .into_iter()
            .chain(
                server
                    .and_then(|server| server.local_image)
                    .filter(|_| published.is_none()),
            )
            .collect();
        plan.push(PlannedJob {
            name,
            engine: cell.engine,
            version: cell.version,
            lock: vec![cell.lock],
            published_images: published.iter().map(|image| image.image).collect(),
            local_images: local.iter().map(|image| image.image).collect(),
            packages: match cell.provisioning {
                Provisioning::Programs { packages, .. } => packages.to_vec(),
                _ => Vec::new(),
            },
        });
    }
    serde_json::to_string_pretty(&plan)
}
