//! From hmac-file-server to this gateway: settings, files, addresses and tokens.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "running/gateway.rs"]
#[expect(dead_code, reason = "shared with the tests of the program as a whole")]
mod gateway;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use gateway::{Gateway, exchange, field, run, text};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tempfile::{TempDir, tempdir};

const SECRET: &str = "old secret, kept";
/// Addresses as they were given to people, and the files that they lead to.
const FILES: [(&str, &str, &str); 4] = [
    ("/a1b2/plain.txt", "a1b2/plain.txt", "text/plain; charset=utf-8"),
    ("/a1b2/%C3%BCber%20uns.png", "a1b2/über uns.png", "image/png"),
    ("/c3d4/50%25+1.bin", "c3d4/50%+1.bin", "application/octet-stream"),
    ("/form.jpg", "form.jpg", "image/jpeg"),
];
/// A day of 2020.
const MODIFIED: &str = "Tue, 14 Jul 2020 02:40:00 GMT";
const MODIFIED_AT: u64 = 1_594_694_400;

/// An old server, stopped.
struct Old {
    folder: TempDir,
}

impl Old {
    fn new(more: &str) -> Self {
        let old = Self { folder: tempdir().unwrap() };
        let storage = old.path("uploads");
        let settings = format!(
            "# the old server\n[server]\nlisten_address = \"8080\"\nbind_ip = \"127.0.0.1\"\n\
             storage_path = {storage:?}\nmax_upload_size = \"10MB\"\nmin_free_bytes = \"1MB\"\n\
             [security]\nsecret = {SECRET:?}\n{more}"
        );
        fs::create_dir(&storage).unwrap();
        fs::write(old.path("old.toml"), settings).unwrap();
        let others = [".metadata/files.db", "form.thumb.jpg"];
        for path in FILES.map(|(_, path, _)| path).iter().chain(&others) {
            let path = storage.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content(&path)).unwrap();
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED_AT);
            fs::File::open(&path).unwrap().set_modified(modified).unwrap();
        }
        old
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn migrate(&self, words: &[&str]) -> Output {
        let (old, new) = (self.path("old.toml"), self.path("new.toml"));
        let all = ["migrate", "hmac-file-server", "--config", old.to_str().unwrap(), "--output"];
        run(&[&all[..], &[new.to_str().unwrap()], words].concat())
    }

    fn gateway(&self) -> Gateway {
        let settings = self.path("new.toml");
        let words = ["--config", settings.to_str().unwrap()];
        Gateway::start_with(&self.path("tidegate-data"), &words, &[])
    }

    /// Every file with its bytes, its age and its inode.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>, i64, u64)> {
        let mut folders = vec![self.path("uploads")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let (path, metadata) = (entry.path(), entry.metadata().unwrap());
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    files.push((path, bytes, metadata.mtime(), metadata.ino()));
                }
            }
        }
        files.sort();
        files
    }
}

fn content(path: &Path) -> String {
    format!("content of {}", path.file_name().unwrap().to_str().unwrap())
}

