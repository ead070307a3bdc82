use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::binaries::folder_of;
use super::folder::own_folder;
use super::ordinary_user::OrdinaryUser;
use super::server::{Server, dying_with_us};
use crate::Failure;

/// A MariaDB server of our own, with one user who may do everything and logs in by password.
#[derive(Debug)]
pub struct MariadbServer {
    binaries: MariadbBinaries,
    user: OrdinaryUser,
    settings: Vec<String>,
    /// Ended before the folder goes.
    server: Option<Server>,
    folder: TempDir,
}

/// The programs of a MariaDB server; they may stand in two folders.
#[derive(Debug, Clone)]
pub struct MariadbBinaries {
    server: PathBuf,
    install: PathBuf,
}

impl MariadbBinaries {
    /// The server's program.
    pub fn server(&self) -> &Path {
        &self.server
    }
}

/// Where the server is.
impl fmt::Display for MariadbBinaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.display().fmt(f)
    }
}

impl MariadbServer {
    /// The user.
    pub const USER: &str = "lockage";
    /// Their password.
    pub const PASSWORD: &str = "lock age/test";

    /// The server's programs: where distributions put them, or in `search_path`, as `PATH` writes it.
    pub fn find(search_path: &str) -> Option<MariadbBinaries> {
        let search_path = format!("{search_path}:/usr/sbin:/usr/local/sbin");
        let find = |program: &str| {
            folder_of(program, Path::new("/usr/lib/mariadb"), &search_path)
                .map(|folder| folder.join(program))
        };
        Some(MariadbBinaries {
            server: find("mariadbd")?,
            install: find("mariadb-install-db")?,
        })
    }

    /// Makes a data folder and starts the server with settings such as `--max-connections=200`, and waits until it takes connections.
    ///
    /// # Errors
    /// What the programs said.
    pub fn start(binaries: &MariadbBinaries, settings: &[&str]) -> Result<Self, Failure> {
        let user = OrdinaryUser::find(&["mysql", "nobody"])?;
        let folder = own_folder("mariadb")?;
        user.own(folder.path())?;
        let made = user
            .run(&mut Command::new(&binaries.install))
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-log-file-size=16M",
                "--innodb-buffer-pool-size=64M",
            ])
            .arg(format!(
                "--datadir={}",
                folder.path().join("data").display()
            ))
            // Two servers that are made at the same moment trip over each other's files in a common one.
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()?;
        if !made.status.success() {
            return Err(format!(
                "mariadb-install-db: {}{}",
                String::from_utf8_lossy(&made.stdout),
                String::from_utf8_lossy(&made.stderr)
            )
            .into());
        }
        let (name, password) = (Self::USER, Self::PASSWORD);
        let init = folder.path().join("init.sql");
        std::fs::write(
            &init,
            format!(
                "CREATE DATABASE IF NOT EXISTS lockage CHARACTER SET utf8mb4;\n\
                 CREATE OR REPLACE USER '{name}'@'%' IDENTIFIED BY '{password}';\n\
                 GRANT ALL PRIVILEGES ON *.* TO '{name}'@'%' WITH GRANT OPTION;\n"
            ),
        )?;
        user.own(&init)?;
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self {
            binaries: binaries.clone(),
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
        let folder = self.folder.path();
        let pid_file = folder.join("pid");
        let command = |port: u16| {
            let mut command = dying_with_us(&self.binaries.server, "TERM");
            self.user.run(&mut command);
            command
                .args(["--no-defaults", "--bind-address=127.0.0.1"])
                .arg(format!("--port={port}"))
                .arg(format!("--datadir={}", folder.join("data").display()))
                .arg(format!("--socket={}", folder.join("socket").display()))
                .arg(format!("--pid-file={}", pid_file.display()))
                .arg(format!("--init-file={}", folder.join("init.sql").display()))
                .args([
                    "--skip-name-resolve",
                    "--max-connections=300",
                    "--innodb-buffer-pool-size=64M",
                    "--innodb-log-file-size=16M",
                    // A crash of the server is survived all the same; only one of the machine is not.
                    "--innodb-flush-log-at-trx-commit=2",
                ])
                .args(&self.settings)
                .env("TMPDIR", folder)
                .current_dir(folder);
            command
        };
        // An old server's file must not speak for the new one.
        let _ = std::fs::remove_file(&pid_file);
        // It is written once the server takes connections, the init file behind it: whoever answers on the port may be another server.
        let answers = |process: u32| {
            std::fs::read_to_string(&pid_file)
                .unwrap_or_default()
                .trim()
                == process.to_string()
        };
        self.server = Some(Server::start(&folder.join("log"), command, answers)?);
        Ok(())
    }

    /// The URL of a database of this server; there is one named `lockage`.
    pub fn url(&self, database: &str) -> String {
        let password = Self::PASSWORD.replace(' ', "%20").replace('/', "%2F");
        format!(
            "mariadb://{}:{password}@127.0.0.1:{}/{database}",
            Self::USER,
            self.port()
        )
    }

    /// The port; zero while it is stopped.
    pub fn port(&self) -> u16 {
        self.server.as_ref().map_or(0, Server::port)
    }

    /// The server's folder: `data`, the `socket` and the `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has the server shut down.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.stop(Signal::TERM))
    }

    /// Ends the server with SIGKILL.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.kill())
    }
}

impl Drop for MariadbServer {
    fn drop(&mut self) {
        // Its data goes anyway.
        let _ = self.kill();
    }
}
