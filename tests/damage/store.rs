//! Damage to the session database as a whole, and what belongs to no upload.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::gateway::{program, text};
use crate::scene::{FINISHED, RUNNING, Scene, bytes, get, head};

/// What a gateway that does not start says; one that does is ended, and has no exit code.
fn started(data: &Path) -> (Option<i32>, String) {
    let data = data.to_str().unwrap();
    let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", data];
    let mut child = program(&ports).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Ends with the line `ready`, or with the process.
    let stdout = BufReader::new(child.stdout.take().unwrap());
    if stdout.lines().any(|line| line.unwrap() == "ready") {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output.stderr))
}

/// The start is refused, with a clear message; a rebuild brings everything back.
fn refused_and_rebuilt(make: impl Fn(&Path)) {
    let scene = Scene::new();
    make(&scene.path().join("sessions"));
    let (exit, said) = started(scene.path());
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("tidegate doctor --rebuild"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let (exit, said) = scene.doctor(&[]);
    assert_eq!(exit, Some(3), "{said}");
    assert!(said.contains("tidegate doctor --rebuild"), "{said}");
    let (exit, said) = scene.doctor(&["--rebuild"]);
    assert_eq!(exit, Some(0), "{said}");
    all_is_there(&scene);
}

fn all_is_there(scene: &Scene) {
    let gateway = scene.start();
    let address = gateway.upload_address();
    assert_eq!(get(address, &scene.uploads.finished), (200, bytes(1, FINISHED)));
    let offset = RUNNING.try_into().unwrap();
    assert_eq!(head(address, &scene.uploads.running), (200, Some(offset)));
    assert_eq!(head(address, &scene.uploads.chunked).0, 200);
    scene.others_are_untouched(&gateway);
}

/// The snapshot that opening leaves.
fn opened_once(sessions: &Path) {
    drop(sled::Config::new().path(sessions).open().unwrap());
}

fn snapshot(sessions: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(sessions).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.to_str().unwrap().contains("/snap."));
    files.next().unwrap()
}

#[test]
fn a_flipped_bit_in_the_log_is_noticed_although_the_database_opens() {
    refused_and_rebuilt(|sessions| {
        let mut log = fs::read(sessions.join("db")).unwrap();
        // Early, so that nearly everything is behind it.
        log[2000] ^= 1;
        fs::write(sessions.join("db"), log).unwrap();
    });
}

#[test]
fn a_log_that_is_cut_short_is_noticed_although_the_database_opens() {
    refused_and_rebuilt(|sessions| {
        let log = fs::OpenOptions::new().write(true).open(sessions.join("db")).unwrap();
        log.set_len(log.metadata().unwrap().len() / 4).unwrap();
    });
}

#[test]
fn an_emptied_log_is_noticed_although_the_database_opens() {
    refused_and_rebuilt(|sessions| fs::write(sessions.join("db"), b"").unwrap());
}

#[test]
fn a_log_that_is_gone_is_noticed() {
    refused_and_rebuilt(|sessions| fs::remove_file(sessions.join("db")).unwrap());
}

#[test]
fn an_emptied_directory_of_the_database_is_noticed() {
    refused_and_rebuilt(|sessions| {
        fs::remove_dir_all(sessions).unwrap();
        fs::create_dir(sessions).unwrap();
    });
}

#[test]
fn a_damaged_snapshot_costs_nothing() {
    let scene = Scene::new();
    let sessions = scene.path().join("sessions");
    opened_once(&sessions);
    let snapshot = snapshot(&sessions);
    let mut bytes = fs::read(&snapshot).unwrap();
    bytes[20] ^= 1;
    fs::write(snapshot, bytes).unwrap();
    all_is_there(&scene);
}

#[test]
fn a_snapshot_that_a_power_cut_left_without_its_bytes_costs_nothing() {
    let scene = Scene::new();
    let sessions = scene.path().join("sessions");
    opened_once(&sessions);
    fs::write(snapshot(&sessions), b"short").unwrap();
    all_is_there(&scene);
}

#[test]
fn damaged_parameters_of_the_database_cost_nothing() {
    refused_and_rebuilt(|sessions| {
        fs::write(sessions.join("conf"), b"this is not a database").unwrap();
    });
}

#[test]
fn a_file_in_the_place_of_the_database_is_set_aside() {
    refused_and_rebuilt(|sessions| {
        fs::remove_dir_all(sessions).unwrap();
        fs::write(sessions, b"no database").unwrap();
    });
}

#[test]
fn what_sled_makes_anew_may_be_gone() {
    let scene = Scene::new();
    let sessions = scene.path().join("sessions");
    opened_once(&sessions);
    fs::remove_file(snapshot(&sessions)).unwrap();
    fs::remove_file(sessions.join("conf")).unwrap();
    all_is_there(&scene);
}

#[test]
fn a_lost_record_is_named_and_comes_back_from_its_label() {
    let scene = Scene::new();
    let id = &scene.uploads.running;
    scene.in_database("sessions", |tree| drop(tree.remove(crate::scene::key(id)).unwrap()));
    let (exit, said) = scene.doctor(&[]);
    assert_eq!(exit, Some(3), "{said}");
    assert!(crate::line(&said, id).contains("its record is lost"), "{said}");
    let (exit, said) = scene.doctor(&["--repair"]);
    assert_eq!(exit, Some(0), "{said}");
    all_is_there(&scene);
}

