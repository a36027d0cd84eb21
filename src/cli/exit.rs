//! What the exit codes mean. Scripts and service managers read them: they are part of the interface.

use std::process::ExitCode;

use crate::config::ConfigError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: it did what was asked.
    Done,
    /// 1: it failed; standard error says why and what to do.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: `doctor` found something wrong.
    Damage,
    /// 4: `health` found no gateway that is ready.
    NotReady,
    /// 5: something was left that somebody has to decide or repeat; the output says what.
    Unfinished,
    /// 78: the settings are wrong (`EX_CONFIG`); starting again will not help.
    Settings,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Damage => 3,
            Exit::NotReady => 4,
            Exit::Unfinished => 5,
            Exit::Settings => 78,
        })
    }
}

/// The exit that a failure deserves.
pub(super) fn of(error: &anyhow::Error) -> Exit {
    if error.is::<ConfigError>() { Exit::Settings } else { Exit::Failed }
}
