use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use lockage_testkit::TestError;
use rustix::process::{Pid, Signal, kill_process};

/// The longest time that a server may take to start or to stop.
const TIMEOUT: Duration = Duration::from_secs(90);

/// How many ports are tried if another process takes the chosen one.
const MAX_ATTEMPTS: u32 = 5;

/// A server process on a free port of the loopback interface. The process is killed when the value is dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    port: u16,
    /// Ends the thread that spawned the process; see [`kill_on_parent_death`].
    _keeper: Sender<()>,
}

/// Returns a command that receives the signal named `signal` when this process dies without running destructors. This needs Linux and
/// `setpriv`; elsewhere the command is unchanged. The kernel sends the signal when the thread that spawned the child exits, so that
/// thread must live as long as the child. [`Server::start`] ensures this.
pub fn kill_on_parent_death(program: &Path, signal: &str) -> Command {
    let help = Command::new("setpriv").arg("--help").output();
    if !help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--pdeathsig")) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Spawns a process from a thread that lives until the sender is dropped.
fn spawn(mut command: Command) -> Result<(Child, Sender<()>), TestError> {
    let (keeper, dropped) = channel();
    let (spawned, child) = channel();
    thread::Builder::new()
        .name("server keeper".into())
        .spawn(move || {
            let _ = spawned.send(command.spawn());
            let _ = dropped.recv();
        })?;
    Ok((child.recv()??, keeper))
}

impl Server {
    /// Starts a server on a free port and waits until it is ready. `command` builds the command for a port, with
    /// [`kill_on_parent_death`]. `is_ready` receives the process id and returns whether the server is ready. The output of the server
    /// goes to `log`.
    ///
    /// # Errors
    /// Fails if the command cannot run or the server is not ready in time, with the output of the server.
    pub fn start(
        log: &Path,
        command: impl Fn(u16) -> Command,
        is_ready: impl Fn(u32) -> bool,
    ) -> Result<Self, TestError> {
        let mut output = String::new();
        for _ in 0..MAX_ATTEMPTS {
            let port = free_port()?;
            let file = std::fs::File::create(log)?;
            let mut command = command(port);
            command
                .stdin(Stdio::null())
                .stdout(file.try_clone()?)
                .stderr(file);
            let command_line = format!("{command:?}");
            let (process, keeper) = spawn(command)?;
            let mut server = Self {
                process,
                port,
                _keeper: keeper,
            };
            let deadline = Instant::now() + TIMEOUT;
            while server.process.try_wait()?.is_none() {
                if is_ready(server.process.id()) {
                    return Ok(server);
                }
                if Instant::now() > deadline {
                    return Err(format!("{command_line} is not ready after {TIMEOUT:?}").into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            output = std::fs::read_to_string(log)?;
        }
        Err(format!(
            "the server exited {MAX_ATTEMPTS} times during its start; its output: {output}"
        )
        .into())
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the process with SIGKILL, which acts like a power failure of the server.
    ///
    /// # Errors
    /// Fails if the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), TestError> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Stops the process with a signal that lets it clean up.
    pub(super) fn stop(&mut self, signal: Signal) -> Result<(), TestError> {
        if let Some(pid) = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
            && self.process.try_wait()?.is_none()
        {
            kill_process(pid, signal)?;
            let deadline = Instant::now() + TIMEOUT;
            while self.process.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    return self.kill();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed kill cannot be handled here.
        let _ = self.kill();
    }
}

fn free_port() -> Result<u16, TestError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
