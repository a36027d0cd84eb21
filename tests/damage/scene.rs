//! A data directory with one upload of each kind, and two beside them that no damage may touch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sled::Tree;
use tempfile::TempDir;

use crate::gateway::{Gateway, exchange, field, run, text};

pub(crate) const MIB: usize = 1024 * 1024;
/// Bytes of the finished upload: one stretch of sums and a half.
pub(crate) const FINISHED: usize = MIB + MIB / 2;
/// Bytes that the running upload has got, of `RUNNING_LENGTH`.
pub(crate) const RUNNING: usize = 2 * MIB + MIB / 2;
const RUNNING_LENGTH: usize = 3 * MIB;
/// Bytes of a chunk; chunks 0 and 2 of four are there.
pub(crate) const CHUNK: usize = 1000;

/// Bytes that do not repeat, and that can be read in a failed test.
pub(crate) fn bytes(seed: u64, count: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let letter = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    std::iter::repeat_with(letter).take(count).collect()
}

/// The uploads of a scene, by id.
#[derive(Clone, Debug)]
pub(crate) struct Uploads {
    pub(crate) finished: String,
    pub(crate) running: String,
    pub(crate) partial: String,
    pub(crate) chunked: String,
    finished_beside: String,
    running_beside: String,
}

struct Template {
    folder: TempDir,
    uploads: Uploads,
}

/// A copy of the template, for one test to damage.
pub(crate) struct Scene {
    _template: Arc<Template>,
    folder: TempDir,
    pub(crate) uploads: Uploads,
}

/// Made by the first test that needs it, and removed by the last.
fn template() -> Arc<Template> {
    static SHARED: Mutex<Weak<Template>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(template) = shared.upgrade() {
        return template;
    }
    let template = Arc::new(Template::make());
    *shared = Arc::downgrade(&template);
    template
}

impl Template {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path());
        let address = gateway.upload_address();
        let begin = |length: usize, seed, count, more: &str| {
            let head = format!(
                "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {length}\r\n\
                 Content-Type: application/offset+octet-stream{more}"
            );
            let answer = exchange(address, &head, &bytes(seed, count));
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
            id_of(&field(&answer, "location").unwrap())
        };
        let uploads = Uploads {
            finished: begin(FINISHED, 1, FINISHED, ""),
            running: begin(RUNNING_LENGTH, 2, RUNNING, ""),
            partial: begin(5, 3, 5, "\r\nUpload-Concat: partial"),
            chunked: chunked(address),
            finished_beside: begin(7, 5, 7, ""),
            running_beside: begin(10, 6, 4, ""),
        };
        assert!(gateway.stop().success());
        Self { folder, uploads }
    }
}

