//! What happens when descriptors run out.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, prlimit};
use tempfile::tempdir;

use crate::gateway::{Gateway, offset, program};
use crate::support::{
    be_in_patch, begin_patch, connect, create, descriptors, has_open, head_of_answer, options,
    processor_time, serves, until,
};

/// Starts the gateway with so many descriptors; what it has to say goes to `log`.
fn within(limits: &str, data: &Path, log: File, variables: &[(&str, &str)]) -> Gateway {
    let inner = program(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")]);
    command.arg(inner.get_program()).args(inner.get_args()).arg("--data-dir").arg(data);
    for (name, value) in inner.get_envs() {
        if value.is_none() {
            command.env_remove(name);
        }
    }
    command.env("TIDEGATE__LOG__LEVEL", "warn").env("TIDEGATE__SERVER__WORKERS", "2");
    command.envs(variables.iter().copied()).stderr(log);
    Gateway::wait_for(command)
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let folder = tempdir().unwrap();
    let log = File::create(folder.path().join("log")).unwrap();
    let limits = "ulimit -Sn 256 && ulimit -Hn 4096";
    let gateway = within(limits, &folder.path().join("data"), log, &[]);
    let limits = prlimit(Some(gateway.pid()), Resource::Nofile, same(&gateway)).unwrap();
    assert_eq!(limits.current, Some(4096));
}

/// The limits as they are.
fn same(gateway: &Gateway) -> Rlimit {
    let path = format!("/proc/{}/limits", gateway.pid().as_raw_nonzero());
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    Rlimit { current: numbers.next(), maximum: numbers.next() }
}

#[test]
fn with_few_descriptors_idle_connections_cost_no_running_upload_anything() {
    let folder = tempdir().unwrap();
    let log = folder.path().join("log");
    let few = File::create(&log).unwrap();
    let gateway = within("ulimit -n 256", &folder.path().join("data"), few, &[]);
    assert!(fs::read_to_string(&log).unwrap().contains("raise LimitNOFILE"));

    let path = create(&gateway, 8);
    let mut patch = connect(&gateway);
    be_in_patch(&mut patch, &path, 8, "");
    patch.write_all(b"half").unwrap();
    // More than there are descriptors; those that are not taken wait in the kernel.
    let idle: Vec<_> = (0..300).map(|_| connect(&gateway)).collect();
    until("connections are taken as far as there is room", || descriptors(gateway.pid()) > 100);
    patch.write_all(b"half").unwrap();
    assert!(head_of_answer(&mut patch).starts_with("HTTP/1.1 204"), "it goes on and is committed");
    let before = processor_time(gateway.pid());
    crate::support::pause(Duration::from_millis(500));
    let used = processor_time(gateway.pid()).saturating_sub(before);
    assert!(used < Duration::from_millis(150), "it waits, and does not spin: {used:?}");
    assert!(descriptors(gateway.pid()) < 250, "the reserve is left alone");

    drop(idle);
    assert_eq!(offset(gateway.upload_address(), &path), 8);
    serves(&gateway);
    let lines = fs::read_to_string(&log).unwrap().lines().count();
    assert!(lines < 10, "{lines} lines in the log");
}

#[test]
fn without_any_descriptor_left_it_neither_spins_nor_floods_the_log_and_recovers() {
    let folder = tempdir().unwrap();
    let log = folder.path().join("log");
    let gateway = within("true", &folder.path().join("data"), File::create(&log).unwrap(), &[]);
    let path = create(&gateway, 8);
    let mut patch = connect(&gateway);
    be_in_patch(&mut patch, &path, 8, "");
    patch.write_all(b"half").unwrap();
    let id = path.rsplit('/').next().unwrap();
    until("the file of the upload is open", || has_open(gateway.pid(), id));
    let mut early = connect(&gateway);
    assert!(options(&mut early).starts_with("HTTP/1.1 2"));

    let limits = same(&gateway);
    let now = u64::try_from(descriptors(gateway.pid())).unwrap();
    let none = Rlimit { current: Some(now), maximum: limits.maximum };
    prlimit(Some(gateway.pid()), Resource::Nofile, none).unwrap();
    let mut late: Vec<_> = (0..20).map(|_| connect(&gateway)).collect();
    let before = processor_time(gateway.pid());
    crate::support::pause(Duration::from_millis(1500));
    let used = processor_time(gateway.pid()).saturating_sub(before);
    assert!(used < Duration::from_millis(300), "{used:?} of processor time");
    assert!(options(&mut early).starts_with("HTTP/1.1 2"), "who is there is served");
    let lines = fs::read_to_string(&log).unwrap().lines().count();
    assert!(lines < 20, "{lines} lines in the log");

    prlimit(Some(gateway.pid()), Resource::Nofile, limits).unwrap();
    for stream in &mut late {
        assert!(options(stream).starts_with("HTTP/1.1 2"), "who waited is served");
    }
    patch.write_all(b"half").unwrap();
    assert!(head_of_answer(&mut patch).starts_with("HTTP/1.1 204"));
    serves(&gateway);
}

#[test]
fn an_upload_that_finds_no_descriptor_for_its_file_is_told_to_come_again() {
    let folder = tempdir().unwrap();
    let log = File::create(folder.path().join("log")).unwrap();
    // So few that eight files are all there is beside the reserve and the connections.
    let gateway = within("ulimit -n 128", &folder.path().join("data"), log, &[]);
    let paths: Vec<_> = (0..10).map(|_| create(&gateway, 4)).collect();
    let mut patches: Vec<_> = Vec::new();
    let mut refused = 0;
    for path in &paths {
        let mut patch = connect(&gateway);
        begin_patch(&mut patch, path, 4, "Expect: 100-continue\r\n");
        patch.write_all(b"ha").unwrap();
        patches.push(patch);
    }
    for (patch, path) in patches.iter_mut().zip(&paths) {
        let _ = patch.write_all(b"lf");
        let mut answer = head_of_answer(patch);
        if answer.starts_with("HTTP/1.1 100") {
            answer = head_of_answer(patch);
        }
        if answer.starts_with("HTTP/1.1 503") {
            assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
            assert_eq!(offset(gateway.upload_address(), path), 0);
            refused += 1;
        } else {
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        }
    }
    assert!(refused > 0, "none was refused");
    serves(&gateway);
}
