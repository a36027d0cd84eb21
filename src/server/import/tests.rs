use std::os::unix::fs::symlink;

use super::*;
use crate::config::{Size, Span};
use crate::upload::{UploadId, UploadOffset};

struct House {
    folder: tempfile::TempDir,
    settings: Settings,
}

impl House {
    fn new(base_path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("old")).unwrap();
        let mut settings = Settings::default();
        settings.server.data_dir = folder.path().join("data");
        settings.storage.reserve = Size::bytes(0);
        settings.xep0363 = toml::from_str(&format!(
            "[[tenants]]\nscheme = \"hmac_file_server\"\nsecret = \"it-is-secret\"\n\
             base_path = \"{base_path}\"\n"
        ))
        .unwrap();
        Self { folder, settings }
    }

    fn old(&self) -> PathBuf {
        self.folder.path().join("old").canonicalize().unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.old().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            directory: self.old(),
            base_path: self.settings.xep0363.tenants[0].base_path.clone(),
            hard_link: false,
            without: Vec::new(),
            without_previews: true,
        }
    }

    async fn import(&self, wanted: &Wanted) -> (Report, Vec<String>) {
        let mut remarks = Vec::new();
        let mut remark = |Remark { path, text }: Remark| {
            let path = path.strip_prefix(self.old()).unwrap().display().to_string();
            remarks.push(format!("{path}: {text}"));
        };
        let report = import(&self.settings, wanted, &mut remark).await.unwrap();
        (report, remarks)
    }
}

async fn served(house: &House, slot: &str) -> Option<Vec<u8>> {
    let offline = sessions::offline(&house.settings).await.unwrap();
    let slots = slots::build(&offline.data, &house.settings).unwrap();
    let base = &slots.tenants[0].tenant.base;
    let id: UploadId = slots.ids.upload(base, &SlotPath::new(slot).unwrap());
    let found = match offline.engine.read(id, crate::engine::Reader::Anyone).await {
        Ok(download) => {
            let all = usize::try_from(download.length()).unwrap();
            Some(download.read(UploadOffset::ZERO, all).await.unwrap().to_vec())
        }
        Err(_) => None,
    };
    offline.engine.stop().await;
    found
}

#[tokio::test]
async fn files_are_taken_in_once_and_everything_else_is_named() {
    let house = House::new("/");
    house.write("a/picture.png", "png");
    house.write("a/picture.thumb.jpg", "preview");
    house.write("a/lonely.thumb.jpg", "no preview");
    house.write("b/über uns+50%.txt", "text");
    house.write(".metadata/files.db", "secret");
    house.write("dedup/abc", "again");
    symlink("/etc/passwd", house.old().join("link")).unwrap();
    let wanted = Wanted { without: vec![house.old().join("dedup")], ..house.wanted() };
    let (report, remarks) = house.import(&wanted).await;
    let expected = Report { taken: 3, taken_bytes: 17, left_out: 4, ..Report::default() };
    assert_eq!(report, expected, "{remarks:?}");
    assert_eq!(remarks.len(), 4, "{remarks:?}");
    assert_eq!(served(&house, "b/über uns+50%.txt").await.unwrap(), b"text");
    assert_eq!(served(&house, "a/lonely.thumb.jpg").await.unwrap(), b"no preview");
    assert_eq!(served(&house, ".metadata/files.db").await, None);
    let (again, _) = house.import(&wanted).await;
    assert_eq!(again, Report { there: 3, left_out: 4, ..Report::default() });
}

#[tokio::test]
async fn a_file_that_cannot_be_taken_in_does_not_stop_the_rest() {
    let house = House::new("/");
    house.write("a/x", "one");
    house.write("b/x", "two");
    house.write("files/x", "three");
    let (report, _) = house.import(&house.wanted()).await;
    assert_eq!((report.taken, report.failed), (2, 1), "files/x is where tus lives");
    house.write("a/x", "changed since");
    house.write("c/x", "four");
    let (report, remarks) = house.import(&house.wanted()).await;
    assert_eq!((report.taken, report.there, report.failed), (1, 1, 2));
    assert!(!report.is_whole());
    assert!(remarks[0].contains("a/x: has 13 bytes, but 3 are there already"), "{remarks:?}");
    assert_eq!(served(&house, "a/x").await.unwrap(), b"one");
}

#[tokio::test]
async fn a_full_device_ends_it_and_says_so() {
    let mut house = House::new("/");
    house.write("a/x", "one");
    house.write("b/x", "two");
    house.settings.storage.reserve = Size::bytes(u64::MAX / 2);
    let (report, _) = house.import(&house.wanted()).await;
    assert_eq!((report.taken, report.failed), (0, 0));
    assert!(report.ended_by.unwrap().contains("no room"));
    house.settings.storage.reserve = Size::bytes(0);
    assert_eq!(house.import(&house.wanted()).await.0.taken, 2);
}

#[tokio::test]
async fn linked_files_are_served_and_what_is_over_its_time_is_counted() {
    let mut house = House::new("/upload");
    house.settings.uploads.retention = Some(Span::hours(1));
    house.write("a/x", "one");
    house.write("a/old", "old");
    let old = File::open(house.old().join("a/old")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (report, _) = house.import(&Wanted { hard_link: true, ..house.wanted() }).await;
    assert_eq!((report.taken, report.over), (1, 1));
    assert_eq!(std::fs::metadata(house.old().join("a/x")).unwrap().nlink(), 2);
    assert_eq!(served(&house, "a/x").await.unwrap(), b"one");
}

#[tokio::test]
async fn what_another_tenant_serves_is_not_the_roots_and_a_tenants_own_retention_counts() {
    let mut house = House::new("/");
    let mut other = house.settings.xep0363.tenants[0].clone();
    other.base_path = "/chat".to_owned();
    house.settings.xep0363.tenants.push(other);
    house.settings.xep0363.tenants[0].retention =
        Some(crate::config::tenant::Kept::For(Span::hours(1)));
    for path in ["chat/x", "a/x", "a/old"] {
        house.write(path, "one");
    }
    let old = File::open(house.old().join("a/old")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (report, remarks) = house.import(&house.wanted()).await;
    assert_eq!((report.taken, report.failed, report.over), (1, 1, 1), "{remarks:?}");
    assert!(remarks[0].contains("another tenant"), "{remarks:?}");
}

#[tokio::test]
async fn a_tenant_that_is_not_there_and_the_data_directory_itself_are_refused() {
    let house = House::new("/upload");
    let refused = async |wanted| {
        let error = import(&house.settings, &wanted, &mut |_| ()).await.unwrap_err();
        error.to_string()
    };
    let text = refused(Wanted { base_path: "/other".to_owned(), ..house.wanted() }).await;
    assert!(text.contains("\"/other\"") && text.contains("\"/upload\""), "{text}");
    let above = house.folder.path().to_owned();
    let text = refused(Wanted { directory: above, ..house.wanted() }).await;
    assert!(text.contains("within each other"), "{text}");
    let absent = house.old().join("absent");
    let text = refused(Wanted { directory: absent, ..house.wanted() }).await;
    assert!(text.contains("cannot be read"), "{text}");
}
