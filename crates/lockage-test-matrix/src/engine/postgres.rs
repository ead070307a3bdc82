use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockage_testkit::TestError;
use rustix::process::Signal;
use tempfile::TempDir;

use super::binaries::folder_of;
use super::process_temp_dir::process_temp_dir;
use super::server::{Server, kill_on_parent_death};
use super::unprivileged_user::UnprivilegedUser;

/// A PostgreSQL server that tests start, with one superuser who logs in by password (SCRAM).
#[derive(Debug)]
pub struct PostgresServer {
    binaries: PathBuf,
    user: UnprivilegedUser,
    settings: Vec<String>,
    /// Declared before `folder`, so that the process ends before the folder is removed.
    server: Option<Server>,
    folder: TempDir,
}

impl PostgresServer {
    /// The name of the superuser.
    pub const USER: &str = "lockage";
    /// The password of the superuser.
    pub const PASSWORD: &str = "lock age/test";

    /// Returns the folder of the server's binaries: the newest version of Debian's packages, or a folder of `search_path`, which has the
    /// syntax of `PATH`.
    pub fn find(search_path: &str) -> Option<PathBuf> {
        folder_of("initdb", Path::new("/usr/lib/postgresql"), search_path)
    }

    /// Creates a database cluster, starts a server with `settings` such as `max_connections=200`, and waits until it accepts connections.
    ///
    /// # Errors
    /// Fails with the output of the programs.
    pub fn start(binaries: &Path, settings: &[&str]) -> Result<Self, TestError> {
        let user = UnprivilegedUser::find(&["postgres", "nobody"])?; // tidy: allow(nobody)
        let folder = process_temp_dir("postgres")?;
        user.chown(folder.path())?;
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, Self::PASSWORD)?;
        user.chown(&password_file)?;
        let initdb = user
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
        if !initdb.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&initdb.stderr)).into());
        }
        // Clients in a network namespace connect from another address.
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

    /// Starts the server again after [`stop`](Self::stop) or [`kill`](Self::kill). The port may differ.
    ///
    /// # Errors
    /// Fails with the output of the server.
    pub fn restart(&mut self) -> Result<(), TestError> {
        let command = |port: u16| {
            let mut command = kill_on_parent_death(&self.binaries.join("postgres"), "INT");
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
            // Data survives a crash of the server process, but not a crash of the machine.
            command.args(["-c", "fsync=off", "-c", "shared_buffers=32MB"]);
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            command.current_dir(self.folder.path());
            command
        };
        // Read the state that the postmaster writes: another server may have taken the port and answer on it.
        let status = self.folder.path().join("data/postmaster.pid");
        let is_ready = |process: u32| {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            let mut lines = status.lines();
            lines.next() == Some(&process.to_string())
                && lines.last().is_some_and(|line| line.trim() == "ready")
        };
        self.server = Some(Server::start(
            &self.folder.path().join("log"),
            command,
            is_ready,
        )?);
        Ok(())
    }

    /// Returns the URL of a database of this server.
    pub fn url(&self, database: &str) -> String {
        let password = Self::PASSWORD.replace(' ', "%20").replace('/', "%2F");
        format!(
            "postgres://{}:{password}@127.0.0.1:{}/{database}",
            Self::USER,
            self.port()
        )
    }

    /// Returns the port, or zero while the server is stopped.
    pub fn port(&self) -> u16 {
        self.server.as_ref().map_or(0, Server::port)
    }

    /// Returns the server's folder. It contains `data`, the socket and `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Closes all connections and stops the server. The next start runs recovery, as after `pg_ctl stop -m immediate`.
    ///
    /// # Errors
    /// Fails if the process cannot be signalled.
    pub fn stop(&mut self) -> Result<(), TestError> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.stop(Signal::QUIT))
    }

    /// Kills the postmaster with SIGKILL.
    ///
    /// # Errors
    /// Fails if the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), TestError> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.kill())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // After SIGKILL the child processes exit only when they notice that the postmaster is missing. SIGQUIT reaches them immediately.
        let _ = self.stop();
    }
}
