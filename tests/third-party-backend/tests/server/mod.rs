//! A server from the machine's binaries, with a folder, a port and a security database of its own.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockage_testkit::Failure;

/// Of the administrator, on a server that nobody else reaches.
pub(crate) const PASSWORD: &str = "masterkey";

/// Where Debian's `firebird3.0-server` puts what is not a program.
const HOME: &str = "/usr/lib/x86_64-linux-gnu/firebird/3.0";
const SERVER: &str = "/usr/sbin/firebird";
const CLIENT: &str = "/usr/bin/isql-fb";

/// How long a server may take to answer, and a client to be through.
const PATIENCE: Duration = Duration::from_secs(120);

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
    folder: tempfile::TempDir,
    port: u16,
    child: Mutex<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Server {
    pub(crate) fn start() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("lockage-firebird")
            .tempdir()?;
        let root = folder.path();
        for name in ["plugins", "intl", "plugins.conf", "firebird.msg"] {
            symlink(Path::new(HOME).join(name), root.join(name))?;
        }
        std::fs::create_dir(root.join("lock"))?;
        std::fs::write(root.join("databases.conf"), "")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let security = root.join("security3.fdb");
        std::fs::write(
            root.join("firebird.conf"),
            format!(
                "RemoteBindAddress = 127.0.0.1\nRemoteServicePort = {port}\nSecurityDatabase = {}\nAuthServer = Srp\n\
                 UserManager = Srp\nWireCrypt = Enabled\nServerMode = Super\n",
                security.display()
            ),
        )?;
        // Without a server the client opens files itself, and needs no password for what it makes.
        let make = format!(
            "CREATE DATABASE '{}' USER SYSDBA;\nCREATE USER SYSDBA PASSWORD '{PASSWORD}' USING PLUGIN Srp;\nCOMMIT;\n",
            security.display()
        );
        isql(root, &["-user", "SYSDBA"], &make)?;
        let log = std::fs::File::create(root.join("server.log"))?;
        let child = Command::new(SERVER)
            .args(["-p", &port.to_string()])
            .envs(environment(root))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let child = Mutex::new(child);
        let server = Self(Arc::new(Running {
            folder,
            port,
            child,
        }));
        let probe = server.folder().join("probe.fdb");
        let make = format!(
            "CREATE DATABASE '{}' USER SYSDBA PASSWORD '{PASSWORD}';\n",
            server.address(&probe)
        );
        let begun = Instant::now();
        while let Err(error) = server.isql_alone(&make) {
            if begun.elapsed() > PATIENCE {
                return Err(
                    format!("waited {PATIENCE:?} for the server to answer: {error}").into(),
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// As the engine's own client writes it.
    pub(crate) fn address(&self, file: &Path) -> String {
        format!("127.0.0.1/{}:{}", self.0.port, file.display())
    }

    pub(crate) fn url(&self, file: &Path) -> String {
        let port = self.0.port;
        format!(
            "firebird://SYSDBA:{PASSWORD}@127.0.0.1:{port}/{}",
            file.display()
        )
    }

    /// Runs a script of the engine's own client on a database, and returns the lines that it prints.
    pub(crate) fn isql(&self, path: &str, script: &str) -> Result<Vec<String>, Failure> {
        let address = self.address(&PathBuf::from(path));
        let arguments = ["-user", "SYSDBA", "-password", PASSWORD, &address];
        isql(self.folder(), &arguments, script)
    }

    /// The same with a script that says itself where it goes.
    pub(crate) fn isql_alone(&self, script: &str) -> Result<Vec<String>, Failure> {
        isql(self.folder(), &[], script)
    }
}

fn environment(root: &Path) -> [(&'static str, PathBuf); 3] {
    [
        ("FIREBIRD", root.to_owned()),
        ("FIREBIRD_LOCK", root.join("lock")),
        ("FIREBIRD_TMP", root.to_owned()),
    ]
}

fn isql(root: &Path, arguments: &[&str], script: &str) -> Result<Vec<String>, Failure> {
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
