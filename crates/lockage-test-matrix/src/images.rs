//! Builds the local images from Debian packages.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use lockage_testkit::TestError;

use crate::cell::{Cell, LocalImage, Provisioning};
use crate::docker::Docker;
use crate::progress::print_line;

/// How many lines of output are shown if a build fails.
const SHOWN_LINES: usize = 40;

/// Build the missing images of the engines from Debian packages
#[derive(Debug, Clone, clap::Args)]
pub struct Images {
    /// Images or engines: `postgres:18`, `galera` (default: all)
    pub names: Vec<String>,
    /// Also build images that exist
    #[arg(long)]
    pub again: bool,
}

/// Builds the images that `cells` name, from the Dockerfiles in `folder`. If a base image cannot be pulled, `base.sh` in `folder` creates
/// it with debootstrap, which requires root.
///
/// # Errors
/// Fails if docker is not available, if a name is not an image, or if a build fails.
pub fn images(cells: &[Cell], folder: &Path, arguments: &Images) -> Result<ExitCode, TestError> {
    let known = local_images(cells);
    for name in &arguments.names {
        if !known.iter().any(|image| matches_name(image, name)) {
            let known: Vec<_> = known.iter().map(|image| image.image).collect();
            return Err(
                format!("unknown image {name}; the images are {}", known.join(", ")).into(),
            );
        }
    }
    let docker = Docker::find()?;
    let is_wanted = |image: &&LocalImage| {
        arguments.names.is_empty() || arguments.names.iter().any(|name| matches_name(image, name))
    };
    for image in known.iter().filter(is_wanted) {
        if !arguments.again && docker.has(&image.name()) {
            print_line(&format!("{} exists", image.name()));
            continue;
        }
        ensure_base_image(docker, image.suite, folder)?;
        let mut build = docker.command(&["build", "--network", "host", "--tag", &image.name()]);
        build.args(["--build-arg", &format!("SUITE={}", image.suite)]);
        for argument in image.arguments {
            build.args(["--build-arg", argument]);
        }
        run_build(build.arg(folder.join(image.folder)), &image.name())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn matches_name(image: &LocalImage, name: &str) -> bool {
    image.image == name || image.folder == name
}

/// Returns each local image of the cells once.
fn local_images(cells: &[Cell]) -> Vec<LocalImage> {
    let mut images: Vec<LocalImage> = Vec::new();
    for cell in cells {
        let (pooler, server) = match cell.provisioning {
            Provisioning::Embedded | Provisioning::Programs { .. } => continue,
            Provisioning::Server(server) | Provisioning::Galera(server) => {
                (None, server.local_image)
            }
            Provisioning::Pooled { pooler, server, .. } => (Some(pooler), server.local_image),
        };
        for image in pooler.into_iter().chain(server) {
            if !images.contains(&image) {
                images.push(image);
            }
        }
    }
    images
}

/// Pulls the image `debian:SUITE-slim`, or creates it from a mirror of Debian.
fn ensure_base_image(docker: Docker, suite: &str, folder: &Path) -> Result<(), TestError> {
    let image = format!("debian:{suite}-slim");
    if docker.has(&image) {
        return Ok(());
    }
    match docker.pull(&image) {
        Ok(()) => return Ok(()),
        Err(error) => print_line(&format!(
            "{image} cannot be pulled ({error}); creating it with debootstrap"
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
    run_build(&mut command, &image)
}

/// Runs a command and shows its output only if it fails.
fn run_build(command: &mut Command, image: &str) -> Result<(), TestError> {
    print_line(&format!("building {image}"));
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    Err(format!("{image} could not be built: {}\n{tail}", output.status).into())
}
