//! `tidegate-network`: lets links die under a gateway, and says what that cost.

mod moves;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use network_tests::comparison::in_turns;
use network_tests::gateway::{Gateway, Held};
use network_tests::lab::{Cut, Lab, Server};
use network_tests::peer::{Peer, Recipe};
use network_tests::phase::{Ending, Phase, vanish};
use network_tests::resume::Kind;
use network_tests::returning::AT_ONCE;
use network_tests::slow;
use network_tests::switch::{NOTICES, Plan, cut_of, switch};
use network_tests::tally::{HEAD, Tally};
use network_tests::trouble::Trouble;

use moves::moving;

/// What a gateway may hold longer than the link lives: its bounds, and then some.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// Bounds that are short enough to be waited for.
const SHORT_BOUNDS: &[(&str, &str)] = &[
    ("TIDEGATE__TIMEOUTS__READTIMEOUT", "2s"),
    ("TIDEGATE__TIMEOUTS__WRITETIMEOUT", "2s"),
    ("TIDEGATE__TIMEOUTS__IDLETIMEOUT", "2s"),
    ("TIDEGATE__TIMEOUTS__LINGER", "1s"),
    ("TIDEGATE__NETWORK__KEEPALIVEINTERVAL", "1s"),
];

/// What a gateway holds before its first client counts as nothing: threads come later.
const NOBODY: Held = Held { descriptors: usize::MAX, connections: 0, transfers: 0, threads: 0 };

/// How much longer others may take beside slow downloads: far more than chance makes of it.
const SLOWED_AT_MOST: f64 = 3.0;

/// Lets links die under a gateway.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway.
    #[arg(long, default_value = "target/release/tidegate")]
    binary: PathBuf,
    /// Switches of each kind of upload, for each time after which the client notices.
    #[arg(long, default_value_t = 3)]
    switches: u64,
    /// How often clients vanish at every phase, in each way.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// What 99 of 100 switches may take at most, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    p99_at_most: u64,
    /// Fail if anything is sent twice, even because the gateway had to wait for a processor.
    #[arg(long)]
    nothing_twice: bool,
    /// Only what happens when the gateway's own address goes, and when a client is silent.
    #[arg(long)]
    moves: bool,
    /// Only the switch, beside another tus server and in turns with it: what it is called, and how it is
    /// started. {port} stands for the port to listen on, on all addresses, {dir} for an empty directory;
    /// its endpoint has to be /files. May be given several times.
    #[arg(long, value_name = "NAME=COMMAND", conflicts_with = "moves")]
    peer: Vec<Recipe>,
    /// The first seed; the switches count on from it.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    match judge(&arguments, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut text = error.to_string();
            if let Trouble::System { source, .. } = &error {
                text = format!("{text}: {source}");
            }
            let _ = writeln!(out, "{text}");
            ExitCode::FAILURE
        }
    }
}

fn judge(arguments: &Arguments, out: &mut impl Write) -> Result<bool, Trouble> {
    let lab = Lab::build()?;
    if arguments.moves {
        return moving(&arguments.binary, &lab, out);
    }
    if !arguments.peer.is_empty() {
        return beside_others(arguments, &lab, out);
    }
    let switched = switches(arguments, &lab, out)?;
    let moved = moving(&arguments.binary, &lab, out)?;
    Ok(vanishing(arguments, &lab, out)? && too_slow(arguments, &lab, out)? && switched && moved)
}

/// Clients that vanish at every moment, in every way.
fn vanishing(arguments: &Arguments, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let gateway = Gateway::start(lab, &arguments.binary, SHORT_BOUNDS)?;
    vanish(lab, &gateway, Ending::Reset, NOBODY, SETTLED_WITHIN)?;
    let before = gateway.held(lab)?;
    for ending in Ending::ALL {
        for _ in 0..arguments.rounds {
            let said = |error: Trouble| gateway.failed(&error.to_string());
            let took = vanish(lab, &gateway, ending, before, SETTLED_WITHIN).map_err(said)?;
            tell(
                out,
                &format!(
                    "{ending:?} at {} phases: all given back after {took:.1?}",
                    Phase::ALL.len()
                ),
            );
        }
    }
    let errors = gateway.server_errors(lab)?;
    tell(out, &format!("{errors} answers of 5xx"));
    Ok(errors == 0)
}

