use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockage_testkit::TestError;
use rustix::process::Signal;
use tempfile::TempDir;

use super::binaries::folder_of;
use super::process_temp_dir::process_temp_dir;
use super::server::{Server, kill_on_parent_death};
use super::unprivileged_user::UnprivilegedUser;

/// A MariaDB server that tests start, with one user who has all privileges and logs in by password.
#[derive(Debug)]
pub struct MariadbServer {
    binaries: MariadbBinaries,
    user: UnprivilegedUser,
    settings: Vec<String>,
    /// Declared before `folder`, so that the process ends before the folder is removed.
    server: Option<Server>,
    folder: TempDir,
}

/// The programs of a MariaDB server, which may be in two folders.
#[derive(Debug, Clone)]
pub struct MariadbBinaries {
    server: PathBuf,
    install: PathBuf,
}

impl MariadbBinaries {
    /// Returns the path of the server program.
    pub fn server(&self) -> &Path {
        &self.server
    }
}

/// Writes the path of the server program.
impl fmt::Display for MariadbBinaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.display().fmt(f)
    }
}

impl MariadbServer {
    /// The name of the user.
    pub const USER: &str = "lockage";
    /// The password of the user.
    pub const PASSWORD: &str = "lock age/test";

    /// Returns the server's programs in the folders of distributions or in `search_path`, which has the syntax of `PATH`.
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

    /// Creates a data folder, starts a server with `settings` such as `--max-connections=200`, and waits until it accepts connections.
    ///
    /// # Errors
    /// Fails with the output of the programs.
    pub fn start(binaries: &MariadbBinaries, settings: &[&str]) -> Result<Self, TestError> {
        let user = UnprivilegedUser::find(&["mysql", "nobody"])?; // tidy: allow(nobody)
        let folder = process_temp_dir("mariadb")?;
        user.chown(folder.path())?;
        let install = user
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
            // Concurrent installations would overwrite each other's files in a shared temporary folder.
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()?;
        if !install.status.success() {
            return Err(format!(
                "mariadb-install-db: {}{}",
                String::from_utf8_lossy(&install.stdout),
                String::from_utf8_lossy(&install.stderr)
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
        user.chown(&init)?;
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

    /// Starts the server again after [`stop`](Self::stop) or [`kill`](Self::kill). The port may differ.
    ///
    /// # Errors
    /// Fails with the output of the server.
    pub fn restart(&mut self) -> Result<(), TestError> {
        let folder = self.folder.path();
        let pid_file = folder.join("pid");
        let command = |port: u16| {
            let mut command = kill_on_parent_death(&self.binaries.server, "TERM");
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
                    // Data survives a crash of the server process, but not a crash of the machine.
                    "--innodb-flush-log-at-trx-commit=2",
                ])
                .args(&self.settings)
                .env("TMPDIR", folder)
                .current_dir(folder);
            command
        };
        // The file of the previous process must not be taken for the file of the new one.
        let _ = std::fs::remove_file(&pid_file);
        // The server writes it after it has run the init file and accepts connections. Probing the port could reach another server.
        let is_ready = |process: u32| {
            std::fs::read_to_string(&pid_file)
                .unwrap_or_default()
                .trim()
                == process.to_string()
        };
        self.server = Some(Server::start(&folder.join("log"), command, is_ready)?);
        Ok(())
    }

    /// Returns the URL of a database of this server. The database `lockage` exists from the start.
    pub fn url(&self, database: &str) -> String {
        let password = Self::PASSWORD.replace(' ', "%20").replace('/', "%2F");
        format!(
            "mariadb://{}:{password}@127.0.0.1:{}/{database}",
            Self::USER,
            self.port()
        )
    }

    /// Returns the port, or zero while the server is stopped.
    pub fn port(&self) -> u16 {
        self.server.as_ref().map_or(0, Server::port)
    }

    /// Returns the server's folder. It contains `data`, `socket` and `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Shuts the server down.
    ///
    /// # Errors
    /// Fails if the process cannot be signalled.
    pub fn stop(&mut self) -> Result<(), TestError> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.stop(Signal::TERM))
    }

    /// Kills the server with SIGKILL.
    ///
    /// # Errors
    /// Fails if the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), TestError> {
        self.server
            .take()
            .map_or(Ok(()), |mut server| server.kill())
    }
}

impl Drop for MariadbServer {
    fn drop(&mut self) {
        // The data folder is removed anyway, so a clean shutdown is not needed.
        let _ = self.kill();
    }
}
