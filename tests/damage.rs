//! Damage from outside: a flipped bit, a file that is cut short or gone, a record that is none.
//!
//! One row says how the damage is made, what `tidegate doctor` says about it, what clients are
//! answered, and what `doctor --repair` makes of it. For every row the uploads beside the damaged one are
//! untouched, the damaged one can be deleted, and a second repair finds nothing more to do.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "running/gateway.rs"]
#[expect(dead_code, reason = "this file needs less of it than the others")]
mod gateway;
#[path = "damage/scene.rs"]
mod scene;
#[path = "damage/store.rs"]
mod store;

use std::fs;

use gateway::Gateway;
use scene::{CHUNK, FINISHED, MIB, RUNNING, Scene, Uploads, bytes, delete, get, head, key, remove};

/// What clients are told of the damaged upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Whole, with the right bytes.
    Whole,
    /// Running, and at this offset.
    At(usize),
    /// `HEAD` knows of nothing, but a download breaks off before it is whole, and is refused from then on.
    CutOff,
    /// `HEAD` says that it is damaged; a download of a part is refused anyway.
    LostPart,
    /// This status, whatever they ask.
    Status(u16),
}

/// Who can delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deletable {
    ByOwner,
    /// Nobody can tell any more whose it is.
    ByOperator,
}

struct Row {
    upload: fn(&Uploads) -> &str,
    /// What `Told::Whole` compares with.
    whole: fn() -> String,
    make: fn(&Scene, &str),
    /// What the doctor says of the upload …
    found: &'static str,
    /// … and its exit code.
    exit: i32,
    told: Told,
    deletable: Deletable,
    /// What the repair says that it did.
    repaired: &'static str,
    told_then: Told,
}

const FINISHED_ROW: Row = Row {
    upload: |uploads| &uploads.finished,
    whole: || bytes(1, FINISHED),
    make: |_, _| panic!("nothing is damaged"),
    found: "",
    exit: 3,
    told: Told::Status(500),
    deletable: Deletable::ByOwner,
    repaired: "set aside in",
    told_then: Told::Status(404),
};

const RUNNING_ROW: Row =
    Row { upload: |uploads| &uploads.running, repaired: "cut back to", ..FINISHED_ROW };

fn check(row: &Row) {
    let scene = Scene::new();
    let id = (row.upload)(&scene.uploads).to_owned();
    (row.make)(&scene, &id);
    let served = scene.again();

    let (exit, said) = scene.doctor(&[]);
    assert_eq!(exit, Some(row.exit), "{said}");
    assert!(line(&said, &id).contains(row.found), "{:?} is not in: {said}", row.found);
    let (_, said) = scene.doctor(&["--repair"]);
    assert!(line(&said, &id).contains(row.repaired), "{:?} is not in: {said}", row.repaired);
    let (exit, said) = scene.doctor(&["--repair"]);
    let untouched = !said.contains("fixed");
    assert!(exit == Some(0) && untouched, "a second repair has nothing to do: {said}");

    let gateway = served.start();
    expect(row, &gateway, &id, row.told);
    served.others_are_untouched(&gateway);
    let (address, admin) = (gateway.upload_address(), gateway.admin_address());
    match row.deletable {
        Deletable::ByOwner => assert_eq!(delete(address, &id), 204),
        Deletable::ByOperator => {
            assert_eq!(delete(address, &id), 500);
            assert_eq!(remove(admin, &id), 204);
        }
    }
    assert_eq!(head(address, &id).0, 404);
    assert!(!served.file("finished", &id).exists() && !served.file("running", &id).exists());

    let gateway = scene.start();
    expect(row, &gateway, &id, row.told_then);
    scene.others_are_untouched(&gateway);
}

/// The line about an upload.
fn line<'a>(said: &'a str, id: &str) -> &'a str {
    said.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("no {id} in: {said}"))
}

