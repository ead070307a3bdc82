//! Images of our own, from Debian packages.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use super::cell::{Cell, Own, Place};
use super::docker::Docker;
use super::progress::say;
use crate::Failure;

/// Build the images of the engines from Debian packages, where they are missing
#[derive(Debug, Clone, clap::Args)]
pub struct Images {
    /// Images or engines: `postgres:18`, `galera`; all when none is named
    pub names: Vec<String>,
    /// Build also what is there
    #[arg(long)]
    pub again: bool,
}

/// Builds the images that the cells name, from the Dockerfiles in `folder`. A base that cannot be pulled is made with debootstrap, by
/// `base.sh` there, which needs root.
///
/// # Errors
/// When there is no docker, a name is no image's, or a build fails.
pub fn images(cells: &[Cell], folder: &Path, asked: &Images) -> Result<ExitCode, Failure> {
    let known = known(cells);
    for name in &asked.names {
        if !known.iter().any(|own| is_meant(own, name)) {
            let known: Vec<_> = known.iter().map(|own| own.image).collect();
            return Err(format!("there is no image {name}; there are {}", known.join(", ")).into());
        }
    }
    let docker = Docker::find()?;
    let wanted =
        |own: &&Own| asked.names.is_empty() || asked.names.iter().any(|name| is_meant(own, name));
    for own in known.iter().filter(wanted) {
        if !asked.again && docker.has(&own.name()) {
            say(&format!("{} is there", own.name()));
            continue;
        }
        base(docker, own.suite, folder)?;
        let mut build = docker.command(&["build", "--network", "host", "--tag", &own.name()]);
        build.args(["--build-arg", &format!("SUITE={}", own.suite)]);
        for argument in own.arguments {
            build.args(["--build-arg", argument]);
        }
        succeeds(build.arg(folder.join(own.folder)), &own.name())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_meant(own: &Own, name: &str) -> bool {
    own.image == name || own.folder == name
}

fn known(cells: &[Cell]) -> Vec<Own> {
    let mut known: Vec<Own> = Vec::new();
    for cell in cells {
        let (pooler, server) = match cell.place {
            Place::Embedded | Place::Programs { .. } => continue,
            Place::Server(server) | Place::Galera(server) => (None, server.own),
            Place::Pooled { pooler, server, .. } => (Some(pooler), server.own),
        };
        for own in pooler.into_iter().chain(server) {
            if !known.contains(&own) {
                known.push(own);
            }
        }
    }
    known
}

/// The image `debian:SUITE-slim`, from its registry or else from a mirror of Debian.
fn base(docker: Docker, suite: &str, folder: &Path) -> Result<(), Failure> {
    let image = format!("debian:{suite}-slim");
    if docker.has(&image) {
        return Ok(());
    }
    match docker.pull(&image) {
        Ok(()) => return Ok(()),
        Err(why) => say(&format!(
            "{image} cannot be pulled ({why}): made with debootstrap"
        )),
    }
    let script: PathBuf = folder.join("base.sh");
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new("sh"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["--preserve-env=DOCKER,TMPDIR", "sh"]);
            sudo
        }
    };
    command
        .arg(&script)
        .arg(suite)
        .env("DOCKER", docker.program());
    succeeds(&mut command, &image)
}

/// Runs a command that says much, and shows that only when it fails.
fn succeeds(command: &mut Command, what: &str) -> Result<(), Failure> {
    say(&format!("{what} is being built"));
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines[lines.len().saturating_sub(40)..].join("\n");
    Err(format!("{what} could not be built: {}\n{tail}", done.status).into())
}
