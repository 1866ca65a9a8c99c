//! The exit codes that every command keeps.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Well.
    Well,
    /// It did its work, and what it found is not well: mistakes, findings.
    Findings,
    /// It could not do its work.
    CouldNot,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0,
            Exit::Findings => 1,
            Exit::CouldNot => 2,
        })
    }
}
