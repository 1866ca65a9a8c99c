//! The process's signals: SIGTERM and SIGINT end it, SIGHUP reads the configuration again.

use std::io;
use tokio::signal::unix::{self, SignalKind, signal};

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGHUP.
    Hangup,
    /// SIGTERM or SIGINT, by its name.
    End(&'static str),
}

/// The signals that this process obeys; none inside another program.
pub(super) struct Signals(Option<Installed>);

struct Installed {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Takes the signals over from their default actions.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self(Some(Installed {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })))
    }

    /// Leaves the signals to the program around.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        let Some(installed) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = installed.terminate.recv() => Signal::End("sigterm"),
            _ = installed.interrupt.recv() => Signal::End("sigint"),
            _ = installed.hangup.recv() => Signal::Hangup,
        }
    }
}
