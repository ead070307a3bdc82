//! Signals: the first stops the run cleanly, the second exits the process immediately.

use std::sync::OnceLock;

use lockage::{Error, ErrorKind, Interrupt, Result};

/// The signal that asked the process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Sent by a person at the keyboard.
    Interrupt,
    /// Sent by an orchestrator, or by the system at shutdown.
    Terminate,
}

impl Signal {
    /// Returns 128 plus the signal's number, as a shell reports it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

static RECEIVED_SIGNAL: OnceLock<Signal> = OnceLock::new();

/// Returns the first signal received, if any.
pub(crate) fn received() -> Option<Signal> {
    RECEIVED_SIGNAL.get().copied()
}

/// Starts a thread that triggers `interrupt` on the first signal and exits on the second.
///
/// A separate thread receives signals even while the run blocks its own thread.
pub(crate) fn listen(interrupt: Interrupt) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unexpected, "cannot listen for signals").with_source(error)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    let signals = {
        let _guard = runtime.enter();
        Signals::new().map_err(failed)?
    };
    std::thread::Builder::new()
        .name("lockage-signals".into())
        .spawn(move || runtime.block_on(handle_signals(signals, interrupt)))
        .map_err(failed)?;
    Ok(())
}

async fn handle_signals(mut signals: Signals, interrupt: Interrupt) {
    let first = signals.next().await;
    RECEIVED_SIGNAL.get_or_init(|| first);
    interrupt.trigger();
    let second = signals.next().await;
    std::process::exit(second.exit_code().into());
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(windows)]
struct Signals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self {
            ctrl_c: ctrl_c()?,
            ctrl_break: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.ctrl_c.recv() => Signal::Interrupt,
            _ = self.ctrl_break.recv() => Signal::Terminate,
            _ = self.close.recv() => Signal::Terminate,
            _ = self.shutdown.recv() => Signal::Terminate,
        }
    }
}