#[test]
fn entries_of_lists_without_a_record_are_dropped() {
    let scene = Scene::new();
    let id = "0123456789abcdef0123456789abcdef";
    let upload = crate::scene::key(id);
    let due = [&1_u64.to_be_bytes()[..], &upload].concat();
    scene.in_database("expiry", |tree| drop(tree.insert(due, b"").unwrap()));
    let owned = [&[7; 16][..], &upload].concat();
    scene.in_database("owners", |tree| drop(tree.insert(owned, &[0; 33][..]).unwrap()));
    let piece = [&upload[..], &[0; 10]].concat();
    scene.in_database("pieces", |tree| drop(tree.insert(piece, b"x").unwrap()));
    let (exit, said) = scene.doctor(&[]);
    assert_eq!(exit, Some(0), "it heals by itself: {said}");
    assert_eq!(said.lines().filter(|line| line.contains(id)).count(), 3, "{said}");
    let (_, said) = scene.doctor(&["--repair"]);
    assert_eq!(said.matches("set right").count(), 3, "{said}");
    let (exit, said) = scene.doctor(&[]);
    assert!(exit == Some(0) && !said.contains(id), "{said}");
    all_is_there(&scene);
}

#[test]
fn a_record_of_a_newer_version_is_left_alone() {
    let scene = Scene::new();
    let id = &scene.uploads.finished;
    scene.set_record(id, b"tidegate-session 3 00000000 {}");
    for words in [&[][..], &["--repair"], &["--rebuild"]] {
        let (exit, said) = scene.doctor(words);
        assert_eq!(exit, Some(3), "{said}");
        assert!(crate::line(&said, id).contains("a newer tidegate wrote its record"), "{said}");
    }
    assert!(!scene.path().join("blobs/quarantine").exists());
    let gateway = scene.start();
    assert_eq!(get(gateway.upload_address(), id).0, 500);
    scene.others_are_untouched(&gateway);
}

#[test]
fn what_belongs_to_no_upload_is_named_and_taken_out_of_the_way() {
    let scene = Scene::new();
    let id = "5123456789abcdef0123456789abcdef";
    let orphan = "6123456789abcdef0123456789abcdef";
    fs::write(scene.file("labels", &format!("{id}.new")), b"half a lab").unwrap();
    std::os::unix::fs::symlink("7", scene.file("running", &format!("{id}.unproven"))).unwrap();
    fs::write(scene.file("finished", "5thing"), b"what is this").unwrap();
    fs::write(scene.file("finished", orphan), b"whose is this").unwrap();
    let (exit, said) = scene.doctor(&[]);
    assert_eq!(exit, Some(3), "{said}");
    for (name, found) in [
        (".new", "was left by a crash"),
        (".unproven", "was left by a crash"),
        ("5thing", "does not belong there"),
        (orphan, "a finished file without a record"),
    ] {
        assert!(crate::line(&said, name).contains(found), "{name} {found}: {said}");
    }
    let (exit, said) = scene.doctor(&["--repair"]);
    assert_eq!(exit, Some(0), "{said}");
    let aside = scene.path().join("blobs/quarantine");
    assert_eq!(fs::read(aside.join("5-5thing")).unwrap(), b"what is this");
    assert_eq!(fs::read(aside.join(format!("{orphan}.finished"))).unwrap(), b"whose is this");
    let (_, said) = scene.doctor(&["--repair"]);
    assert!(!said.contains("fixed"), "{said}");
    all_is_there(&scene);
}

#[test]
fn a_file_in_the_place_of_a_directory_is_named_at_the_start() {
    let scene = Scene::new();
    let place = scene.path().join("blobs/labels");
    fs::rename(&place, scene.path().join("elsewhere")).unwrap();
    fs::write(&place, b"no directory").unwrap();
    let (exit, said) = started(scene.path());
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("blobs/labels"), "{said}");
    fs::remove_file(&place).unwrap();
    fs::rename(scene.path().join("elsewhere"), &place).unwrap();
    all_is_there(&scene);
}

/// The doctor, without the right of an administrator to read what nobody may read.
fn doctor_as_anybody(scene: &Scene, words: &[&str]) -> (Option<i32>, String) {
    let mut command = program(&["doctor"]);
    if rustix::process::geteuid().is_root() {
        let less = "-dac_override,-dac_read_search";
        let (bounds, inherits) = (format!("--bounding-set={less}"), format!("--inh-caps={less}"));
        let doctor = command.get_program().to_owned();
        command = std::process::Command::new("setpriv");
        command.args([bounds, inherits]).arg(doctor).arg("doctor");
    }
    let output = command.arg("--data-dir").arg(scene.path()).args(words).output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn what_its_user_may_not_read_is_named_and_opened() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let nobody = fs::Permissions::from_mode(0o000);
    let places = [
        scene.file("finished", &scene.uploads.finished),
        scene.file("running", &scene.uploads.running),
        scene.path().join("blobs/labels").join(&scene.uploads.chunked[..1]),
    ];
    for place in &places {
        fs::set_permissions(place, nobody.clone()).unwrap();
    }
    let (exit, said) = doctor_as_anybody(&scene, &[]);
    assert_eq!(exit, Some(3), "{said}");
    for place in &places {
        let line = crate::line(&said, &format!("{} ", place.display()));
        assert!(line.contains("its permissions forbid it"), "{said}");
    }
    let (exit, said) = doctor_as_anybody(&scene, &["--repair"]);
    assert_eq!(exit, Some(0), "{said}");
    all_is_there(&scene);
}
