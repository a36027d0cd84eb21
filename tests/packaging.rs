//! What is shipped around the program agrees with the program.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, in its helpers too"
)]

use std::process::{Command, Output};

const DOCKERFILE: &str = include_str!("../Dockerfile");
const UNIT: &str = include_str!("../config/systemd/tidegate.service");
const TOOLCHAIN: &str = include_str!("../rust-toolchain.toml");

/// The instructions of the Dockerfile, continuation lines joined.
fn instructions() -> Vec<(String, String)> {
    let lines = DOCKERFILE.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let instruction = |line: &str| {
        let (name, rest) = line.trim().split_once(' ')?;
        Some((name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.lines().filter_map(instruction).collect()
}

fn all(name: &str) -> Vec<String> {
    let matching = instructions().into_iter().filter(|(instruction, _)| instruction == name);
    matching.map(|(_, rest)| rest).collect()
}

/// Values of a key of the unit, in order.
fn unit(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn words(exec_form: &str) -> Vec<String> {
    serde_json::from_str(exec_form).expect("the exec form: a shell would swallow signals")
}

fn tidegate(words: &[String], variables: &[(String, String)]) -> Output {
    let variables = variables.iter().map(|(name, value)| (name, value));
    Command::new(env!("CARGO_BIN_EXE_tidegate")).args(words).envs(variables).output().unwrap()
}

fn accepted(words: &[String]) {
    let help = [words, &["--help".to_owned()]].concat();
    let output = tidegate(&help, &[]);
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// The manifests of everything that is built here.
fn manifests() -> Vec<(String, toml::Table)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str| {
        let text = std::fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
        (folder.to_owned(), text.parse::<toml::Table>().unwrap())
    };
    let workspace = read("");
    let members = workspace.1["workspace"]["members"].as_array().unwrap().clone();
    let members = members.iter().map(|member| read(member.as_str().unwrap()));
    members.chain([workspace.clone(), read("fuzz")]).collect()
}

#[test]
fn nothing_that_is_built_here_has_unsafe_code() {
    let manifests = manifests();
    assert!(manifests.len() >= 4);
    for (folder, manifest) in manifests {
        let inherits = manifest["lints"].get("workspace").is_some();
        let lints = if inherits { None } else { Some(&manifest["lints"]) };
        let shared = manifest.get("workspace").and_then(|workspace| workspace.get("lints"));
        for lints in lints.into_iter().chain(shared) {
            // What is forbidden cannot be allowed again by any file.
            assert_eq!(lints["rust"]["unsafe_code"].as_str(), Some("forbid"), "{folder:?}");
        }
        assert!(inherits || lints.is_some(), "{folder:?} has no lints");
    }
}

#[test]
fn the_image_carries_a_list_of_what_it_is_made_of() {
    let made = all("RUN").into_iter().find(|run| run.contains("cargo cyclonedx"));
    let made = made.expect("the build writes a bill of materials");
    assert!(made.contains("--format json") && made.contains("--override-filename sbom.cdx"));
    let install = all("RUN").into_iter().find(|run| run.contains("cargo install"));
    let install = install.expect("the tool is installed");
    assert!(install.contains("--locked") && install.contains("cargo-cyclonedx@"), "pinned");
    let place = "/usr/share/doc/tidegate/sbom.cdx.json";
    let kept = all("COPY").into_iter().any(|copy| copy.ends_with(place));
    assert!(kept, "it is in the image");
    let page = include_str!("../docs/supply-chain.md");
    assert!(page.contains(place), "and people can find it");
}

#[test]
fn the_image_is_not_run_by_root_and_has_one_volume() {
    let user = all("USER");
    assert!(user.last().is_some_and(|user| !user.starts_with("root") && !user.starts_with('0')));
    assert_eq!(all("VOLUME").len(), 1);
}

#[test]
fn the_image_is_built_from_pinned_images_with_the_pinned_toolchain() {
    let from = all("FROM");
    assert_eq!(from.len(), 2, "built in one stage, run in another");
    for image in &from {
        let (_, tag) = image.split_once(':').expect("a tag");
        assert!(!tag.starts_with("latest"), "{image}");
    }
    let channel: toml::Table = TOOLCHAIN.parse().unwrap();
    let channel = channel["toolchain"]["channel"].as_str().unwrap();
    assert!(from[0].starts_with(&format!("rust:{channel}-")), "{from:?}");
}

#[test]
fn the_program_understands_what_the_image_tells_it() {
    let entry = words(&all("ENTRYPOINT")[0]);
    let check = all("HEALTHCHECK");
    let check = words(check[0].split_once("CMD ").unwrap().1);
    assert_eq!((entry[0].as_str(), check[0].as_str()), ("tidegate", "tidegate"));
    accepted(&check[1..]);
    accepted(&words(&all("CMD")[0]));

    let environment = all("ENV").join(" ");
    let mut variables: Vec<(String, String)> = environment
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.starts_with("TIDEGATE__"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(variables.len(), 2);
    let allow = "TIDEGATE__SERVER__ALLOW_PUBLIC_WITHOUT_AUTH".to_owned();
    let check = ["config".to_owned(), "check".to_owned()];
    assert_eq!(tidegate(&check, &variables).status.code(), Some(78), "closed unless told");
    variables.push((allow, "true".to_owned()));
    assert!(tidegate(&check, &variables).status.success());
}

#[test]
fn the_program_understands_what_the_unit_tells_it() {
    let start = unit("ExecStart");
    let words: Vec<String> = start[0].split_whitespace().map(str::to_owned).collect();
    assert!(words[0].ends_with("/tidegate"));
    accepted(&words[1..]);
    assert_eq!(unit("Type"), ["notify"]);
}

#[test]
fn the_program_understands_the_settings_for_xmpp_servers() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/xmpp")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let ours: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
    assert!(ours.len() >= 3);
    for file in ours {
        let words = ["config", "check", "--config", file.to_str().unwrap()];
        let output = tidegate(&words.map(str::to_owned), &[]);
        assert!(output.status.success(), "{file:?}: {output:?}");
    }
}

#[test]
fn the_unit_waits_longer_than_a_shutdown_takes() {
    let shutdown = tidegate::config::Settings::default().timeouts.shutdown.get();
    let patience = humantime::parse_duration(unit("TimeoutStopSec")[0]).unwrap();
    assert!(patience > shutdown, "{patience:?} for a shutdown of {shutdown:?}");
}

#[test]
fn the_unit_is_hardened() {
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("StateDirectory", "tidegate"),
    ] {
        assert_eq!(unit(key), [value], "{key}");
    }
}