fn chunked(address: &str) -> String {
    for chunk in [0, 2] {
        let (start, end) = (chunk * CHUNK, (chunk + 1) * CHUNK - 1);
        let head = format!(
            "PUT /chunked-upload HTTP/1.1\r\nX-Upload-Session-ID: holes\r\n\
             X-Chunk-Number: {chunk}\r\nX-Chunk-Size: {CHUNK}\r\nX-Total-Size: {}\r\n\
             Content-Range: bytes {start}-{end}/{}",
            4 * CHUNK,
            4 * CHUNK
        );
        let answer = exchange(address, &head, &bytes(4, 4 * CHUNK)[start..=end]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let status = exchange(address, "GET /upload-status?session_id=holes HTTP/1.1", "");
    let status: serde_json::Value =
        serde_json::from_str(status.split_once("\r\n\r\n").unwrap().1).unwrap();
    id_of(status["upload_url"].as_str().unwrap())
}

fn id_of(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}

impl Scene {
    pub(crate) fn new() -> Self {
        let template = template();
        let folder = tempfile::tempdir().unwrap();
        copy(template.folder.path(), folder.path());
        let uploads = template.uploads.clone();
        Self { _template: template, folder, uploads }
    }

    /// The same, damaged alike, for something else to be tried on.
    pub(crate) fn again(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.path(), folder.path());
        Self { _template: Arc::clone(&self._template), folder, uploads: self.uploads.clone() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file of an upload: `running`, `finished` or `labels`.
    pub(crate) fn file(&self, kind: &str, id: &str) -> PathBuf {
        self.path().join("blobs").join(kind).join(&id[..1]).join(id)
    }

    /// Flips one bit of a file.
    pub(crate) fn flip(&self, kind: &str, id: &str, at: usize) {
        let mut bytes = fs::read(self.file(kind, id)).unwrap();
        bytes[at] ^= 1;
        fs::write(self.file(kind, id), bytes).unwrap();
    }

    /// Changes the session database behind the gateway's back.
    pub(crate) fn in_database(&self, tree: &str, change: impl FnOnce(&Tree)) {
        let db = sled::Config::new().path(self.path().join("sessions")).open().unwrap();
        change(&db.open_tree(tree).unwrap());
        db.flush().unwrap();
    }

    /// Puts other bytes behind the head of a record.
    pub(crate) fn set_record(&self, id: &str, record: &[u8]) {
        self.in_database("sessions", |tree| {
            let value = tree.get(key(id)).unwrap().unwrap();
            tree.insert(key(id), [&value[..18], record].concat()).unwrap();
        });
    }

    /// What the doctor says, and its exit code.
    pub(crate) fn doctor(&self, words: &[&str]) -> (Option<i32>, String) {
        let words = [&["doctor", "--data-dir", self.path().to_str().unwrap()], words].concat();
        let output = run(&words);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }

    pub(crate) fn start(&self) -> Gateway {
        Gateway::start(self.path())
    }

    /// The uploads beside the damaged one are what they were.
    pub(crate) fn others_are_untouched(&self, gateway: &Gateway) {
        let Uploads { finished_beside, running_beside, .. } = &self.uploads;
        let address = gateway.upload_address();
        assert_eq!(get(address, finished_beside), (200, bytes(5, 7)));
        assert_eq!(head(address, running_beside), (200, Some(4)));
        let patch = format!(
            "PATCH /files/{running_beside} HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 4\r\n\
             Content-Type: application/offset+octet-stream"
        );
        let answer = exchange(address, &patch, &bytes(6, 10)[4..]);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        assert_eq!(get(address, running_beside), (200, bytes(6, 10)));
    }
}

/// The key of an upload in the database.
pub(crate) fn key(id: &str) -> Vec<u8> {
    (0..16).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Status and offset that `HEAD` tells.
pub(crate) fn head(address: &str, id: &str) -> (u16, Option<u64>) {
    let ask = format!("HEAD /files/{id} HTTP/1.1\r\nTus-Resumable: 1.0.0");
    let answer = exchange(address, &ask, "");
    let offset = field(&answer, "upload-offset").map(|offset| offset.parse().unwrap());
    (status(&answer), offset)
}

/// Status and body of a download, as far as it came.
pub(crate) fn get(address: &str, id: &str) -> (u16, String) {
    let answer = exchange(address, &format!("GET /files/{id} HTTP/1.1"), "");
    if answer.is_empty() {
        return (0, answer);
    }
    (status(&answer), answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// Status of a deletion by its owner.
pub(crate) fn delete(address: &str, id: &str) -> u16 {
    let ask = format!("DELETE /files/{id} HTTP/1.1\r\nTus-Resumable: 1.0.0");
    status(&exchange(address, &ask, ""))
}

/// Status of a deletion by the operator.
pub(crate) fn remove(admin: &str, id: &str) -> u16 {
    status(&exchange(admin, &format!("DELETE /sessions/{id} HTTP/1.1"), ""))
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap()
}

/// Copies a directory with all there is in it, links as links.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (entry, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        let target = to.join(entry.file_name().unwrap());
        if kind.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry, &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&entry).unwrap(), target).unwrap();
        } else {
            fs::copy(&entry, target).unwrap();
        }
    }
}
