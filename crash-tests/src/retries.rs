//! How many chances the gateway gives a device that fails: the settings by which that is said, seen from outside.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::io::Errno;

use crate::chance::Chance;
use crate::client::Client;
use crate::disk::{Disk, Journal};
use crate::gateway::Setup;
use crate::mount::mount;
use crate::power::{Doing, Fault, Power, Rule};

/// Bytes on the disk.
const CAPACITY: u64 = 256 << 20;

const CHANCES: &str = "TIDEGATE__UPLOADS__MAXRETRIES";
const ANY: &str = "TIDEGATE__STREAMING__AUTOMATIC_RETRY";

/// Names and values of environment variables.
type Settings<'a> = &'a [(&'static str, &'a str)];

/// Settings, and how often a write is tried again then that fails each time.
const CASES: [(&str, Settings<'_>, u64); 4] = [
    ("as it is", &[], 5),
    ("uploads.maxretries = 2", &[(CHANCES, "2")], 2),
    ("uploads.maxretries = 0", &[(CHANCES, "0")], 0),
    ("streaming.automatic_retry = false", &[(ANY, "false")], 0),
];

/// Whether the device gets as many chances as are set, and whether a client hears nothing of a fault that passes.
///
/// # Errors
///
/// If the machine does not let us: mounting, processes, files.
pub fn the_device_gets_as_many_chances_as_are_set(
    binary: &Path,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut fine = true;
    for (name, settings, expected) in CASES {
        let seen = with_a_disk(binary, settings, |power, uploads, operators| {
            let path = create(uploads)?;
            power.set_rules(vec![FAILS]);
            // Refused, or cut off with a store that does not go on: what counts is what was tried.
            drop(append(uploads, &path));
            retries(operators)
        })?;
        fine &= seen == (0, expected);
        writeln!(out, "a device that fails for good, {name}: tried again {} times", seen.1)?;
    }
    let (status, seen) = with_a_disk(binary, &[(CHANCES, "10")], fails_in_passing)?;
    writeln!(out, "a device that fails in passing: the client is answered {status}")?;
    let hidden = status == 204 && seen.0 == 1;
    if !(fine && hidden) {
        writeln!(out, "the device does not get as many chances as are set: {seen:?}")?;
    }
    Ok(fine && hidden)
}

/// Every write fails.
const FAILS: Rule = Rule { doing: Doing::Write, every: 1, fault: Fault::Error(Errno::IO) };

/// Lets the device fail until a write was tried again in vain; how the client is answered, and the attempts.
fn fails_in_passing(
    power: &Power,
    uploads: &Client,
    operators: &Client,
) -> io::Result<(u16, (u64, u64))> {
    let path = create(uploads)?;
    power.set_rules(vec![FAILS]);
    let status = thread::scope(|scope| {
        let client = scope.spawn(|| append(uploads, &path));
        while !client.is_finished() && retries(operators)?.1 == 0 {}
        power.set_rules(Vec::new());
        client.join().unwrap_or_else(|_| Err(io::Error::other("the client panicked")))
    })?;
    Ok((status, retries(operators)?))
}

/// Does something with a gateway on a new disk: its power, the side of uploads and that of operators.
fn with_a_disk<T>(
    binary: &Path,
    settings: Settings<'_>,
    work: impl FnOnce(&Power, &Client, &Client) -> io::Result<T>,
) -> io::Result<T> {
    let scratch = tempfile::tempdir()?;
    let more = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let setup = Setup {
        binary: binary.to_owned(),
        durability: "fsync",
        failing: true,
        scratch: scratch.path().to_owned(),
        more,
    };
    let mounted = tempfile::tempdir_in(scratch.path())?;
    let power = Arc::new(Power::new(Disk::new(Journal::Ordered, CAPACITY, Chance::new(1))));
    let session = mount(Arc::clone(&power), mounted.path())?;
    let outcome = {
        let gateway = setup.start_in_this_boot(&mounted.path().join("data"))?;
        match gateway.both_sides() {
            Some((uploads, operators)) => work(&power, &uploads, &operators),
            None => Err(io::Error::other(setup.last_words())),
        }
    };
    power.set_rules(Vec::new());
    session.umount_and_join()?;
    outcome
}

/// Creates an upload of four bytes; its path.
fn create(uploads: &Client) -> io::Result<String> {
    let answer = uploads.send("POST /files", "Upload-Length: 4\r\n", b"")?;
    let path = answer.field("location").map(str::to_owned);
    path.ok_or_else(|| io::Error::other(format!("no upload was made: {}", answer.status)))
}

/// Sends its bytes; how that is answered.
fn append(uploads: &Client, path: &str) -> io::Result<u16> {
    let fields = "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n";
    Ok(uploads.send(&format!("PATCH {path}"), fields, b"abcd")?.status)
}

/// Further attempts that succeeded, and those that failed.
fn retries(operators: &Client) -> io::Result<(u64, u64)> {
    let answer = operators.send("GET /metrics", "", b"")?;
    let text = String::from_utf8_lossy(&answer.body);
    let count = |outcome: &str| {
        let name = format!("tidegate_storage_retries_total{{outcome=\"{outcome}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok());
        value.ok_or_else(|| io::Error::other(format!("no {name}in the metrics")))
    };
    Ok((count("succeeded")?, count("failed")?))
}
