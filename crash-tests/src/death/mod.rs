//! One directory, and the gateways that die on it one after the other.
//!
//! | file | holds |
//! |---|---|
//! | `moment` | how and when a gateway dies |
//! | `stream` | clients with long bodies, which know what they have handed to the kernel |
//! | `post` | a client with forms and slots |
//! | `kernel` | what the kernel knows of a process and its connections |
//! | `kept` | what was kept of bytes that nobody was told about, as a distribution |
//! | `report` | everything that was counted |

pub mod kept;
pub mod kernel;
pub mod moment;
pub mod post;
pub mod report;
pub mod stream;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::chain::consult;
use crate::chance::Chance;
use crate::check;
use crate::client::Client;
use crate::gateway::{Gateway, Setup};
use crate::load::Worker;
use crate::tally::Loss;
use crate::upload::{Standing, Upload};

use kept::Sample;
use moment::{Death, pass};
use post::Poster;
use report::Report;
use stream::{Links, Position, Streamer};

/// Deaths on one directory.
pub const ROUNDS: u64 = 25;
/// Clients with all kinds of short uploads, and with long ones.
const WORKERS: u64 = 3;
const STREAMERS: u64 = 3;
/// Uploads of a worker that are looked at after every death.
const LOOKED_AT: usize = 16;
/// A start that takes longer has failed.
const LONGEST_START: Duration = Duration::from_secs(10);
/// The moment of a death lies within so long after the load began …
const LOAD: Duration = Duration::from_millis(250);
/// … that of one while it starts, after its start …
const START: Duration = Duration::from_millis(40);
/// … and that of one which was asked to end, after that.
const ENDING: Duration = Duration::from_millis(15);
/// How long a process stands still.
const STILL: Duration = Duration::from_millis(120);
/// A process that was stopped is at rest by then.
const REST: Duration = Duration::from_secs(30);

/// Takes a new directory through `rounds` deaths, and looks at everything after each.
///
/// # Errors
///
/// If the machine does not let us: processes, files.
pub fn run(setup: &Setup, seed: u64, rounds: u64) -> io::Result<Report> {
    let mut chain = Chain {
        setup,
        data: setup.scratch.join("data"),
        chance: Chance::part(seed, 200),
        workers: (0..WORKERS).map(|part| Worker::new(Chance::part(seed, part))).collect(),
        streamers: (0..STREAMERS)
            .map(|part| Streamer::new(Chance::part(seed, 50 + part)))
            .collect(),
        poster: Poster::new(Chance::part(seed, 100)),
        report: Report::default(),
        cut: Vec::new(),
        noted: 0,
    };
    for round in 0..rounds {
        if !chain.round(round)? {
            return Ok(chain.report);
        }
    }
    chain.end()?;
    Ok(chain.report)
}

/// A directory, what its clients know, and the choices that are left.
struct Chain<'a> {
    setup: &'a Setup,
    data: PathBuf,
    chance: Chance,
    workers: Vec<Worker>,
    streamers: Vec<Streamer>,
    poster: Poster,
    report: Report,
    /// Bodies that the last death cut off.
    cut: Vec<Cut>,
    /// Losses of which it was said when.
    noted: usize,
}

/// A body that a death cut off.
struct Cut {
    path: String,
    acknowledged: u64,
    handed: u64,
    /// How far the gateway had read it, if the kernel was asked.
    received: Option<u64>,
}

