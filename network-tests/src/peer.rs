//! Another tus server beside the gateway: how it is told on the command line, and as a process.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::lab::{Lab, Server};
use crate::trouble::Trouble;

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in a command for the port to listen on, and for an empty directory.
const PORT: &str = "{port}";
const DIRECTORY: &str = "{dir}";

/// How a server is started: `NAME=COMMAND`, whose words are parted by spaces. There is no shell.
///
/// `{port}` in a word stands for the port to listen on, on all addresses; `{dir}` for an empty directory
/// that is deleted in the end. The server's tus endpoint has to be `/files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    name: String,
    words: Vec<String>,
}

/// Why something is no [`Recipe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipe {
    /// Nothing in front of a `=`, or none.
    #[error("it has to begin with a name: NAME=COMMAND")]
    NoName,
    /// The name would break the table.
    #[error("a name is a cell of a table and cannot have a `|` or a line's end")]
    Name,
    /// Nothing behind the `=`.
    #[error("behind the `=` belongs the command that starts the server")]
    NoCommand,
    /// It cannot be told where to listen.
    #[error("the command has to say {{port}} where the port to listen on belongs")]
    NoPort,
}

impl FromStr for Recipe {
    type Err = BadRecipe;

    fn from_str(text: &str) -> Result<Self, BadRecipe> {
        let (name, command) = text.split_once('=').ok_or(BadRecipe::NoName)?;
        let (name, words) = (name.trim(), command.split_whitespace());
        let words: Vec<String> = words.map(str::to_owned).collect();
        if name.is_empty() {
            return Err(BadRecipe::NoName);
        }
        if name.contains(['|', '\n', '\r']) {
            return Err(BadRecipe::Name);
        }
        if words.is_empty() {
            return Err(BadRecipe::NoCommand);
        }
        if !words.iter().any(|word| word.contains(PORT)) {
            return Err(BadRecipe::NoPort);
        }
        Ok(Self { name: name.to_owned(), words })
    }
}

impl Recipe {
    /// What the server is called in tables.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words of the command, filled in.
    fn filled(&self, port: u16, directory: &str) -> Vec<String> {
        let port = port.to_string();
        let fill = |word: &String| word.replace(PORT, &port).replace(DIRECTORY, directory);
        self.words.iter().map(fill).collect()
    }
}

/// One that runs.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    scratch: TempDir,
}

impl Peer {
    /// Starts it beside the gateway, and waits until it takes connections.
    ///
    /// # Errors
    ///
    /// [`Trouble`], with its last words, if it does not.
    pub fn start(lab: &Lab, recipe: &Recipe, server: Server) -> Result<Self, Trouble> {
        const DOING: &str = "starting another server";
        let scratch = tempfile::tempdir().map_err(Trouble::system(DOING))?;
        let log = File::create(scratch.path().join("log")).map_err(Trouble::system(DOING))?;
        let both = log.try_clone().map_err(Trouble::system(DOING))?;
        let directory = scratch.path().join("data");
        fs::create_dir(&directory).map_err(Trouble::system(DOING))?;
        let mut command = lab.beside_the_gateway("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.args(recipe.filled(server.port(), &directory.to_string_lossy()));
        command.stdin(Stdio::null()).stdout(log).stderr(both);
        let child = command.spawn().map_err(Trouble::system(DOING))?;
        let mut peer = Self { child, scratch };
        if peer.takes_connections(server) { Ok(peer) } else { Err(peer.failed(recipe)) }
    }

    fn takes_connections(&mut self, server: Server) -> bool {
        let (address, until) = (server.by_b().parse::<SocketAddr>(), Instant::now() + PATIENCE);
        let Ok(address) = address else { return false };
        while TcpStream::connect_timeout(&address, PATIENCE).is_err() {
            if Instant::now() > until || !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        true
    }

    fn failed(&self, recipe: &Recipe) -> Trouble {
        let log = fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(8).collect();
        let words = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        Trouble::wrong(format!("{} takes no connections\n{words}", recipe.name()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_a_name_and_a_command_with_a_place_for_the_port() {
        let recipe: Recipe =
            "tusd, as it is=tusd -port {port} -upload-dir={dir} -x=y".parse().unwrap();
        assert_eq!(recipe.name(), "tusd, as it is");
        let words = recipe.filled(8081, "/a b");
        assert_eq!(words, ["tusd", "-port", "8081", "-upload-dir=/a b", "-x=y"]);
    }

    #[test]
    fn what_is_no_recipe_is_refused_and_the_reason_is_told() {
        let refused = |text: &str| text.parse::<Recipe>().unwrap_err();
        assert_eq!(refused("tusd -port {port}"), BadRecipe::NoName);
        assert_eq!(refused(" =tusd -port {port}"), BadRecipe::NoName);
        assert_eq!(refused("a|b=tusd -port {port}"), BadRecipe::Name);
        assert_eq!(refused("tusd= "), BadRecipe::NoCommand);
        assert_eq!(refused("tusd=tusd -port 1080"), BadRecipe::NoPort);
        assert!(BadRecipe::NoPort.to_string().contains("{port}"));
    }
}
