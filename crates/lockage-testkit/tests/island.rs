//! A host of its own reaches this one until its line is cut, and what a killed process left of one goes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_testkit::Failure;
use lockage_testkit::engine::Island;

/// The hidden arguments of children: one that speaks to an address, one that makes an island and stays.
const SPEAKER: &str = "--speak";
const MAKER: &str = "--make";

/// Nothing here takes longer.
const DEADLINE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let played = match arguments.get(1).map(String::as_str) {
        Some(SPEAKER) => speak(&arguments[2]),
        Some(MAKER) => make(),
        _ => {
            let missing = Island::missing();
            let trials = [
                (
                    "it_reaches_this_host_until_it_is_cut_off",
                    reaches as fn() -> _,
                ),
                ("what_a_killed_process_left_is_removed", swept),
            ]
            .map(|(name, test)| match &missing {
                None => Trial::test(name, test),
                Some(reason) => Trial::test(name, test)
                    .with_ignored_flag(true)
                    .with_kind(format!("left out: {reason}")),
            });
            return libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code();
        }
    };
    played.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Says a word, and another when told to.
fn speak(to: &str) -> Result<(), Failure> {
    let mut line = TcpStream::connect(to)?;
    line.write_all(b"1")?;
    std::io::stdin().read_line(&mut String::new())?;
    line.write_all(b"2")?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn make() -> Result<(), Failure> {
    let island = Island::new()?;
    writeln!(std::io::stdout(), "{}", island.there()[3])?;
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Ended when dropped.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(through: &[&str], arguments: &[&str]) -> Result<Ending, Failed> {
    let program = std::env::current_exe()?;
    let mut command = match through {
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
    Ok(Ending(child))
}

fn reaches() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = format!("acme://app@{}/shop", listener.local_addr()?);
    let island = Island::new().map_err(|failure| failure.to_string())?;
    let there = island.url(&here);
    let address = there.trim_start_matches("acme://app@");
    let address = address.trim_end_matches("/shop");
    let mut speaker = child(&island.there(), &[SPEAKER, address])?;
    let (mut line, _) = listener.accept()?;
    line.set_read_timeout(Some(DEADLINE))?;
    let mut word = [0];
    line.read_exact(&mut word)?;
    island.cut_off().map_err(|failure| failure.to_string())?;
    let mut to = speaker.0.stdin.take().ok_or("no pipe")?;
    writeln!(to)?;
    // On a line that stands it would be here at once.
    line.set_read_timeout(Some(Duration::from_secs(3)))?;
    match line.read(&mut word) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        read => Err(format!("something came through: {read:?}").into()),
    }
}

fn swept() -> Result<(), Failed> {
    let mut maker = child(&[], &[MAKER])?;
    let mut name = String::new();
    BufReader::new(maker.0.stdout.take().ok_or("no pipe")?).read_line(&mut name)?;
    let name = name.trim();
    let stands = |name: &str| -> Result<[bool; 2], Failed> {
        let names = Command::new("ip").args(["netns", "list"]).output()?;
        let rules = Command::new("iptables")
            .args(["-w", "-t", "nat", "-S", "PREROUTING"])
            .output()?;
        Ok([names, rules].map(|told| String::from_utf8_lossy(&told.stdout).contains(name)))
    };
    // It lives, so nobody removes it.
    drop(Island::new().map_err(|failure| failure.to_string())?);
    if stands(name)? != [true, true] {
        return Err(format!("{name}: {:?}", stands(name)).into());
    }
    drop(maker);
    let begun = Instant::now();
    loop {
        drop(Island::new().map_err(|failure| failure.to_string())?);
        match stands(name)? {
            [false, false] => return Ok(()),
            left if begun.elapsed() > DEADLINE => {
                return Err(format!("{name} is left: {left:?}").into());
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
