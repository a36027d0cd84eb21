//! The command line: what was typed becomes a call, what comes back becomes text and an exit code.
//!
//! | file | holds |
//! |---|---|
//! | `arguments` | every command and flag |
//! | `exit` | what the exit codes mean |
//! | `serve` | runs the gateway |
//! | `config` | shows and checks settings |
//! | `sessions` | lists, shows and removes uploads |
//! | `owners` | shows what one owner has, removes all of it |
//! | `link` | makes links that let somebody upload |
//! | `doctor` | looks at a data directory or from outside, rebuilds the session store |
//! | `import` | takes files of another server in |
//! | `migrate` | takes the settings and the files of another server over |
//! | `health` | asks a running gateway whether it is ready |

mod arguments;
mod config;
mod doctor;
mod exit;
mod health;
mod import;
mod link;
mod migrate;
mod owners;
mod serve;
mod sessions;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};
use exit::Exit;

/// Runs the command line `words`, program name first.
///
/// Answers go to standard output, everything else to standard error.
#[must_use]
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not failures; clap knows where each goes.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match dispatch(&arguments, &mut io::stdout()) {
        Ok(exit) => exit.into(),
        Err(error) if reader_left(&error) => Exit::Done.into(),
        Err(error) => {
            // Nothing can be said about a standard error that cannot be written.
            drop(writeln!(io::stderr(), "tidegate: {error:#}"));
            exit::of(&error).into()
        }
    }
}

fn dispatch(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Exit> {
    match &arguments.command {
        None | Some(Command::Serve) => serve::run(arguments, out),
        Some(Command::Config { command }) => config::run(arguments, *command, out),
        Some(Command::Sessions { command }) => sessions::run(arguments, command, out),
        Some(Command::Owners { command }) => owners::run(arguments, command, out),
        Some(Command::Link { command }) => link::run(arguments, command, out),
        Some(Command::Doctor { inside, outside }) => match &outside.url {
            Some(url) => doctor::look_outside(url, outside, out),
            None => doctor::run(arguments, *inside, out),
        },
        Some(Command::Import(options)) => import::run(arguments, options, out),
        Some(Command::Migrate { from }) => migrate::run(arguments, from, out),
        Some(Command::Health) => health::run(arguments, out),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "tidegate", &mut script);
            out.write_all(&script).context("the script could not be written")?;
            Ok(Exit::Done)
        }
    }
}

/// Whether whoever read our output stopped reading, as `head` does. Not a failure.
fn reader_left(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The stores are asynchronous, the command line is not.
fn on_a_runtime<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("no runtime could be started")?.block_on(work))
}
