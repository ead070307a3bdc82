//! PgBouncer, started from a program on this machine.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use lockage_testkit::TestError;

use crate::address::Address;

/// A PgBouncer process. It is killed when the value is dropped.
pub(crate) struct PgBouncer {
    process: Child,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    /// Starts `program` at `address`, in front of the server on `server_port`.
    pub(crate) fn start(
        program: &Path,
        address: &Address,
        server_port: u16,
        pool_mode: &str,
    ) -> Result<Self, TestError> {
        let folder = tempfile::Builder::new()
            .prefix("lockage-pgbouncer-")
            .tempdir()?;
        let users = folder.path().join("users");
        std::fs::write(
            &users,
            format!("\"{}\" \"{}\"\n", address.user, address.password),
        )?;
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {pool_mode}\nmax_client_conn = 500\n",
            address.port,
            users.display()
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config)?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let mut command = Command::new(program);
        command
            .arg("-q")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            // PgBouncer refuses to run as root. 65534 is `nobody` on Linux.
            command.uid(65534).gid(65534);
        }
        Ok(Self {
            process: command.spawn()?,
            _folder: folder,
        })
    }

    /// Returns the exit status if the process has exited.
    pub(crate) fn try_wait(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
