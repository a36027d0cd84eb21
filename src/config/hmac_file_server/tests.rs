use super::keys::{Fate, KEYS};
use super::*;
use crate::config::{Settings, Sources, load};

/// As its makers ship it, with names of both generations and keys that nobody reads.
const TYPICAL: &str = r#"
[Server]
listen_address = "8080"
listenport = "9999"
BIND_IP = "127.0.0.1"
storage_path = "/srv/hmac/uploads"
max_upload_size = "10GB"
min_free_bytes = "1GB"
file_naming = "original"
metricsenabled = true
metricsport = "9191"
filettl = "168h"
filettlenabled = true
max_file_age = "720h"
[uploads]
chunk_size = "10MB"      # a comment
[security]
secret = "kept to ourselves = \"x\""
enablejwt = false
jwtsecret = "another secret"
[timeouts]
readtimeout = "4800s"
[logging]
level = "WARNING"
[deduplication]
enabled = true
directory = "/srv/hmac/uploads/dedup"
[performance]
max_memory_usage = "1GB"
"#;

fn migrated(text: &str) -> Migration {
    migrate(text, Path::new("/etc/tidegate/x.secret"), None).unwrap()
}

fn line<'a>(migration: &'a Migration, key: &str) -> &'a Line {
    let found = migration.report.iter().find(|line| line.key == key);
    found.unwrap_or_else(|| panic!("no {key} in {:?}", migration.report))
}

/// What a gateway makes of the new file.
fn loaded(migration: &Migration) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (folder.path().join("new.toml"), folder.path().join("x.secret"));
    if let Some(said) = &migration.secret {
        std::fs::write(&secret, said.expose()).unwrap();
    }
    let text = migration.settings.replace("/etc/tidegate/x.secret", secret.to_str().unwrap());
    std::fs::write(&file, text).unwrap();
    load(&Sources { file: Some(file), ..Sources::default() }).unwrap()
}

#[test]
fn a_typical_file_becomes_settings_that_mean_the_same() {
    let migration = migrated(TYPICAL);
    let settings = loaded(&migration);
    assert_eq!(settings.server.listen.addresses()[0].to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.admin_listen.to_string(), "127.0.0.1:9191");
    assert_eq!(settings.server.data_dir, Path::new("/srv/hmac/tidegate-data"));
    assert_eq!(settings.tus.max_size.unwrap().get(), 10 << 30);
    assert_eq!(settings.storage.reserve.get(), 1 << 30);
    assert_eq!(settings.uploads.chunksize.get(), 10 << 20);
    assert_eq!(settings.uploads.retention.unwrap().get().as_secs(), 168 * 3600);
    assert_eq!(settings.timeouts.uploadtimeout.unwrap().get().as_secs(), 4800);
    assert!(settings.auth.required);
    let tenant = &settings.xep0363.tenants[0];
    assert_eq!(tenant.base_path, "/");
    assert_eq!(migration.secret.as_ref().unwrap().expose(), "kept to ourselves = \"x\"");
    assert!(!migration.asks(), "{:?}", migration.report);
    assert_eq!(migration.storage, Path::new("/srv/hmac/uploads"));
    assert_eq!(migration.without, [Path::new("/srv/hmac/uploads/dedup")]);
}

#[test]
fn every_key_of_the_old_file_has_its_line_and_no_line_tells_a_secret() {
    let migration = migrated(TYPICAL);
    assert_eq!(migration.report.len(), TYPICAL.matches(" = ").count() - 1);
    assert_eq!(line(&migration, "Server.listenport").verdict, Verdict::NoEffect);
    assert_eq!(line(&migration, "Server.max_file_age").verdict, Verdict::NoEffect);
    assert_eq!(line(&migration, "performance.max_memory_usage").verdict, Verdict::Unknown);
    let told = format!("{:?}{}", migration, migration.settings);
    assert!(!told.contains("kept to ourselves") && !told.contains("another secret"), "{told}");
}

