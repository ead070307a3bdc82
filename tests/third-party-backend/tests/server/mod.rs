//! A Firebird server, started from the machine's binaries with a separate folder, port and security database.

use std::cell::Cell;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lockage_test_matrix::engine::{self, kill_on_parent_death, process_temp_dir};
use lockage_testkit::TestError;

/// The password of the administrator. The server accepts only local connections.
pub(crate) const PASSWORD: &str = "masterkey";

/// The folder of the plugins and messages of Debian's `firebird3.0-server`.
const INSTALL_DIR: &str = "/usr/lib/x86_64-linux-gnu/firebird/3.0";
const SERVER: &str = "/usr/sbin/firebird";
const CLIENT: &str = "/usr/bin/isql-fb";

/// Returns the reason why the server cannot start here, or `None` if it can.
pub(crate) fn unavailable_reason() -> Option<String> {
    let missing = [INSTALL_DIR, SERVER, CLIENT]
        .into_iter()
        .find(|path| !Path::new(path).exists())?;
    Some(format!(
        "{missing} does not exist: install firebird3.0-server and firebird3.0-utils"
    ))
}

#[derive(Clone)]
pub(crate) struct Server(Arc<Running>);

struct Running {
    /// Declared before `folder`, so that the process ends before the folder is removed.
    process: engine::Server,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Result<Self, TestError> {
        let folder = process_temp_dir("firebird")?;
        let root = folder.path();
        for name in ["plugins", "intl", "plugins.conf", "firebird.msg"] {
            symlink(Path::new(INSTALL_DIR).join(name), root.join(name))?;
        }
        std::fs::create_dir(root.join("lock"))?;
        std::fs::write(root.join("databases.conf"), "")?;
        let security = root.join("security3.fdb");
        let configure = |port: u16| {
            let text = format!(
                "RemoteBindAddress = 127.0.0.1\nRemoteServicePort = {port}\nSecurityDatabase = {}\nAuthServer = Srp\n\
                 UserManager = Srp\nWireCrypt = Enabled\nServerMode = Super\n",
                security.display()
            );
            std::fs::write(root.join("firebird.conf"), text)
        };
        // Without a server the client opens files directly and needs no password to create a database.
        configure(0)?;
        let script = format!(
            "CREATE DATABASE '{}' USER SYSDBA;\nCREATE USER SYSDBA PASSWORD '{PASSWORD}' USING PLUGIN Srp;\nCOMMIT;\n",
            security.display()
        );
        isql(root, &["-user", "SYSDBA"], &script)?;
        let chosen = Cell::new(0);
        let command = |port: u16| {
            chosen.set(port);
            // If this fails, the server uses another port and the start times out.
            let _ = configure(port);
            let mut command = kill_on_parent_death(Path::new(SERVER), "KILL");
            // The command-line option for the port would make the server listen on all addresses.
            command.envs(environment(root));
            command
        };
        let probe = root.join("probe.fdb");
        let is_ready = |_| {
            let address = address(chosen.get(), &probe);
            let script =
                format!("CREATE DATABASE '{address}' USER SYSDBA PASSWORD '{PASSWORD}';\n");
            isql(root, &[], &script).is_ok()
        };
        let process = engine::Server::start(&root.join("server.log"), command, is_ready)?;
        // If the server listens on all addresses, this bind fails.
        TcpListener::bind(("127.0.0.2", process.port()))
            .map_err(|error| format!("the server does not listen only on 127.0.0.1: {error}"))?;
        Ok(Self(Arc::new(Running { process, folder })))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// Returns the address of a file in the syntax of the engine's own client.
    pub(crate) fn address(&self, file: &Path) -> String {
        address(self.0.process.port(), file)
    }

    pub(crate) fn url(&self, file: &Path) -> String {
        let port = self.0.process.port();
        format!(
            "firebird://SYSDBA:{PASSWORD}@127.0.0.1:{port}/{}",
            file.display()
        )
    }

    /// Runs a script on a database with the engine's own client and returns its output lines.
    pub(crate) fn isql(&self, path: &str, script: &str) -> Result<Vec<String>, TestError> {
        let address = self.address(&PathBuf::from(path));
        let arguments = ["-user", "SYSDBA", "-password", PASSWORD, &address];
        isql(self.folder(), &arguments, script)
    }

    /// Runs a script that connects to a database itself.
    pub(crate) fn isql_without_database(&self, script: &str) -> Result<Vec<String>, TestError> {
        isql(self.folder(), &[], script)
    }
}

fn address(port: u16, file: &Path) -> String {
    format!("127.0.0.1/{port}:{}", file.display())
}

fn environment(root: &Path) -> [(&'static str, PathBuf); 3] {
    [
        ("FIREBIRD", root.to_owned()),
        ("FIREBIRD_LOCK", root.join("lock")),
        ("FIREBIRD_TMP", root.to_owned()),
    ]
}

fn isql(root: &Path, arguments: &[&str], script: &str) -> Result<Vec<String>, TestError> {
    let mut child = Command::new(CLIENT)
        .args(["-quiet", "-bail"])
        .args(arguments)
        .envs(environment(root))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("the child has no pipe")?;
    input.write_all(format!("SET HEADING OFF;\n{script}\n").as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || stderr.contains("Statement failed") {
        return Err(format!("isql on {script}: {stderr}").into());
    }
    let printed = String::from_utf8(output.stdout)?;
    let lines = printed.lines().map(|line| line.trim().to_owned());
    Ok(lines.filter(|line| !line.is_empty()).collect())
}
