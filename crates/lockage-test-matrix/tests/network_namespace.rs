//! Tests of [`NetworkNamespace`]: a program in it reaches this host until packets are dropped, and namespaces of killed processes are
//! removed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_test_matrix::engine::NetworkNamespace;
use lockage_testkit::TestError;

/// The hidden argument of a child that connects to an address and sends bytes.
const CLIENT_ROLE: &str = "--client";

/// The hidden argument of a child that creates a namespace and waits.
const CREATOR_ROLE: &str = "--creator";

/// The longest time of a wait.
const TIMEOUT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let result = match arguments.get(1).map(String::as_str) {
        Some(CLIENT_ROLE) => run_client(&arguments[2]),
        Some(CREATOR_ROLE) => create_and_wait(),
        _ => {
            let unavailable = NetworkNamespace::unavailable_reason();
            let trials = [
                (
                    "namespace_reaches_host_until_packets_are_dropped",
                    can_reach as fn() -> _,
                ),
                ("namespace_of_killed_process_is_removed", removes_stale),
            ]
            .map(|(name, test)| match &unavailable {
                None => Trial::test(name, test),
                Some(reason) => Trial::test(name, test)
                    .with_ignored_flag(true)
                    .with_kind(format!("left out: {reason}")),
            });
            return libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code();
        }
    };
    result.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Sends a byte, and a second one after a line on standard input.
fn run_client(address: &str) -> Result<(), TestError> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"1")?;
    std::io::stdin().read_line(&mut String::new())?;
    stream.write_all(b"2")?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Creates a namespace, prints its name and waits for a line on standard input.
fn create_and_wait() -> Result<(), TestError> {
    let namespace = NetworkNamespace::new()?;
    writeln!(std::io::stdout(), "{}", namespace.exec_prefix()[3])?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// A child process that is killed when the value is dropped.
struct ChildGuard(Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this program again, with the words of `prefix` in front of it.
fn child(prefix: &[&str], arguments: &[&str]) -> Result<ChildGuard, Failed> {
    let program = std::env::current_exe()?;
    let mut command = match prefix {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    let child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(ChildGuard(child))
}

fn can_reach() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let host_url = format!("acme://app@{}/shop", listener.local_addr()?);
    let namespace = NetworkNamespace::new().map_err(|error| error.to_string())?;
    let guest_url = namespace.guest_url(&host_url);
    let address = guest_url.trim_start_matches("acme://app@");
    let address = address.trim_end_matches("/shop");
    let mut client = child(&namespace.exec_prefix(), &[CLIENT_ROLE, address])?;
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    namespace
        .drop_packets()
        .map_err(|error| error.to_string())?;
    let mut stdin = client.0.stdin.take().ok_or("the child has no pipe")?;
    writeln!(stdin)?;
    // On a working connection the second byte would arrive immediately.
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    match stream.read(&mut byte) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        read => Err(format!("data arrived: {read:?}").into()),
    }
}

/// Returns whether a namespace and its NAT rule exist.
fn exists(name: &str) -> Result<[bool; 2], Failed> {
    let names = Command::new("ip").args(["netns", "list"]).output()?;
    let rules = Command::new("iptables")
        .args(["-w", "-t", "nat", "-S", "PREROUTING"])
        .output()?;
    Ok([names, rules].map(|output| String::from_utf8_lossy(&output.stdout).contains(name)))
}

fn removes_stale() -> Result<(), Failed> {
    let mut creator = child(&[], &[CREATOR_ROLE])?;
    let mut name = String::new();
    BufReader::new(creator.0.stdout.take().ok_or("the child has no pipe")?).read_line(&mut name)?;
    let name = name.trim();
    // The creator is alive, so its namespace must stay.
    drop(NetworkNamespace::new().map_err(|error| error.to_string())?);
    if exists(name)? != [true, true] {
        return Err(format!("{name}: {:?}", exists(name)).into());
    }
    drop(creator);
    let started_at = Instant::now();
    loop {
        drop(NetworkNamespace::new().map_err(|error| error.to_string())?);
        match exists(name)? {
            [false, false] => return Ok(()),
            left if started_at.elapsed() > TIMEOUT => {
                return Err(format!("{name} was not removed: {left:?}").into());
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
