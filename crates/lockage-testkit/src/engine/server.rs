use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// No server needs longer to start or to stop.
const DEADLINE: Duration = Duration::from_secs(90);

/// How often another port is tried when somebody else took the first.
const TRIES: u32 = 5;

/// A server's process on a port of the loopback interface that was free; ended when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    port: u16,
    /// Ends the thread that started the process; see [`dying_with_us`].
    _keeper: Sender<()>,
}

/// A command for a server that gets a signal, by its name, when this process dies without dropping anything; Linux can do that. The system
/// goes by the thread that started the child, which therefore has to live as long as the child: [`Server::start`] sees to that.
pub fn dying_with_us(program: &Path, signal: &str) -> Command {
    let help = Command::new("setpriv").arg("--help").output();
    if !help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--pdeathsig")) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Starts a process from a thread that lives until the sender is dropped.
fn spawn(mut command: Command) -> Result<(Child, Sender<()>), Failure> {
    let (keeper, end) = channel();
    let (started, child) = channel();
    thread::Builder::new()
        .name("server keeper".into())
        .spawn(move || {
            let _ = started.send(command.spawn());
            let _ = end.recv();
        })?;
    Ok((child.recv()??, keeper))
}

impl Server {
    /// Starts a server on a free port and waits until it answers. `command` makes its command for a port, of [`dying_with_us`]; `answers`
    /// says whether the process of that number is ready; what it prints goes to `log`.
    ///
    /// # Errors
    /// When the command cannot be run, or does not answer; what the server said.
    pub fn start(
        log: &Path,
        command: impl Fn(u16) -> Command,
        answers: impl Fn(u32) -> bool,
    ) -> Result<Self, Failure> {
        let mut said = String::new();
        for _ in 0..TRIES {
            let port = free_port()?;
            let file = std::fs::File::create(log)?;
            let mut command = command(port);
            command
                .stdin(Stdio::null())
                .stdout(file.try_clone()?)
                .stderr(file);
            let words = format!("{command:?}");
            let (process, keeper) = spawn(command)?;
            let mut server = Self {
                process,
                port,
                _keeper: keeper,
            };
            let deadline = Instant::now() + DEADLINE;
            while server.process.try_wait()?.is_none() {
                if answers(server.process.id()) {
                    return Ok(server);
                }
                if Instant::now() > deadline {
                    return Err(format!("{words} does not answer after {DEADLINE:?}").into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            said = std::fs::read_to_string(log)?;
        }
        Err(format!("the server ended by itself {TRIES} times; it said: {said}").into())
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Ends it with a signal that lets it clean up.
    pub(super) fn stop(&mut self, signal: Signal) -> Result<(), Failure> {
        if let Some(pid) = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
            && self.process.try_wait()?.is_none()
        {
            kill_process(pid, signal)?;
            let deadline = Instant::now() + DEADLINE;
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
        // Nothing can be done about a server that will not end.
        let _ = self.kill();
    }
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