impl Chain<'_> {
    /// A start, a look at everything, a load, and a death. False if there is no going on.
    fn round(&mut self, round: u64) -> io::Result<bool> {
        let death = Death::chosen(&mut self.chance);
        if death == Death::WhileStarting {
            let gateway = self.setup.start_in_this_boot(&self.data)?;
            pass(&mut self.chance, START);
            drop(gateway);
            self.report.deaths.push(death);
        }
        let Some((gateway, client)) = self.start()? else { return Ok(false) };
        self.look(&client);
        self.note(round, death);
        if death != Death::WhileStarting {
            self.load(gateway, &client, death)?;
            self.report.deaths.push(death);
        } else if !gateway.stop() {
            self.report.tally.lose(Loss::Answer, "it does not stop, or not well");
        }
        self.note(round, death);
        Ok(true)
    }

    /// The last look: everything is finished, and the doctor asked.
    fn end(&mut self) -> io::Result<()> {
        let Some((gateway, client)) = self.start()? else { return Ok(()) };
        self.look(&client);
        for worker in &mut self.workers {
            for upload in &mut worker.uploads {
                check::finish(&client, upload, &mut self.report.tally);
            }
        }
        self.streamers.iter_mut().for_each(|streamer| streamer.finish(&client));
        if !gateway.stop() {
            self.report.tally.lose(Loss::Answer, "it does not stop, or not well");
        }
        consult(self.setup, &self.data, &mut self.report.tally)?;
        self.note(ROUNDS, Death::Asked);
        Ok(())
    }

    /// Starts a gateway, and takes the time; `None` if it does not start.
    fn start(&mut self) -> io::Result<Option<(Gateway, Client)>> {
        let began = Instant::now();
        let gateway = self.setup.start_in_this_boot(&self.data)?;
        let ready = gateway.ready();
        let took = began.elapsed();
        self.report.starts.push(took);
        let Some(client) = ready.filter(|_| took < LONGEST_START) else {
            let words = self.setup.last_words();
            self.report.tally.lose(Loss::Start, format!("after {took:?}: {words}"));
            return Ok(None);
        };
        Ok(Some((gateway, client)))
    }

    /// Compares everything with what was acknowledged, and takes samples of what was kept.
    fn look(&mut self, client: &Client) {
        for streamer in &mut self.streamers {
            streamer.look(client);
        }
        self.sample();
        self.poster.look(client);
        for worker in &mut self.workers {
            let tally = &mut self.report.tally;
            worker.uploads.retain_mut(|upload| check::look(client, upload, tally));
            for upload in &mut worker.uploads {
                if self.chance.once_in(8) {
                    check::finish(client, upload, tally);
                }
            }
            thin(&mut worker.uploads, &mut self.chance);
        }
    }

    fn sample(&mut self) {
        for cut in std::mem::take(&mut self.cut) {
            let uploads = self.streamers.iter().flat_map(|streamer| &streamer.uploads);
            let Some(upload) = uploads.into_iter().find(|upload| upload.path == cut.path) else {
                continue;
            };
            let sample = |there| Sample::of(cut.acknowledged, there, upload.acknowledged);
            match cut.received {
                Some(received) => self.report.received.extend(sample(received)),
                None => self.report.handed.extend(sample(cut.handed)),
            }
        }
    }

    /// Lets clients work until the gateway dies.
    fn load(&mut self, gateway: Gateway, client: &Client, death: Death) -> io::Result<()> {
        let stage = Stage::new(&self.streamers, client);
        let Self { workers, streamers, poster, chance, report, .. } = self;
        let leaves = matches!(death, Death::Asked | Death::AskedAndKilled);
        let goes_on = || stage.goes_on();
        std::thread::scope(|scope| {
            for worker in workers {
                worker.leaves = leaves;
                scope.spawn(|| worker.run(client, goes_on));
            }
            for streamer in streamers {
                streamer.leaves = leaves;
                scope.spawn(|| streamer.run(client, &stage.links, goes_on));
            }
            poster.leaves = leaves;
            scope.spawn(|| poster.run(client, goes_on));
            pass(chance, LOAD);
            let received = die(gateway, death, &stage, chance, report);
            // Whatever became of it: nobody waits for threads that do not end.
            stage.over.store(true, Ordering::Release);
            received
        })
        .map(|received| self.remember(received))
    }

    /// What was on its way when the gateway died.
    fn remember(&mut self, received: Option<Vec<Option<u64>>>) {
        let known = received.is_some();
        let received = received.unwrap_or_default().into_iter().chain(std::iter::repeat(None));
        for (streamer, received) in self.streamers.iter().zip(received) {
            let Some((path, acknowledged, handed)) = streamer.on_its_way() else { continue };
            // Where the kernel was asked, only what it knows counts.
            if received.is_some() || !known {
                self.cut.push(Cut { path, acknowledged, handed, received });
            }
        }
    }

    /// Says of what was lost since when that was.
    fn note(&mut self, round: u64, death: Death) {
        let noted = self.noted;
        let workers = self.workers.iter_mut().map(|worker| &mut worker.tally);
        let streamers = self.streamers.iter_mut().map(|streamer| &mut streamer.tally);
        for tally in workers.chain(streamers).chain(std::iter::once(&mut self.poster.tally)) {
            self.report.tally.add(std::mem::take(tally));
        }
        for (_, what) in self.report.tally.losses.iter_mut().skip(noted) {
            what.push_str(&format!(" [round {round}, {death}]"));
        }
        self.noted = self.report.tally.losses.len();
    }
}

