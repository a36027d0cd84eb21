//! One disk, and the power cuts that it goes through one after the other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::chance::Chance;
use crate::check;
use crate::client::Client;
use crate::disk::{Disk, Journal};
use crate::gateway::Setup;
use crate::load::Worker;
use crate::mount::mount;
use crate::power::{Doing, Fault, Power, Rule, Strike};
use crate::tally::{Loss, Tally};

/// Cuts under load that one disk goes through.
pub const CUTS: u64 = 5;
/// Clients at once.
const WORKERS: u64 = 4;
/// Bytes on the disk.
const CAPACITY: u64 = 2 << 30;
/// If the load has not done enough by then, it happens all the same.
const LONGEST_LOAD: Duration = Duration::from_secs(4);
/// A gateway whose disk has failed does little more: it is not waited for as long.
const LONGEST_FAILING: Duration = Duration::from_millis(800);
/// A start that is to be cut off has come to its end by then.
const LONGEST_START: Duration = Duration::from_millis(400);

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

/// The disk while there is power.
struct Boot {
    power: Arc<Power>,
    data: PathBuf,
}

/// Takes a new disk through [`CUTS`] power cuts under load, and some more while the gateway recovers
/// from them, and looks at everything after each.
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
        while cut > 0 && chain.chance.once_in(3) {
            chain.boot(Chain::recover_in_vain)?;
        }
        let goes_on = chain.boot(|chain, boot| {
            let goes_on = chain.look(boot, cut == CUTS)?;
            chain.note(cut);
            if goes_on && cut < CUTS {
                chain.load(boot)?;
                chain.note(cut);
            }
            Ok(goes_on)
        })?;
        if !goes_on {
            break;
        }
    }
    Ok(chain.tally)
}

