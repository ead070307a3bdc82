//! A server from the machine's binaries, with a folder, a port and a security database of its own.

use std::cell::Cell;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lockage_test_matrix::engine::{self, kill_on_parent_death, process_temp_dir};
use lockage_testkit::TestError;

/// Of the administrator, on a server that nobody else reaches.
pub(crate) const PASSWORD: &str = "masterkey";

/// Where Debian's `firebird3.0-server` puts what is not a program.
const HOME: &str = "/usr/lib/x86_64-linux-gnu/firebird/3.0";
const SERVER: &str = "/usr/sbin/firebird";
const CLIENT: &str = "/usr/bin/isql-fb";

/// What is not on this machine.
pub(crate) fn missing() -> Option<String> {
    let missing = [HOME, SERVER, CLIENT]
        .into_iter()
        .find(|path| !Path::new(path).exists())?;
    Some(format!(
        "no {missing}: install firebird3.0-server and firebird3.0-utils"
    ))
}

#[derive(Clone)]
pub(crate) struct Server(Arc<Running>);

struct Running {
    /// Ended before the folder goes.
    process: engine::Server,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Result<Self, TestError> {
        let folder = process_temp_dir("firebird")?;
        let root = folder.path();
        for name in ["plugins", "intl", "plugins.conf", "firebird.msg"] {
            symlink(Path::new(HOME).join(name), root.join(name))?;
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
        // Without a server the client opens files itself, and needs no password for what it makes.
        configure(0)?;
        let make = format!(
            "CREATE DATABASE '{}' USER SYSDBA;\nCREATE USER SYSDBA PASSWORD '{PASSWORD}' USING PLUGIN Srp;\nCOMMIT;\n",
            security.display()
        );
        isql(root, &["-user", "SYSDBA"], &make)?;
        let chosen = Cell::new(0);
        let command = |port: u16| {
            chosen.set(port);
            // A server without its file takes another port, where nobody looks for it.
            let _ = configure(port);
            let mut command = kill_on_parent_death(Path::new(SERVER), "KILL");
            // With its argument for a port it would listen on every address, whatever the file says.
            command.envs(environment(root));
            command
        };
        let probe = root.join("probe.fdb");
        let answers = |_| {
            let address = address(chosen.get(), &probe);
            let make = format!("CREATE DATABASE '{address}' USER SYSDBA PASSWORD '{PASSWORD}';\n");
            isql(root, &[], &make).is_ok()
        };
        let process = engine::Server::start(&root.join("server.log"), command, answers)?;
        // A port that is taken on every address is taken here too.
        TcpListener::bind(("127.0.0.2", process.port()))
            .map_err(|error| format!("the server listens beyond 127.0.0.1: {error}"))?;
        Ok(Self(Arc::new(Running { process, folder })))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// As the engine's own client writes it.
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

    /// Runs a script of the engine's own client on a database, and returns the lines that it prints.
    pub(crate) fn isql(&self, path: &str, script: &str) -> Result<Vec<String>, TestError> {
        let address = self.address(&PathBuf::from(path));
        let arguments = ["-user", "SYSDBA", "-password", PASSWORD, &address];
        isql(self.folder(), &arguments, script)
    }

    /// The same with a script that says itself where it goes.
    pub(crate) fn isql_alone(&self, script: &str) -> Result<Vec<String>, TestError> {
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
    let mut input = child.stdin.take().ok_or("no input")?;
    input.write_all(format!("SET HEADING OFF;\n{script}\n").as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || said.contains("Statement failed") {
        return Err(format!("isql on {script}: {said}").into());
    }
    let printed = String::from_utf8(output.stdout)?;
    let lines = printed.lines().map(|line| line.trim().to_owned());
    Ok(lines.filter(|line| !line.is_empty()).collect())
}