/// What whoever kills and whoever sends have in common.
struct Stage {
    over: AtomicBool,
    asked: AtomicBool,
    links: Links,
    positions: Vec<Arc<Position>>,
    /// The gateway's port.
    port: u16,
}

impl Stage {
    fn new(streamers: &[Streamer], client: &Client) -> Self {
        let positions = streamers.iter().map(|streamer| Arc::clone(&streamer.position)).collect();
        let port = client.address.rsplit(':').next().and_then(|port| port.parse().ok());
        let (over, asked) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { over, asked, links: Links::new(0), positions, port: port.unwrap_or(0) }
    }

    fn goes_on(&self) -> bool {
        if self.asked.load(Ordering::Acquire) {
            // It takes no connections any more: who asks all the time only keeps it from ending.
            std::thread::park_timeout(Duration::from_millis(1));
        }
        !self.over.load(Ordering::Acquire)
    }

    /// How far the gateway has read each body, as the kernel knows it while nothing moves.
    fn read_so_far(&self) -> io::Result<Vec<Option<u64>>> {
        let read = |position: &Arc<Position>| {
            let port = position.port.load(Ordering::Acquire);
            let handed = position.handed.load(Ordering::Acquire);
            if port == 0 {
                return Ok(None);
            }
            Ok(handed.checked_sub(kernel::unread(port, self.port)?))
        };
        self.positions.iter().map(read).collect()
    }

    /// Waits until nothing moves between the clients and a process that is stopped.
    fn at_rest(&self, pid: Pid) -> io::Result<Vec<Option<u64>>> {
        let until = Instant::now() + REST;
        let mut before = None;
        while Instant::now() < until {
            if kernel::is_stopped(pid)? {
                let now = self.read_so_far()?;
                if before.as_ref() == Some(&now) {
                    return Ok(now);
                }
                before = Some(now);
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Err(io::Error::other("a stopped process did not come to rest"))
    }
}

/// Ends a gateway; says how far it had read each body, where the kernel could be asked.
fn die(
    gateway: Gateway,
    death: Death,
    stage: &Stage,
    chance: &mut Chance,
    report: &mut Report,
) -> io::Result<Option<Vec<Option<u64>>>> {
    let pid = gateway.pid().ok_or(io::ErrorKind::NotFound)?;
    let mut received = None;
    match death {
        Death::Killed | Death::WhileStarting => {}
        Death::Asked => {
            stage.asked.store(true, Ordering::Release);
            let began = Instant::now();
            if !gateway.stop() {
                report.tally.lose(Loss::Answer, "it does not stop, or not well");
            }
            report.stops.push(began.elapsed());
            return Ok(None);
        }
        Death::AskedAndKilled => {
            stage.asked.store(true, Ordering::Release);
            kill_process(pid, Signal::TERM)?;
            pass(chance, ENDING);
        }
        Death::Frozen => {
            kill_process(pid, Signal::STOP)?;
            received = Some(stage.at_rest(pid)?);
        }
        Death::StoodStill => {
            kill_process(pid, Signal::STOP)?;
            drop(stage.at_rest(pid)?);
            stage.links.fetch_add(1, Ordering::AcqRel);
            pass(chance, STILL);
            kill_process(pid, Signal::CONT)?;
            pass(chance, LOAD);
        }
    }
    drop(gateway);
    Ok(received)
}

/// Lets go of finished uploads that were looked at, so that a look does not take longer each time.
fn thin(uploads: &mut Vec<Upload>, chance: &mut Chance) {
    while uploads.len() > LOOKED_AT {
        let done = (0_usize..)
            .zip(uploads.iter())
            .filter(|(_, upload)| upload.is_complete() || upload.standing != Standing::There);
        let done: Vec<usize> = done.map(|(at, _)| at).collect();
        let Some(at) = chance.one_of(&done) else { return };
        drop(uploads.swap_remove(*at));
    }
}