fn expect(row: &Row, gateway: &Gateway, id: &str, told: Told) {
    let address = gateway.upload_address();
    match told {
        Told::Whole => {
            assert_eq!(head(address, id).0, 200);
            let (status, body) = get(address, id);
            assert!(status == 200 && body == (row.whole)(), "{status}, {} bytes", body.len());
        }
        Told::At(offset) => {
            assert_eq!(head(address, id), (200, Some(offset.try_into().unwrap())));
        }
        Told::CutOff => {
            assert_eq!(head(address, id).0, 200);
            let (status, body) = get(address, id);
            assert!([0, 200].contains(&status), "{status}");
            let whole = (row.whole)();
            assert!(body.len() < whole.len(), "a wrong file came whole");
            assert_eq!(head(address, id).0, 500);
            assert_eq!(get(address, id).0, 500);
        }
        Told::LostPart => {
            assert_eq!((head(address, id).0, get(address, id).0), (500, 403));
        }
        Told::Status(status) => {
            assert_eq!((head(address, id).0, get(address, id).0), (status, status));
        }
    }
}

macro_rules! rows {
    ($($name:ident: $row:expr;)*) => {
        $(#[test]
        fn $name() {
            check(&$row);
        })*
    };
}

rows! {
    a_flipped_bit_in_a_finished_file_is_never_served_whole: Row {
        make: |scene, id| scene.flip("finished", id, MIB + 5),
        found: "its bytes 1048576 to 1572864 are not those that arrived",
        told: Told::CutOff,
        ..FINISHED_ROW
    };
    a_flipped_bit_in_a_running_upload_takes_it_back_to_its_last_sound_stretch: Row {
        make: |scene, id| scene.flip("running", id, MIB + 5),
        found: "bytes that were accepted are not those that arrived",
        told: Told::At(RUNNING),
        told_then: Told::At(MIB),
        ..RUNNING_ROW
    };
    a_flipped_bit_in_a_chunk_behind_a_hole_takes_that_chunk: Row {
        upload: |uploads| &uploads.chunked,
        make: |scene, id| scene.flip("running", id, 2 * CHUNK + 5),
        found: "bytes that were accepted are not those that arrived",
        told: Told::At(CHUNK),
        told_then: Told::At(CHUNK),
        ..RUNNING_ROW
    };
    a_finished_file_that_is_cut_short_is_refused: Row {
        make: |scene, id| cut(scene, "finished", id, 1000),
        found: "it is complete, but only 1000 of 1572864 bytes are there",
        ..FINISHED_ROW
    };
    a_running_upload_that_is_cut_short_goes_on_from_its_last_sound_stretch: Row {
        make: |scene, id| cut(scene, "running", id, MIB + 1000),
        found: "2621440 bytes were accepted, but only 1049576 are there",
        told: Told::At(MIB),
        told_then: Told::At(MIB),
        ..RUNNING_ROW
    };
    a_chunked_upload_that_is_cut_short_keeps_its_sound_chunks: Row {
        upload: |uploads| &uploads.chunked,
        make: |scene, id| cut(scene, "running", id, CHUNK + 10),
        found: "3000 bytes were accepted, but only 1010 are there",
        told: Told::At(CHUNK),
        told_then: Told::At(CHUNK),
        ..RUNNING_ROW
    };
    a_finished_file_that_is_gone_is_refused: Row {
        make: |scene, id| fs::remove_file(scene.file("finished", id)).unwrap(),
        found: "it is complete, but its bytes are gone",
        ..FINISHED_ROW
    };
    the_file_of_a_part_that_is_gone_is_refused: Row {
        upload: |uploads| &uploads.partial,
        make: |scene, id| fs::remove_file(scene.file("finished", id)).unwrap(),
        found: "it is complete, but its bytes are gone",
        told: Told::LostPart,
        ..FINISHED_ROW
    };
    a_running_upload_whose_bytes_are_gone_starts_again: Row {
        make: |scene, id| fs::remove_file(scene.file("running", id)).unwrap(),
        found: "2621440 bytes were accepted, but they are gone",
        told: Told::At(0),
        told_then: Told::At(0),
        ..RUNNING_ROW
    };
    a_finished_file_that_is_too_long_is_served_as_it_arrived: Row {
        make: |scene, id| append(scene, "finished", id),
        found: "1572867 bytes are there, but it has only 1572864",
        told: Told::Whole,
        repaired: "what was too much is in",
        told_then: Told::Whole,
        ..FINISHED_ROW
    };
    a_finished_file_that_is_too_long_and_wrong_is_never_served_whole: Row {
        make: |scene, id| {
            append(scene, "finished", id);
            scene.flip("finished", id, 7);
        },
        found: "its bytes 0 to 1048576 are not those that arrived",
        told: Told::CutOff,
        ..FINISHED_ROW
    };
    a_finished_file_in_the_place_of_the_running_one_is_published: Row {
        make: |scene, id| {
            fs::rename(scene.file("finished", id), scene.file("running", id)).unwrap();
        },
        found: "it is complete, but its bytes were not published",
        repaired: "published",
        told_then: Told::Whole,
        ..FINISHED_ROW
    };
    a_directory_in_the_place_of_a_file_is_moved_away: Row {
        make: |scene, id| {
            fs::remove_file(scene.file("finished", id)).unwrap();
            fs::create_dir(scene.file("finished", id)).unwrap();
        },
        found: "does not belong there",
        repaired: "moved to",
        ..FINISHED_ROW
    };
    a_torn_record_comes_back_from_its_label: Row {
        make: |scene, id| scene.set_record(id, b"tidegate-session 2 00000000 {\"id\":"),
        found: "the session record is torn: its checksum does not match",
        repaired: "its record was made from its label",
        told_then: Told::Whole,
        ..FINISHED_ROW
    };
    an_emptied_record_of_a_running_upload_comes_back_from_its_label: Row {
        make: |scene, id| scene.set_record(id, b""),
        found: "not a session record",
        repaired: "its record was made from its label",
        told_then: Told::At(RUNNING),
        ..RUNNING_ROW
    };
    a_value_too_short_for_a_record_comes_back_from_its_label: Row {
        make: |scene, id| {
            scene.in_database("sessions", |tree| drop(tree.insert(key(id), b"short").unwrap()));
        },
        found: "not a session record",
        repaired: "its record was made from its label",
        told_then: Told::Whole,
        ..FINISHED_ROW
    };
    a_garbage_record_without_a_label_is_set_aside: Row {
        make: |scene, id| {
            scene.set_record(id, b"\xff\xfe\x00garbage");
            fs::remove_file(scene.file("labels", id)).unwrap();
        },
        found: "and it has no label",
        deletable: Deletable::ByOperator,
        ..FINISHED_ROW
    };
    the_record_of_another_upload_is_not_believed: Row {
        make: |scene, id| {
            let other = fs::read(scene.file("labels", &scene.uploads.running)).unwrap();
            scene.set_record(id, other.split(|byte| *byte == b'\n').next_back().unwrap());
        },
        found: "it is the record of another upload",
        repaired: "its record was made from its label",
        told_then: Told::Whole,
        ..FINISHED_ROW
    };
    a_missing_label_is_written_again: Row {
        make: |scene, id| fs::remove_file(scene.file("labels", id)).unwrap(),
        found: "it has no label",
        repaired: "its label was written",
        ..HARMLESS
    };
    a_garbage_label_is_written_again: Row {
        make: |scene, id| fs::write(scene.file("labels", id), b"\xff\0garbage").unwrap(),
        found: "its label is unreadable",
        repaired: "its label was written",
        ..HARMLESS
    };
    the_label_of_another_upload_is_written_again: Row {
        make: |scene, id| {
            let other = scene.file("labels", &scene.uploads.partial);
            fs::copy(other, scene.file("labels", id)).unwrap();
        },
        found: "it is the label of another upload",
        repaired: "its label was written",
        ..HARMLESS
    };
    a_record_that_would_never_expire_is_due_again: Row {
        make: |scene, _| scene.in_database("expiry", |tree| tree.clear().unwrap()),
        found: "it would never expire",
        repaired: "set right",
        told: Told::At(RUNNING),
        told_then: Told::At(RUNNING),
        ..RUNNING_ROW
    };
    an_unreadable_mark_leaves_what_was_committed: Row {
        make: |scene, id| {
            let mark = scene.file("running", &format!("{id}.unproven"));
            fs::write(mark, b"garbage").unwrap();
        },
        found: "the mark of its unproven tail is unreadable",
        told: Told::At(RUNNING),
        told_then: Told::At(RUNNING),
        ..RUNNING_ROW
    };
}

/// What clients do not notice.
const HARMLESS: Row = Row { exit: 0, told: Told::Whole, told_then: Told::Whole, ..FINISHED_ROW };

fn cut(scene: &Scene, kind: &str, id: &str, bytes: usize) {
    let file = fs::OpenOptions::new().write(true).open(scene.file(kind, id)).unwrap();
    file.set_len(bytes.try_into().unwrap()).unwrap();
}

fn append(scene: &Scene, kind: &str, id: &str) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).open(scene.file(kind, id)).unwrap();
    file.write_all(b"abc").unwrap();
}