fn signed(text: &str) -> String {
    let mut code = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    code.update(text.as_bytes());
    code.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn old_addresses_serve_the_same_files_and_old_tokens_are_taken() {
    let old = Old::new("");
    let before = old.snapshot();
    let output = old.migrate(&["--import"]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}{}", text(&output.stderr));
    assert!(told.contains("files taken in:             4 "), "{told}");
    assert!(!told.contains(SECRET) && !text(&output.stderr).contains(SECRET));
    let secret = old.path("hmac-file-server.secret");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let gateway = old.gateway();
    let address = gateway.upload_address();
    for (url, path, kind) in FILES {
        let answer = exchange(address, &format!("GET {url} HTTP/1.1"), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{url}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{}", content(Path::new(path)))), "{answer}");
        assert_eq!(field(&answer, "content-type").as_deref(), Some(kind), "{url}");
        assert_eq!(field(&answer, "last-modified").as_deref(), Some(MODIFIED), "{url}");
    }
    for hidden in ["/.metadata/files.db", "/form.thumb.jpg", "/a1b2", "/"] {
        let answer = exchange(address, &format!("GET {hidden} HTTP/1.1"), "");
        assert!(answer.starts_with("HTTP/1.1 404"), "{hidden}: {answer}");
    }
    tokens_of_the_old_kind(address);
    let form = exchange(address, "POST /upload HTTP/1.1\r\nContent-Type: text/plain", "x");
    assert!(form.starts_with("HTTP/1.1 4"), "{form}");
    drop(gateway);
    assert_eq!(old.snapshot(), before, "the old directory is as it was");
}

/// What the XMPP server signs today is what it signed yesterday.
fn tokens_of_the_old_kind(address: &str) {
    let v = signed("new/über.txt 5");
    let v2 = signed("new/2.txt\u{0}5\u{0}text/plain");
    let taken = [("/new/%C3%BCber.txt", "v", v.as_str()), ("/new/2.txt", "v2", &v2)];
    for (path, name, token) in taken {
        let put = format!("PUT {path}?{name}={token} HTTP/1.1\r\nContent-Type: text/plain");
        let answer = exchange(address, &put, "hello");
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        let answer = exchange(address, &format!("GET {path} HTTP/1.1"), "");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    }
    let over = signed("a1b2/plain.txt 5");
    let put = format!("PUT /a1b2/plain.txt?v={over} HTTP/1.1");
    let answer = exchange(address, &put, "other");
    assert!(answer.starts_with("HTTP/1.1 409"), "no token replaces an old file: {answer}");
    let forged = exchange(address, "PUT /new/3.txt?v=00 HTTP/1.1", "hello");
    assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
}

#[test]
fn doing_it_again_goes_on_and_replaces_nothing() {
    let old = Old::new("");
    assert!(old.migrate(&[]).status.success());
    let output = old.migrate(&["--import", "--hard-link"]);
    assert!(text(&output.stdout).contains("linked files are one with the old ones"));
    assert_eq!(fs::metadata(old.path("uploads/form.jpg")).unwrap().nlink(), 2);
    let output = old.migrate(&["--import"]);
    assert!(text(&output.stdout).contains("there from an earlier time: 4"), "{output:?}");
    // The same by the general command, which knows nothing of previews unless it is told.
    let (new, storage) = (old.path("new.toml"), old.path("uploads"));
    let words = ["import", storage.to_str().unwrap(), "--tenant", "/", "--without-previews"];
    let output = run(&[&words[..], &["--config", new.to_str().unwrap()]].concat());
    assert!(text(&output.stdout).contains("there from an earlier time: 4"), "{output:?}");
    fs::write(&new, "# changed by its owner\n").unwrap();
    let output = old.migrate(&["--import"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not overwritten"), "{output:?}");
    assert_eq!(fs::read_to_string(&new).unwrap(), "# changed by its owner\n");
}

#[test]
fn what_needs_a_decision_is_said_by_the_exit_code_and_the_settings_still_work() {
    let old = Old::new("[uploads]\nallowed_extensions = [\".jpg\"]\n");
    let data = old.path("elsewhere");
    let output = old.migrate(&["--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stdout).contains("DECIDE uploads.allowed_extensions"), "{output:?}");
    let new = old.path("new.toml");
    assert!(run(&["config", "check", "--config", new.to_str().unwrap()]).status.success());
    assert!(fs::read_to_string(&new).unwrap().contains(data.to_str().unwrap()));
}

#[test]
fn nothing_is_imported_under_a_running_gateway() {
    let old = Old::new("");
    assert!(old.migrate(&[]).status.success());
    let gateway = old.gateway();
    let output = old.migrate(&["--import"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("stop it first"), "{output:?}");
    drop(gateway);
    assert!(old.migrate(&["--import"]).status.success());
}

#[test]
fn without_an_output_the_settings_are_printed_and_the_secret_is_not() {
    let old = Old::new("");
    let path = old.path("old.toml");
    let output = run(&["migrate", "hmac-file-server", "--config", path.to_str().unwrap()]);
    let settings = text(&output.stdout);
    assert!(settings.contains("[[xep0363.tenants]]") && !settings.contains(SECRET), "{settings}");
    assert!(text(&output.stderr).contains("security.secret: renamed"), "{output:?}");
    assert_eq!(fs::read_dir(old.folder.path()).unwrap().count(), 2, "nothing was written");
}
