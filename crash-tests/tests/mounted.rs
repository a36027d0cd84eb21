//! The disk itself, as a process meets it: mounted, cut off from power, and mounted again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers too")]

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crash_tests::chance::Chance;
use crash_tests::disk::{Disk, Journal};
use crash_tests::mount::mount;
use crash_tests::power::{Doing, Fault, Power, Rule, Strike};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid};

/// Cuts that are tried with each disk: what a cut leaves is left to chance.
const CUTS: u64 = 40;

/// One disk at a time: a process that another test has just forked holds all files for a moment, and
/// what is open cannot be unmounted.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who is killed when the power goes.
struct Victim(Child);

impl Victim {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn is_dead(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.0.kill());
        self.0.wait().unwrap();
    }
}

/// Who may not mount does it in a namespace of its own. False if that was done, and all is well.
fn may_mount(test: &str) -> bool {
    let device = Path::new("/dev/fuse").exists();
    assert!(device, "there is no /dev/fuse: modprobe fuse, or give the container the device");
    if geteuid().is_root() {
        return true;
    }
    let mut again = Command::new("unshare");
    again.args(["--map-root-user", "--mount", "--propagation", "private"]);
    again.arg(std::env::current_exe().unwrap()).args(["--exact", test]);
    assert!(again.status().unwrap().success());
    false
}

/// Does something with a mounted disk; what is on it after the power went.
fn cut(disk: Disk, rules: Vec<Rule>, work: impl FnOnce(&Path)) -> Disk {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let power = Arc::new(Power::new(disk));
    power.set_rules(rules);
    let session = mount(Arc::clone(&power), directory.path()).unwrap();
    work(directory.path());
    let victim = Victim::new();
    power.strike(Strike::Cut, victim.pid());
    session.umount_and_join().unwrap();
    power.left()
}

fn look<T>(disk: &Disk, look: impl FnOnce(&Path) -> T) -> T {
    let mut seen = None;
    cut(disk.clone(), Vec::new(), |path| seen = Some(look(path)));
    seen.unwrap()
}

fn disk(journal: Journal, seed: u64) -> Disk {
    Disk::new(journal, 1 << 20, Chance::new(seed))
}

/// What became of a file, once for each seed.
fn fates<T>(journal: Journal, work: impl Fn(&Path), fate: impl Fn(&Path) -> T) -> Vec<T> {
    let after = |seed| look(&cut(disk(journal, seed), Vec::new(), &work), &fate);
    (0..CUTS).map(after).collect()
}

fn sync_directory(path: &Path) {
    File::open(path).unwrap().sync_all().unwrap();
}

#[test]
fn what_was_synced_stays_and_what_was_not_may_go() {
    if !may_mount("what_was_synced_stays_and_what_was_not_may_go") {
        return;
    }
    let work = |path: &Path| {
        let file = File::create(path.join("file")).unwrap();
        file.write_all_at(&[1; 10_000], 0).unwrap();
        file.sync_data().unwrap();
        sync_directory(path);
        file.write_all_at(&[2; 10_000], 10_000).unwrap();
        // As every process sees it, synced or not.
        assert_eq!(fs::read(path.join("file")).unwrap().len(), 20_000);
    };
    let left = fates(Journal::Loose, work, |path| fs::read(path.join("file")).unwrap());
    assert!(left.iter().all(|bytes| bytes.starts_with(&[1; 10_000])));
    assert!(left.iter().any(|bytes| bytes.len() == 10_000), "nothing was ever lost");
    assert!(left.iter().any(|bytes| bytes.len() > 10_000), "everything was always lost");
}

#[test]
fn a_rename_survives_once_its_directory_is_synced() {
    if !may_mount("a_rename_survives_once_its_directory_is_synced") {
        return;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "how durable a rename is, is what this test asks"
    )]
    let moved = |path: &Path, synced: bool| {
        for directory in ["from", "to"] {
            fs::create_dir(path.join(directory)).unwrap();
        }
        fs::write(path.join("from/file"), b"abc").unwrap();
        File::open(path.join("from/file")).unwrap().sync_all().unwrap();
        for directory in [path, &path.join("from")] {
            sync_directory(directory);
        }
        fs::rename(path.join("from/file"), path.join("to/file")).unwrap();
        if synced {
            sync_directory(&path.join("to"));
        }
    };
    let is_there = |path: &Path| {
        let (from, to) = (path.join("from/file").exists(), path.join("to/file").exists());
        assert!(from != to, "a rename is whole or not at all");
        assert_eq!(fs::read(path.join(if to { "to/file" } else { "from/file" })).unwrap(), b"abc");
        to
    };
    let unsynced = fates(Journal::Loose, |path| moved(path, false), is_there);
    assert!(unsynced.contains(&true) && unsynced.contains(&false));
    assert!(!fates(Journal::Loose, |path| moved(path, true), is_there).contains(&false));
}

