use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::binaries::folder_of;
use super::folder::own_folder;
use super::ordinary_user::OrdinaryUser;
use super::server::{Server, dying_with_us};
use crate::Failure;

/// A PostgreSQL server of our own, with one superuser who logs in by password (SCRAM).
#[derive(Debug)]
pub struct PostgresServer {
    binaries: PathBuf,
    user: OrdinaryUser,
    settings: Vec<String>,
    /// Ended before the folder goes.
    server: Option<Server>,
    folder: TempDir,
}

impl PostgresServer {
    /// The superuser.
    pub const USER: &str = "lockage";
    /// Their password.
    pub const PASSWORD: &str = "lock age/test";

    /// The folder of the server's binaries: the newest version where Debian puts them, or in `search_path`, as `PATH` writes it.
    pub fn find(search_path: &str) -> Option<PathBuf> {
        folder_of("initdb", Path::new("/usr/lib/postgresql"), search_path)
    }

    /// Makes a cluster and starts it with settings such as `max_connections=200`, and waits until it takes connections.
    ///
    /// # Errors
    /// What the programs said.
    pub fn start(binaries: &Path, settings: &[&str]) -> Result<Self, Failure> {
        let user = OrdinaryUser::find(&["postgres", "nobody"])?;
        let folder = own_folder("postgres")?;
        user.own(folder.path())?;
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, Self::PASSWORD)?;
        user.own(&password_file)?;
        let made = user
            .run(&mut Command::new(binaries.join("initdb")))
            .args([
                "--username",
                Self::USER,
                "--auth-local",
                "trust",
                "--auth-host",
                "scram-sha-256",
            ])
            .args([
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
                "--pwfile",
            ])
            .arg(&password_file)
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        // Whoever comes from an island.
        std::fs::File::options()
            .append(true)
            .open(folder.path().join("data/pg_hba.conf"))?
            .write_all(b"host all all samenet scram-sha-256\n")?;
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self {
            binaries: binaries.to_owned(),
            user,
            settings,
            server: None,
            folder,
        };
        server.restart()?;
        Ok(server)
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill); the port may be another.
    ///
    /// # Errors
    /// What the server said.
    pub fn restart(&mut self) -> Result<(), Failure> {
        let command = |port: u16| {
            let mut command = dying_with_us(&self.binaries.join("postgres"), "INT");
            self.user.run(&mut command);
            command
                .arg("-D")
                .arg(self.folder.path().join("data"))
                .arg("-k")
                .arg(self.folder.path());
            command.args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
            ]);
            // A crash of the server is survived all the same; only one of the machine is not.
            command.args(["-c", "fsync=off", "-c", "shared_buffers=32MB"]);
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            command.current_dir(self.folder.path());
            command
        };
        // What the postmaster itself says: whoever answers on the port may be another server that took it first.
        let status = self.folder.path().join("data/postmaster.pid");
        let answers = |process: u32| {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            let mut lines = status.lines();
            lines.next() == Some(&process.to_string())
                && lines.last().is_some_and(|line| line.trim() == "ready")
        };
        self.server = Some(Server::start(
            &self.folder.path().join("log"),
            command,
            answers,
        )?);
        Ok(())
    }

    /// The URL of a database of this server.
    pub fn url(&self, database: &str) -> String {
        let password = Self::PASSWORD.replace(' ', "%20").replace('/', "%2F");
        format!(
            "postgres://{}:{password}@127.0.0.1:{}/{database}",
            Self::USER,
            self.port()
        )
    }

    /// The port; zero while it is stopped.
    pub fn port(&self) -> u16 {
        self.server.as_ref().map_or(0, Server::port)
    }

    /// The server's folder: `data`, the socket and the `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Cuts all connections and stops, with recovery at the next start, as `pg_ctl stop -m immediate` does.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.stop(Signal::QUIT))
    }

    /// Ends the postmaster with SIGKILL.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.kill())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Its children end by themselves when they see that it is gone; this way they are told.
        let _ = self.stop();
    }
}