#[test]
fn nothing_that_restricted_uploads_is_lost_without_a_word() {
    for (section, restriction) in [
        ("uploads", "allowed_extensions = [\".jpg\"]"),
        ("uploads", "allowedextensions = [\".jpg\"]"),
        ("clamav", "clamavenabled = true"),
        ("validation", "check_magic_bytes = true"),
        ("quotas", "enabled = true"),
        ("rate_limit", "enabled = true"),
        ("key_rotation", "enabled = \"true\""),
        ("audit", "enabled = true"),
        ("iso", "enabled = true"),
        ("client_network_support", "allow_ip_changes = false"),
        ("security", "enablejwt = true"),
        ("server", "max_upload_size = \"1TB\""),
        ("server", "max_upload_size = 1048576"),
        ("server", "max_uploadsize = \"1GB\""),
        ("server", "filettl_enabled = true"),
        ("server", "listen_address = \"everywhere\""),
        ("server", "file_naming = \"HMAC\""),
        ("timeouts", "readtimeout = \"soon\""),
    ] {
        let mut text = format!("[{section}]\n{restriction}\n");
        text.push_str(if section == "security" { "" } else { "[security]\n" });
        text.push_str("secret = \"it-is-secret\"\n");
        let migration = migrated(&text);
        let asking: Vec<_> = migration.report.iter().filter(|line| line.asks()).collect();
        assert_eq!(asking.len(), 1, "{restriction}: {:?}", migration.report);
        let name = restriction.split_once(' ').unwrap().0;
        assert_eq!(asking[0].key, format!("{section}.{name}"));
    }
}

#[test]
fn a_secret_that_is_missing_or_everybodys_needs_a_decision() {
    for secret in ["", "your-very-secret-hmac-key", " spaced "] {
        let migration = migrated(&format!("[security]\nsecret = \"{secret}\"\n"));
        assert!(line(&migration, "security.secret").asks(), "{secret}");
    }
    let migration = migrated("");
    assert!(line(&migration, "security.secret").asks() && migration.secret.is_none());
}

#[test]
fn an_empty_file_becomes_that_servers_defaults() {
    let settings = loaded(&migrated("[security]\nsecret = \"it-is-secret\"\n"));
    assert_eq!(settings.server.listen.addresses()[0].to_string(), "[::]:8080");
    assert_eq!((settings.tus.max_size, settings.uploads.retention), (None, None));
}

#[test]
fn names_of_the_older_version_are_understood() {
    let text = "[server]\nListenPort = 8088\nstoragepath = \"/old\"\nunixsocket = false\n\
                metricsenabled = true\nmetricsport = \"8088\"\n\
                [uploads]\nchunksize = \"1MB\"\nchunkeduploadsenabled = false\n\
                [security]\nsecret = \"it-is-secret\"\n";
    let migration = migrated(text);
    let settings = loaded(&migration);
    assert_eq!(settings.server.listen.addresses()[0].to_string(), "[::]:8088");
    assert_eq!(settings.server.admin_listen.port(), 9090, "8088 is the clients'");
    assert!(!settings.uploads.chunkeduploadsenabled);
    assert_eq!(migration.storage, Path::new("/old"));
    assert!(line(&migration, "server.ListenPort").text.contains("older name"));
}

#[test]
fn what_is_not_toml_is_refused_by_its_line_without_what_stands_there() {
    let error = migrate("[security]\nsecret = \"it-is-secret\n", Path::new("x"), None);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("line 2") && !text.contains("it-is-secret"), "{text}");
}

/// One row of the table in the documentation.
fn row(key: &keys::Key) -> String {
    let fate = match key.fate {
        Fate::Carried(rule) => format!("taken over: {}", rule.place()),
        Fate::Older(name) => format!("the older name of `{name}`"),
        Fate::Idle => "has no effect there either".to_owned(),
        Fate::Changed(text) => format!("changed: {text}"),
        Fate::Refused(_, text) => format!("refused, if in use: {text}"),
    };
    format!("| `{}.{}` | {fate} |", key.section, key.name)
}

#[test]
fn the_documentation_lists_every_key_with_what_becomes_of_it() {
    let page = include_str!("../../../docs/from-hmac-file-server.md");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let known: Vec<String> = KEYS.iter().map(row).collect();
    assert_eq!(listed, known);
    assert!(page.contains(&format!("{} keys", KEYS.len())));
}

#[test]
fn no_key_is_listed_twice_and_all_are_written_as_that_server_compares_them() {
    for (index, key) in KEYS.iter().enumerate() {
        assert_eq!(key.name, key.name.to_lowercase());
        let same = |other: &&keys::Key| (other.section, other.name) == (key.section, key.name);
        assert_eq!(KEYS.iter().position(|other| same(&other)), Some(index), "{}", key.name);
        if let Fate::Older(name) = key.fate {
            assert!(keys::find(key.section, name).is_some(), "{name}");
        }
    }
}
