//! Every test that `SAFETY.md` names exists, so that no promise rests on a name alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names between backticks that look like a path to a test: `layer::place::what_is_true`.
fn tests_named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains("::") && !name.contains(' ')).collect()
}

/// Names between backticks that are files of the client tests.
fn files_named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.ends_with(".test.mjs")).collect()
}

fn sources(directory: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_test_that_the_safety_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SAFETY.md")).unwrap();
    let mut paths = Vec::new();
    sources(&root.join("src"), &mut paths).unwrap();
    sources(&root.join("tests"), &mut paths).unwrap();
    let code: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();

    let named = tests_named(&page);
    assert!(named.len() > 20, "the page names only {} tests", named.len());
    for name in named {
        let function = format!("fn {}(", name.rsplit("::").next().unwrap());
        let exists = code.iter().any(|text| text.contains(&function));
        assert!(exists || !name.contains('_'), "SAFETY.md names {name}, which is not there");
    }
    for file in files_named(&page) {
        assert!(root.join(file).is_file(), "SAFETY.md names {file}, which is not there");
    }
}

#[test]
fn a_name_is_found_between_its_backticks() {
    assert_eq!(tests_named("a `b::c_d` and `e` and `f::g h`"), ["b::c_d"]);
    assert_eq!(files_named("see `tests/a.test.mjs`, not `b.mjs`"), ["tests/a.test.mjs"]);
}