#[test]
fn a_new_name_needs_a_sync_of_its_directory_only_where_there_is_no_common_journal() {
    if !may_mount("a_new_name_needs_a_sync_of_its_directory_only_where_there_is_no_common_journal")
    {
        return;
    }
    let work = |path: &Path| {
        let mut file = File::create(path.join("file")).unwrap();
        file.write_all(b"abc").unwrap();
        file.sync_all().unwrap();
    };
    let is_there = |path: &Path| path.join("file").exists();
    assert!(!fates(Journal::Ordered, work, is_there).contains(&false));
    let loose = fates(Journal::Loose, work, is_there);
    assert!(loose.contains(&true) && loose.contains(&false));
}

#[test]
fn the_device_is_full_when_the_rule_says_so_and_at_its_capacity() {
    if !may_mount("the_device_is_full_when_the_rule_says_so_and_at_its_capacity") {
        return;
    }
    let full = Rule { doing: Doing::Write, every: 3, fault: Fault::Error(Errno::NOSPC) };
    cut(disk(Journal::Ordered, 1), vec![full], |path| {
        let file = File::create(path.join("file")).unwrap();
        let wrote = (0..9).map(|at| file.write_at(&[7], at).map_err(|error| error.kind()));
        let wrote: Vec<_> = wrote.collect();
        let refused = Err(ErrorKind::StorageFull);
        assert_eq!(wrote, [Ok(1), Ok(1), refused].repeat(3));
    });
    cut(disk(Journal::Ordered, 1), Vec::new(), |path| {
        let refused = fs::write(path.join("file"), vec![7; 2 << 20]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
    });
}

#[test]
fn a_sync_that_failed_loses_what_is_still_seen() {
    if !may_mount("a_sync_that_failed_loses_what_is_still_seen") {
        return;
    }
    let fails = Rule { doing: Doing::Sync, every: 3, fault: Fault::Error(Errno::IO) };
    let left = cut(disk(Journal::Ordered, 1), vec![fails], |path| {
        let file = File::create_new(path.join("file")).unwrap();
        file.write_all_at(&[1; 4096], 0).unwrap();
        file.sync_data().unwrap();
        sync_directory(path);
        file.write_all_at(&[2; 4096], 0).unwrap();
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(fs::read(path.join("file")).unwrap(), [2; 4096]);
    });
    assert_eq!(look(&left, |path| fs::read(path.join("file")).unwrap()), [1; 4096]);
}

#[test]
fn reads_fail_short_writes_are_short_and_slow_syncs_slow() {
    if !may_mount("reads_fail_short_writes_are_short_and_slow_syncs_slow") {
        return;
    }
    let slow = Duration::from_millis(20);
    let rules = vec![
        Rule { doing: Doing::Read, every: 1, fault: Fault::Error(Errno::IO) },
        Rule { doing: Doing::Write, every: 2, fault: Fault::Short(5) },
        Rule { doing: Doing::Sync, every: 1, fault: Fault::Slow(slow) },
    ];
    cut(disk(Journal::Ordered, 1), rules, |path| {
        let mut file = File::create(path.join("file")).unwrap();
        assert_eq!(file.write(&[7; 10]).unwrap(), 10);
        assert_eq!(file.write(&[7; 10]).unwrap(), 5);
        let began = std::time::Instant::now();
        file.sync_all().unwrap();
        assert!(began.elapsed() >= slow);
        let mut bytes = Vec::new();
        // Another file: the kernel has this one's pages.
        let other = File::create(path.join("other")).unwrap();
        other.set_len(4096).unwrap();
        assert!(File::open(path.join("other")).unwrap().read_to_end(&mut bytes).is_err());
    });
}

#[test]
fn whoever_is_to_be_killed_is_dead_when_the_power_is_gone_and_a_kill_keeps_the_power() {
    if !may_mount(
        "whoever_is_to_be_killed_is_dead_when_the_power_is_gone_and_a_kill_keeps_the_power",
    ) {
        return;
    }
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let power = Arc::new(Power::new(disk(Journal::Loose, 1)));
    let session = mount(Arc::clone(&power), directory.path()).unwrap();
    let (killed, cut) = (Victim::new(), Victim::new());
    let file = File::create(directory.path().join("file")).unwrap();
    power.strike_after(1, Strike::Kill, killed.pid());
    file.write_all_at(b"abc", 0).unwrap();
    assert!(power.is_on());
    file.write_all_at(b"def", 3).unwrap();
    assert!(power.wait(Duration::from_secs(5)));
    assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"abcdef");
    power.revive();
    power.strike_after(0, Strike::Cut, cut.pid());
    assert!(file.write_all_at(b"ghi", 6).is_err(), "nobody is told any more");
    assert!(!power.is_on());
    for mut victim in [killed, cut] {
        // Killed, but perhaps not yet gone.
        let until = std::time::Instant::now() + Duration::from_secs(5);
        while !victim.is_dead() {
            assert!(std::time::Instant::now() < until, "it lives");
            std::thread::yield_now();
        }
    }
    drop(file);
    session.umount_and_join().unwrap();
}