impl Chain<'_> {
    /// Does something with the disk on another boot, and takes what is left of it then.
    fn boot<T>(&mut self, work: impl FnOnce(&mut Self, &Boot) -> io::Result<T>) -> io::Result<T> {
        let mounted = tempfile::tempdir_in(&self.setup.scratch)?;
        let power = Arc::new(Power::new(self.disk.clone()));
        let session = mount(Arc::clone(&power), mounted.path())?;
        self.boots += 1;
        self.setup.new_boot(self.boots)?;
        let boot = Boot { power, data: mounted.path().join("data") };
        let outcome = work(self, &boot);
        self.disk = boot.power.left();
        session.umount_and_join()?;
        outcome
    }

    /// Starts the gateway, and cuts the power while it starts or recovers.
    fn recover_in_vain(&mut self, boot: &Boot) -> io::Result<()> {
        let gateway = self.setup.start(&boot.data)?;
        let pid = gateway.pid().ok_or(io::ErrorKind::NotFound)?;
        boot.power.strike_after(self.chance.below(250), Strike::Cut, pid);
        if gateway.ready().is_none() && boot.power.is_on() {
            self.tally.lose(Loss::Start, self.setup.last_words());
        }
        boot.power.wait(LONGEST_START);
        boot.power.strike(Strike::Cut, pid);
        self.tally.cuts += 1;
        self.tally.early += 1;
        Ok(())
    }

    /// Starts the gateway and looks at every upload, then asks the doctor. False if there is no
    /// going on.
    fn look(&mut self, boot: &Boot, last: bool) -> io::Result<bool> {
        let gateway = self.setup.start(&boot.data)?;
        let Some(client) = gateway.ready() else {
            self.tally.lose(Loss::Start, self.setup.last_words());
            return Ok(false);
        };
        self.look_at_all(&client);
        for worker in &mut self.workers {
            for upload in &mut worker.uploads {
                // Some go on through many cuts.
                if last || self.chance.once_in(4) {
                    check::finish(&client, upload, &mut self.tally);
                }
            }
        }
        if !gateway.stop() {
            self.tally.lose(Loss::Answer, "it does not stop, or not well");
        }
        consult(self.setup, &boot.data, &mut self.tally)?;
        Ok(true)
    }

    fn look_at_all(&mut self, client: &Client) {
        for worker in &mut self.workers {
            let tally = &mut self.tally;
            worker.uploads.retain_mut(|upload| check::look(client, upload, tally));
        }
    }

    /// Lets clients work until the power goes; before that, at times, until the process is killed.
    fn load(&mut self, boot: &Boot) -> io::Result<()> {
        let fails = self.setup.failing;
        self.now = String::new();
        // With a disk that fails there is always a start after it, on the same boot: what the kernel
        // shows then may be more than the disk has.
        if fails || self.chance.once_in(3) {
            let faults = if fails { self.failures() } else { Vec::new() };
            self.work_until(boot, faults, Strike::Kill)?;
            self.tally.kills += 1;
        }
        let faults =
            if fails && self.chance.once_in(2) { self.failures() } else { self.oddities() };
        self.work_until(boot, faults, Strike::Cut)?;
        self.tally.cuts += 1;
        Ok(())
    }

    /// Starts the gateway on this boot and lets clients work, with `faults`, until `strike`.
    fn work_until(&mut self, boot: &Boot, faults: Vec<Rule>, strike: Strike) -> io::Result<()> {
        let power = &boot.power;
        power.revive();
        let again = !self.now.is_empty();
        self.now.push_str(&format!("{strike:?} after {faults:?} "));
        let gateway = self.setup.start(&boot.data)?;
        let pid = gateway.pid().ok_or(io::ErrorKind::NotFound)?;
        let early = self.chance.once_in(6);
        if early {
            // While it starts, or soon after.
            power.strike_after(self.chance.below(120), strike, pid);
        }
        if let Some(client) = gateway.ready() {
            if again && !early {
                self.look_at_all(&client);
            }
            let fails = faults.iter().any(|rule| matches!(rule.fault, Fault::Error(_)));
            let moment = self.chance.below(if fails { 400 } else { 900 });
            power.set_rules(faults);
            if !early {
                power.strike_after(moment, strike, pid);
            }
            let longest = if fails { LONGEST_FAILING } else { LONGEST_LOAD };
            std::thread::scope(|scope| {
                for worker in &mut self.workers {
                    worker.faults = fails;
                    scope.spawn(|| worker.run(&client, || power.is_on()));
                }
                power.wait(longest);
                power.strike(strike, pid);
            });
        } else if power.is_on() {
            self.tally.lose(Loss::Start, self.setup.last_words());
        }
        power.strike(strike, pid);
        power.set_rules(Vec::new());
        Ok(())
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

    /// What a sound disk may do at times, too.
    fn oddities(&mut self) -> Vec<Rule> {
        match self.chance.below(8) {
            0 => vec![Rule { doing: Doing::Write, every: 7, fault: Fault::Short(1000) }],
            1 => {
                let fault = Fault::Slow(Duration::from_millis(30));
                vec![Rule { doing: Doing::Sync, every: 3, fault }]
            }
            _ => Vec::new(),
        }
    }

    /// What goes wrong with a disk that fails.
    fn failures(&mut self) -> Vec<Rule> {
        let (doing, error) = match self.chance.below(8) {
            0..=2 => (Doing::Sync, Errno::IO),
            3 | 4 => (Doing::Write, Errno::NOSPC),
            5 => (Doing::Write, Errno::IO),
            6 => (Doing::Read, Errno::IO),
            _ => (Doing::Change, Errno::IO),
        };
        let every = 1 + self.chance.below(40);
        vec![Rule { doing, every, fault: Fault::Error(error) }]
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

/// What a doctor may find after a power cut, because it is of no consequence by his own word: bytes of a
/// creation that nobody was told of, hints that are written before their record and go after it, labels
/// that trail the records, what is left of a deletion.
fn explained(line: &str) -> bool {
    line.starts_with("note")
}
