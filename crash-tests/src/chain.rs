//! One disk, and the power cuts that it goes through one after the other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::chance::Chance;
use crate::check;
use crate::client::Client;
use crate::disk::{Disk, Journal};
use crate::gateway::{Gateway, Setup};
use crate::load::Worker;
use crate::mount::mount;
use crate::power::{Doing, Fault, Power, Rule};
use crate::tally::{Loss, Tally};

/// Cuts that one disk goes through.
pub const CUTS: u64 = 5;
/// Clients at once.
const WORKERS: u64 = 4;
/// Bytes on the disk.
const CAPACITY: u64 = 2 << 30;
/// If the load has not done enough by then, the power goes all the same.
const LONGEST_LOAD: Duration = Duration::from_secs(4);

/// A disk, what its clients know, and the choices that are left.
struct Chain<'a> {
    setup: &'a Setup,
    chance: Chance,
    disk: Disk,
    workers: Vec<Worker>,
    tally: Tally,
    boots: u64,
    /// What is being done, for whoever reads of a loss.
    now: String,
    /// Losses of which it was said when.
    noted: usize,
}

/// Takes a new disk through [`CUTS`] power cuts, and looks at everything after each.
///
/// # Errors
///
/// If the machine does not let us: mounting, processes, files.
pub fn run(setup: &Setup, seed: u64) -> io::Result<Tally> {
    let journal = if seed.is_multiple_of(2) { Journal::Ordered } else { Journal::Loose };
    let worker = |number| Worker::new(Chance::part(seed, number));
    let mut chain = Chain {
        setup,
        chance: Chance::part(seed, 100),
        disk: Disk::new(journal, CAPACITY, Chance::part(seed, 101)),
        workers: (0..WORKERS).map(worker).collect(),
        tally: Tally::default(),
        boots: 0,
        now: format!("{journal:?}"),
        noted: 0,
    };
    for cut in 0..=CUTS {
        let mounted = tempfile::tempdir_in(&setup.scratch)?;
        let power = Arc::new(Power::new(chain.disk.clone()));
        let session = mount(Arc::clone(&power), mounted.path())?;
        chain.boots += 1;
        setup.new_boot(chain.boots)?;
        let data = mounted.path().join("data");
        let goes_on = chain.look(&data, cut == CUTS)?;
        chain.note(cut);
        if goes_on && cut < CUTS {
            chain.load(&power, &data)?;
            chain.note(cut);
        }
        chain.disk = power.left();
        session.umount_and_join()?;
        if !goes_on {
            break;
        }
    }
    Ok(chain.tally)
}

impl Chain<'_> {
    /// Starts the gateway and looks at every upload, then asks the doctor. False if there is no
    /// going on.
    fn look(&mut self, data: &Path, last: bool) -> io::Result<bool> {
        let gateway = self.setup.start(data)?;
        let Some(client) = gateway.ready() else {
            self.tally.lose(Loss::Start, self.setup.last_words());
            return Ok(false);
        };
        for worker in &mut self.workers {
            let tally = &mut self.tally;
            worker.uploads.retain_mut(|upload| check::look(&client, upload, tally));
            for upload in &mut worker.uploads {
                // Some go on through many cuts.
                if last || self.chance.once_in(4) {
                    check::finish(&client, upload, tally);
                }
            }
        }
        if !gateway.stop() {
            self.tally.lose(Loss::Answer, "it does not stop, or not well");
        }
        consult(self.setup, data, &mut self.tally)?;
        Ok(true)
    }

    /// Lets clients work until the power goes.
    fn load(&mut self, power: &Arc<Power>, data: &Path) -> io::Result<()> {
        let gateway = self.setup.start(data)?;
        let pid = gateway.pid().ok_or(io::ErrorKind::NotFound)?;
        if self.chance.once_in(6) {
            // While it starts, or soon after.
            power.cut_after(self.chance.below(120), pid);
        }
        if let Some(client) = gateway.ready() {
            let faults = self.faults();
            self.now = format!("after {faults:?}");
            let (breaks, moment) = (!faults.is_empty(), self.chance.below(900));
            power.set_rules(faults);
            if power.is_on() {
                power.cut_after(moment, pid);
            }
            self.work(&client, power, breaks, &gateway);
        } else if power.is_on() {
            self.tally.lose(Loss::Start, self.setup.last_words());
        }
        power.cut(pid);
        self.tally.cuts += 1;
        Ok(())
    }

    fn work(&mut self, client: &Client, power: &Arc<Power>, breaks: bool, gateway: &Gateway) {
        std::thread::scope(|scope| {
            for worker in &mut self.workers {
                worker.faults = breaks;
                scope.spawn(|| worker.run(client, || power.is_on()));
            }
            if !power.wait(LONGEST_LOAD)
                && let Some(pid) = gateway.pid()
            {
                power.cut(pid);
            }
        });
    }

    /// Says of what was lost since when that was.
    fn note(&mut self, cut: u64) {
        let noted = self.noted;
        for worker in &mut self.workers {
            self.tally.add(std::mem::take(&mut worker.tally));
        }
        for (_, what) in self.tally.losses.iter_mut().skip(noted) {
            what.push_str(&format!(" [cut {cut}, {}]", self.now));
        }
        self.noted = self.tally.losses.len();
    }

    /// What goes wrong with the disk before the power does, in one load of four.
    fn faults(&mut self) -> Vec<Rule> {
        let rule = |doing, every, fault| Rule { doing, every, fault };
        match self.chance.below(16) {
            0 if self.setup.errors => vec![rule(Doing::Sync, 97, Fault::Error(Errno::IO))],
            1 if self.setup.errors => vec![rule(Doing::Write, 41, Fault::Error(Errno::NOSPC))],
            2 => vec![rule(Doing::Write, 7, Fault::Short(1000))],
            3 => vec![rule(Doing::Sync, 3, Fault::Slow(Duration::from_millis(30)))],
            _ => Vec::new(),
        }
    }
}

/// Asks the doctor about `data`, on which no gateway runs.
///
/// # Errors
///
/// If the process does not start.
pub(crate) fn consult(setup: &Setup, data: &Path, tally: &mut Tally) -> io::Result<()> {
    let doctor = setup.doctor(data)?;
    let text = String::from_utf8_lossy(&doctor.stdout);
    for line in text.lines().filter(|line| !line.starts_with("ok")) {
        if !explained(line) {
            tally.lose(Loss::Doctor, line);
        }
    }
    if text.is_empty() {
        tally.lose(Loss::Doctor, String::from_utf8_lossy(&doctor.stderr).into_owned());
    }
    Ok(())
}

/// What a doctor may find after a power cut, because it is of no consequence.
fn explained(line: &str) -> bool {
    [
        // A creation that nobody was told of; its file goes at `storage.orphan_age`.
        "bytes without a record",
        // Labels trail the records by a moment, and are there for a lost session store only.
        "so a rebuild would miss it",
        // A deletion is recorded first; the rest of it is done again by the reaper.
        "it is gone, but its bytes are still there",
    ]
    .iter()
    .any(|known| line.starts_with("note") && line.contains(known))
}
