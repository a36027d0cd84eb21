//! The settings by which buffers are fitted to transfers, each seen to do what it says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "running/gateway.rs"]
#[expect(dead_code, reason = "another test uses the rest of it")]
mod gateway;

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use gateway::{DEADLINE, Gateway, download, exchange, upload};
use rustix::process::Signal;
use tempfile::tempdir;

const KIB: usize = 1024;

/// The value of a metric, 0 if nothing was counted yet.
fn metric(gateway: &Gateway, name: &str) -> f64 {
    let answer = exchange(gateway.admin_address(), "GET /metrics HTTP/1.1", "");
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

fn counted(gateway: &Gateway, name: &str, arm: &str, direction: &str) -> f64 {
    metric(gateway, &format!("tidegate_{name}{{arm=\"{arm}\",direction=\"{direction}\"}}"))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < DEADLINE, "in time, {what}");
        std::thread::yield_now();
    }
}

/// Uploads and downloads so many bytes; waits until both are counted.
fn carry(gateway: &Gateway, bytes: usize) {
    let all = |direction| {
        let count = |arm| counted(gateway, "arm_transfers_total", arm, direction);
        count("adaptive") + count("fixed")
    };
    let before = (all("up"), all("down"));
    let path = upload(gateway.upload_address(), &"x".repeat(bytes));
    assert_eq!(download(gateway.upload_address(), &path).len(), bytes);
    until("the transfers are counted", || {
        (all("up"), all("down")) == (before.0 + 1.0, before.1 + 1.0)
    });
}

fn started(data: &Path, settings: &[(&str, &str)]) -> Gateway {
    Gateway::start_with(data, &[], settings)
}

/// So many that the default of the rollout hardly ever puts all of them where another value does.
const SESSIONS: u32 = 4;

#[test]
fn the_switch_and_the_rollout_say_which_sessions_are_fitted() {
    let folder = tempdir().unwrap();
    for (number, (adaptive, rollout, arm)) in
        [("true", "100", "adaptive"), ("true", "0", "fixed"), ("false", "100", "fixed")]
            .into_iter()
            .enumerate()
    {
        let settings = [
            ("TIDEGATE__PERFORMANCE__ADAPTIVE_BUFFERS", adaptive),
            ("TIDEGATE__PERFORMANCE__ROLLOUT", rollout),
        ];
        let gateway = started(&folder.path().join(number.to_string()), &settings);
        // One alone may be in the right arm by chance.
        (0..SESSIONS).for_each(|_| carry(&gateway, 10 * KIB));
        for direction in ["up", "down"] {
            let count = counted(&gateway, "arm_transfers_total", arm, direction);
            assert!((count - f64::from(SESSIONS)).abs() < 0.1, "{adaptive} {rollout}: {count}");
        }
    }
}

/// Where the buffer of the one download stood at its end.
fn final_buffer(settings: &[(&str, &str)], arm: &str) -> f64 {
    let folder = tempdir().unwrap();
    let gateway = started(folder.path(), settings);
    carry(&gateway, 32 * 1024 * KIB);
    counted(&gateway, "arm_buffer_bytes_sum", arm, "down")
}

#[test]
fn a_fitted_buffer_follows_its_client_within_its_bounds_if_it_may() {
    let all = ("TIDEGATE__PERFORMANCE__ROLLOUT", "100");
    let followed = final_buffer(&[all], "adaptive");
    assert!(followed > 65_536.0, "{followed}");
    let still = ("TIDEGATE__STREAMING__ADAPTIVE_STREAMING", "false");
    let stayed = final_buffer(&[all, still], "adaptive");
    assert!((stayed - 65_536.0).abs() < 1.0, "{stayed}");
    let most = ("TIDEGATE__PERFORMANCE__MAX_BUFFER_SIZE", "32KiB");
    let bounded = final_buffer(&[all, most], "adaptive");
    assert!((bounded - 32_768.0).abs() < 1.0, "{bounded}");
    // As it begins: on loopback it would come to the largest by itself.
    let least = ("TIDEGATE__PERFORMANCE__MIN_BUFFER_SIZE", "128KiB");
    let bounded = final_buffer(&[all, still, least], "adaptive");
    assert!((bounded - 131_072.0).abs() < 1.0, "{bounded}");
}

