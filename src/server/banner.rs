//! What is printed on standard output at the start: where it listens, where the data is, and a
//! line to paste that uploads a file.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One upload listener, as it turned out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// TCP, with the port that the system chose if none was asked for.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Whether it speaks TLS.
        tls: bool,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// What the lines are about.
#[derive(Clone, Debug)]
pub struct Banner<'a> {
    /// The upload listeners; at least one.
    pub listeners: &'a [Bound],
    /// Path of the upload endpoint.
    pub base_path: &'a str,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The data directory.
    pub data: &'a Path,
    /// Whether uploads need a token.
    pub token_needed: bool,
}

impl Banner<'_> {
    /// The lines, up to and including `ready`.
    ///
    /// Scripts read them: a label, blanks, a value; `ready` once connections are accepted.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for listener in self.listeners {
            line(&mut text, "upload endpoint", &endpoint(listener, self.base_path));
        }
        line(&mut text, "admin", &format!("http://{}", self.admin));
        line(&mut text, "data", &self.data.display().to_string());
        if let Some(listener) = self.listeners.first() {
            line(&mut text, "try it", &self.command(listener));
        }
        text.push_str("ready\n");
        text
    }

    /// A command that uploads five bytes.
    fn command(&self, listener: &Bound) -> String {
        let mut command = "curl -i -X POST".to_owned();
        match listener {
            // The certificate of a first try is rarely one that curl believes.
            Bound::Tcp { tls: true, .. } => command.push_str(" --insecure"),
            Bound::Tcp { tls: false, .. } => {}
            Bound::Unix(path) => {
                command.push_str(" --unix-socket ");
                command.push_str(&quoted(&path.display().to_string()));
            }
        }
        if self.token_needed {
            command.push_str(" -H \"Authorization: Bearer $TIDEGATE_TOKEN\"");
        }
        for field in [
            "Tus-Resumable: 1.0.0",
            "Upload-Length: 5",
            "Content-Type: application/offset+octet-stream",
        ] {
            command.push_str(" -H ");
            command.push_str(&quoted(field));
        }
        command.push_str(" --data-binary hello ");
        command.push_str(&reachable(listener, self.base_path));
        command
    }
}

fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{label:<16} {value}");
}

fn endpoint(listener: &Bound, base_path: &str) -> String {
    match listener {
        Bound::Tcp { address, tls } => format!("{}://{address}{base_path}", scheme(*tls)),
        Bound::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// An address that a client on this machine can use: nobody connects to 0.0.0.0.
fn reachable(listener: &Bound, base_path: &str) -> String {
    match listener {
        Bound::Tcp { address, tls } if address.ip().is_unspecified() => {
            format!("{}://localhost:{}{base_path}", scheme(*tls), address.port())
        }
        Bound::Tcp { .. } => endpoint(listener, base_path),
        Bound::Unix(_) => format!("http://localhost{base_path}"),
    }
}

const fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// Quotes a word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(listeners: &[Bound], token_needed: bool) -> String {
        Banner {
            listeners,
            base_path: "/files",
            admin: "127.0.0.1:9090".parse().unwrap(),
            data: Path::new("/data"),
            token_needed,
        }
        .text()
    }

    fn tcp(address: &str, tls: bool) -> Bound {
        Bound::Tcp { address: address.parse().unwrap(), tls }
    }

    #[test]
    fn the_lines_are_what_scripts_read() {
        assert_eq!(
            banner(&[tcp("127.0.0.1:8080", false)], false),
            "upload endpoint  http://127.0.0.1:8080/files\n\
             admin            http://127.0.0.1:9090\n\
             data             /data\n\
             try it           curl -i -X POST -H 'Tus-Resumable: 1.0.0' -H 'Upload-Length: 5' \
             -H 'Content-Type: application/offset+octet-stream' --data-binary hello \
             http://127.0.0.1:8080/files\n\
             ready\n"
        );
    }

    #[test]
    fn the_command_fits_tls_tokens_and_sockets() {
        let text = banner(&[tcp("0.0.0.0:8443", true)], true);
        assert!(text.contains("--insecure"), "{text}");
        assert!(text.contains("Authorization: Bearer $TIDEGATE_TOKEN"), "{text}");
        assert!(text.contains("https://localhost:8443/files\n"), "{text}");
        let text = banner(&[Bound::Unix(PathBuf::from("/run/it's"))], false);
        assert!(text.contains(r"--unix-socket '/run/it'\''s'"), "{text}");
        assert!(text.contains("http://localhost/files"), "{text}");
    }
}