/// Clients that take and give a byte a second.
fn too_slow(arguments: &Arguments, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let gateway = Gateway::start(lab, &arguments.binary, SHORT_BOUNDS)?;
    slow::is_waited_for(4).map_err(|error| gateway.failed(&error.to_string()))?;
    drop(gateway);
    let settings = [SHORT_BOUNDS, &[("TIDEGATE__NETWORK__MIN_RATE", "1KB")]].concat();
    let gateway = Gateway::start(lab, &arguments.binary, &settings)?;
    let ended =
        slow::is_ended(SETTLED_WITHIN).map_err(|error| gateway.failed(&error.to_string()))?;
    tell(
        out,
        &format!("one byte a second is waited for; with a minimum rate it ends after {ended:.1?}"),
    );
    drop(gateway);
    let _gateway = Gateway::start(lab, &arguments.binary, &[])?;
    let ratio = slow::slows_others_down()?;
    tell(out, &format!("beside downloads that take nothing, others take {ratio:.2} times as long"));
    Ok(ratio < SLOWED_AT_MOST)
}

fn tell(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
}

fn switches(arguments: &Arguments, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let say = Trouble::system("writing the result");
    let gateway = Gateway::start(lab, &arguments.binary, &[])?;
    let server = Server::GATEWAY;
    // What the first uploads make it open for good does not count.
    for (seed, kind) in (u64::MAX - 9..).zip(Kind::ALL) {
        let (cut, notices_after) = (Cut::AtTheClient, Duration::ZERO);
        switch(lab, &Plan { server, kind, cut, notices_after, delays: AT_ONCE, seed })?;
    }
    let before = gateway.held(lab)?;
    let (mut all, mut rows, mut seed) = (Tally::default(), Vec::new(), arguments.seed);
    for kind in Kind::ALL {
        for (notices, notices_after) in NOTICES {
            let mut tally = Tally::default();
            for round in 0..arguments.switches {
                let (cut, delays) = (cut_of(round), AT_ONCE);
                let plan = Plan { server, kind, cut, notices_after, delays, seed };
                let said = |error| gateway.failed(&format!("SEED={seed} {plan:?}: {error}"));
                tally.add(switch(lab, &plan).map_err(said)?);
                seed = seed.wrapping_add(1);
            }
            rows.push(tally.row(kind.name(), notices));
            all.merge(&tally);
        }
    }
    rows.push(all.row("all", ""));
    writeln!(out, "{HEAD}\n{}", rows.join("\n")).map_err(say)?;
    let settled = gateway.settles(lab, before, SETTLED_WITHIN)?;
    let errors = gateway.server_errors(lab)?;
    let _ = writeln!(
        out,
        "everything was given back {settled:?} after the last switch; {errors} answers of 5xx"
    );
    Ok(is_good(arguments, &all, out) && errors == 0)
}

/// Whether the gateway's switches are as they have to be.
fn is_good(arguments: &Arguments, all: &Tally, out: &mut impl Write) -> bool {
    let late = all.percentile(99) > Duration::from_millis(arguments.p99_at_most);
    if late {
        let _ = writeln!(
            out,
            "99 of 100 took {:?}, not {} ms",
            all.percentile(99),
            arguments.p99_at_most
        );
    }
    let twice = arguments.nothing_twice && all.twice() > 0;
    if !all.counts_what_was_read() {
        tell(out, "bytes that the gateway had read did not count");
    }
    !late && !twice && all.counts_what_was_read()
}

/// The switch by tus, of the gateway and of others, in turns. The gateway alone is judged.
fn beside_others(arguments: &Arguments, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let gateway = Gateway::start(lab, &arguments.binary, &[])?;
    let (mut parties, mut others) = (vec![("Tidegate".to_owned(), Server::GATEWAY)], Vec::new());
    for (recipe, nth) in arguments.peer.iter().zip(1..) {
        let server = Server::beside_the_gateway(nth);
        others.push(Peer::start(lab, recipe, server)?);
        parties.push((recipe.name().to_owned(), server));
    }
    let extent = (arguments.switches, arguments.seed);
    let scores = in_turns(lab, &parties, extent, |row| tell(out, row))?;
    for score in &scores {
        score.failures().iter().chain(score.costly()).for_each(|text| tell(out, text));
    }
    let errors = gateway.server_errors(lab)?;
    tell(out, &format!("{errors} answers of 5xx by the gateway"));
    let right = scores.first().is_some_and(|ours| {
        ours.failures().is_empty() && is_good(arguments, ours.completed(), out)
    });
    Ok(right && errors == 0)
}