#[test]
fn a_fixed_buffer_has_the_size_of_the_settings() {
    let nobody = ("TIDEGATE__PERFORMANCE__ROLLOUT", "0");
    let fixed = final_buffer(&[nobody, ("TIDEGATE__PERFORMANCE__READ_BUFFER", "48KiB")], "fixed");
    assert!((fixed - 49_152.0).abs() < 1.0, "{fixed}");
    let folder = tempdir().unwrap();
    let batch = ("TIDEGATE__PERFORMANCE__BATCH_SIZE", "48KiB");
    let gateway = started(folder.path(), &[nobody, batch]);
    carry(&gateway, KIB);
    let fixed = counted(&gateway, "arm_buffer_bytes_sum", "fixed", "up");
    assert!((fixed - 49_152.0).abs() < 1.0, "{fixed}");
}

#[test]
fn a_hang_up_takes_the_rollout_anew_and_names_what_needs_a_restart() {
    let folder = tempdir().unwrap();
    let (file, log) = (folder.path().join("settings.toml"), folder.path().join("log"));
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let logged = || std::fs::read_to_string(&log).unwrap();
    write("[performance]\nrollout = 20\n");
    let mut command = gateway::program(&["serve", "--listen", "127.0.0.1:0", "--config"]);
    command.arg(&file).args(["--admin-listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(folder.path().join("data")).stderr(File::create(&log).unwrap());
    let gateway = Gateway::wait_for(command);
    let rollout = || metric(&gateway, "tidegate_adaptive_rollout_percent");
    assert!((rollout() - 20.0).abs() < 0.1);
    write("[performance]\nrollout = 70\n[uploads]\nmax_chunks = 5\n");
    gateway.signal(Signal::HUP);
    until("the rollout has changed", || (rollout() - 70.0).abs() < 0.1);
    let text = logged();
    assert!(text.contains("need a restart") && text.contains("uploads.max_chunks"), "{text}");
    assert!(!text.contains("\"performance.rollout\""), "{text}");
    write("[performance]\nrollout = 700\n");
    gateway.signal(Signal::HUP);
    until("the mistake is told", || logged().contains("cannot be used"));
    assert!((rollout() - 70.0).abs() < 0.1);
    write("[performance]\nrollout = 70\nadaptive_buffers = false\n");
    gateway.signal(Signal::HUP);
    until("nobody is fitted", || rollout().abs() < 0.1);
}

/// The chunk size of a session that this client begins without asking for one.
fn chunk_size(gateway: &Gateway, device: &str) -> u64 {
    let head = format!(
        "POST /chunked-upload HTTP/1.1\r\nX-Filename: a\r\nX-Total-Size: 100000000\r\nX-Device-ID: {device}"
    );
    let answer = exchange(gateway.upload_address(), &head, "");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (_, rest) = answer.split_once("\"chunk_size\":").unwrap();
    rest.split(|one: char| !one.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// Three uploads of a client whose rate is that of loopback.
fn introduce(gateway: &Gateway, device: &str) {
    for _ in 0..3 {
        let body = "x".repeat(300 * KIB);
        let head = format!(
            "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: {}\r\n\
             Content-Type: application/offset+octet-stream\r\nX-Device-ID: {device}",
            body.len()
        );
        let answer = exchange(gateway.upload_address(), &head, &body);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
}

/// Of `uploads.chunksize`.
const CONFIGURED: u64 = 5_000_000;

fn told(settings: &[(&str, &str)]) -> u64 {
    let folder = tempdir().unwrap();
    let gateway = started(folder.path(), settings);
    assert_eq!(chunk_size(&gateway, "a"), CONFIGURED, "nothing is known yet");
    introduce(&gateway, "a");
    chunk_size(&gateway, "a")
}

#[test]
fn a_client_is_told_the_chunk_size_that_suits_it_unless_that_is_switched_off() {
    let one = ("TIDEGATE__PERFORMANCE__MAX_CHUNK_SIZE", "1MiB");
    assert_eq!(told(&[one]), 1024 * 1024);
    assert_ne!(told(&[]), CONFIGURED);
    assert_eq!(told(&[one, ("TIDEGATE__STREAMING__QUALITY_ADAPTATION", "false")]), CONFIGURED);
    assert_eq!(told(&[one, ("TIDEGATE__PERFORMANCE__CLIENT_PROFILING", "false")]), CONFIGURED);
}

#[test]
fn what_is_known_of_a_client_outlives_a_restart_and_goes_when_profiles_are_switched_off() {
    let folder = tempdir().unwrap();
    let most = ("TIDEGATE__PERFORMANCE__MAX_CHUNK_SIZE", "1MiB");
    let gateway = started(folder.path(), &[most]);
    introduce(&gateway, "a");
    assert!(gateway.stop().success());
    let gateway = started(folder.path(), &[most]);
    assert_eq!(chunk_size(&gateway, "a"), 1024 * 1024);
    assert!(gateway.stop().success());
    let off = ("TIDEGATE__PERFORMANCE__CLIENT_PROFILING", "false");
    assert!(started(folder.path(), &[most, off]).stop().success());
    assert_eq!(chunk_size(&started(folder.path(), &[most]), "a"), CONFIGURED);
}

#[test]
fn clients_are_forgotten_when_there_are_too_many_and_when_they_stay_away() {
    let folder = tempdir().unwrap();
    let most = ("TIDEGATE__PERFORMANCE__MAX_CHUNK_SIZE", "1MiB");
    let few = ("TIDEGATE__PERFORMANCE__MAX_PROFILES", "2");
    let gateway = started(&folder.path().join("few"), &[most, few]);
    introduce(&gateway, "a");
    assert_eq!(chunk_size(&gateway, "a"), 1024 * 1024);
    // No name is on either, so that only one of them is remembered.
    let other = (0..).map(|number| format!("b{number}"));
    // Names of devices may fall together.
    let other = other.into_iter().find(|name| chunk_size(&gateway, name) == CONFIGURED).unwrap();
    introduce(&gateway, &other);
    assert_eq!(chunk_size(&gateway, &other), 1024 * 1024);
    assert_eq!(chunk_size(&gateway, "a"), CONFIGURED);
    let brief = ("TIDEGATE__PERFORMANCE__PROFILE_LIFETIME", "1s");
    let gateway = started(&folder.path().join("brief"), &[most, brief]);
    introduce(&gateway, "a");
    until("it is forgotten", || chunk_size(&gateway, "a") == CONFIGURED);
}

#[test]
fn an_owner_that_is_removed_is_not_remembered_either() {
    let folder = tempdir().unwrap();
    let tokens =
        ("TIDEGATE__AUTH__TOKENS", "[{name='ann',token='anns-token-for-this-test-alone-0'}]");
    let gateway =
        started(folder.path(), &[("TIDEGATE__PERFORMANCE__MAX_CHUNK_SIZE", "1MiB"), tokens]);
    let ann = "a\r\nAuthorization: Bearer anns-token-for-this-test-alone-0";
    introduce(&gateway, ann);
    assert_eq!(chunk_size(&gateway, ann), 1024 * 1024);
    let removed = exchange(gateway.admin_address(), "DELETE /owners?name=ann HTTP/1.1", "");
    assert!(removed.starts_with("HTTP/1.1 200"), "{removed}");
    assert_eq!(chunk_size(&gateway, ann), CONFIGURED);
}
