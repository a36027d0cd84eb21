//! A gateway of our own on a free port.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running gateway; killed, and its data removed, when dropped.
pub(crate) struct Gateway {
    child: Child,
    data: PathBuf,
    address: String,
}

/// The gateway that was built beside the suite. Where only the suite was built, it is built now.
fn program() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_tidegate-conformance")).with_file_name("tidegate");
    if !beside.exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let words = ["build", "--quiet", "--locked", "--package", "tidegate", "--bin", "tidegate"];
        let built = Command::new(env!("CARGO")).args(words).current_dir(root).status().unwrap();
        assert!(built.success());
    }
    beside
}

impl Gateway {
    /// Starts one with these settings beside the built-in ones.
    pub(crate) fn start(name: &str, settings: &[(&str, &str)]) -> Self {
        let own = format!("gateway-{name}-{}", std::process::id());
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(own);
        fs::create_dir_all(&data).unwrap();
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDEGATE_") {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(&data).envs(settings.iter().copied());
        command.env("TIDEGATE__LOG__LEVEL", "error").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Ends with the line that tells, or with the output.
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let url = line.strip_prefix("upload endpoint")?.trim().strip_suffix("/files")?;
            Some(url.split_once("//")?.1.to_owned())
        });
        let gateway = Self { child, data, address: address.unwrap_or_default() };
        let ready = lines.any(|line| line.unwrap().starts_with("ready"));
        assert!(ready, "the gateway did not start");
        gateway
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
