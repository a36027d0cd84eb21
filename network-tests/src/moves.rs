//! Judges what happens when the gateway's own address goes, and when a client is silent.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use network_tests::gateway::{Gateway, Start};
use network_tests::lab::{Family, Lab};
use network_tests::moved::{self, By, Framing, Moved};
use network_tests::trouble::Trouble;

use crate::tell;

/// An address that is gone is noticed long before that, unless nobody looks.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

/// An upload that takes three seconds, with a fifth of them spent pausing, and then some.
const FLAPPED_AT_MOST: Duration = Duration::from_secs(8);

/// With `usertimeout` at two seconds; by asking nine times it would take ten.
const SILENT_AT_MOST: Duration = Duration::from_secs(7);

/// What the gateway pauses for in [`moving`].
const DELAY: Duration = Duration::from_secs(1);

const fn is_committed(moved: &Moved) -> bool {
    moved.committed.is_some()
}

/// Whether others pause for the delay, within what a busy machine adds to it.
fn pauses(moved: &Moved) -> bool {
    moved.through >= DELAY && moved.paused < DELAY * 2
}

fn does_not_pause(moved: &Moved) -> bool {
    moved.paused < DELAY / 2
}

/// The gateway's own address goes.
pub(crate) fn moving(binary: &Path, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let mut fine = true;
    for (name, how, judge) in MOVES {
        let delay = ("TIDEGATE__NETWORK__RECONNECTDELAY", "1s");
        let settings: Vec<_> = std::iter::once(delay).chain(how.settings.iter().copied()).collect();
        let start = Start {
            listen: how.listen,
            asks_by_netlink: how.asks_by_netlink,
            ..Start::new(binary, &settings)
        };
        let gateway = Gateway::start_as(lab, &start)?;
        let moved = moved::address_goes(lab, &gateway, how.by, NOTICED_WITHIN);
        let moved = moved.map_err(|error| gateway.failed(&error.to_string()))?;
        let (Moved { committed, through, paused }, right) = (moved, judge(&moved));
        fine &= right;
        let itself = gateway.time(lab, "tidegate_network_severed_seconds_sum")?;
        let word = if right { "" } else { ": WRONG" };
        let committed = committed.map_or_else(
            || format!("not committed within {NOTICED_WITHIN:.0?}"),
            |took| {
                format!(
                    "committed after {took:.1?} (by its own clock {itself:.1?} after it was told)"
                )
            },
        );
        tell(
            out,
            &format!(
                "the address goes ({name}): its upload is {committed}, the others' last bytes count \
                 {through:.2?} after it went at the earliest, {paused:.2?} after they were sent at the latest{word}"
            ),
        );
    }
    fine &= flapping(binary, lab, out)?;
    Ok(silence(binary, lab, out)? && fine)
}

/// How the gateway is set, and by which address its client comes.
struct Manner {
    settings: &'static [(&'static str, &'static str)],
    by: By,
    listen: &'static str,
    asks_by_netlink: bool,
}

/// As it is by itself.
const PLAIN: Manner = Manner {
    settings: &[],
    by: By { family: Family::Ipv4, framing: Framing::Http1 },
    listen: "0.0.0.0:8080",
    asks_by_netlink: true,
};

/// What is tried, how, and whether that is what then happens.
type Move = (&'static str, Manner, fn(&Moved) -> bool);

const MOVES: [Move; 6] = [
    ("as it is", PLAIN, its_upload_is_committed_and_others_pause_for_the_reconnect_delay),
    (
        // Others come by IPv4 to the same socket.
        "by IPv6",
        Manner {
            by: By { family: Family::Ipv6, framing: Framing::Http1 },
            listen: "[::]:8080",
            ..PLAIN
        },
        its_upload_is_committed_and_others_pause_for_the_reconnect_delay,
    ),
    (
        "by HTTP/2",
        Manner {
            settings: &[("TIDEGATE__SERVER__H2C", "true")],
            by: By { family: Family::Ipv4, framing: Framing::Http2 },
            ..PLAIN
        },
        its_upload_is_committed_and_others_pause_for_the_reconnect_delay,
    ),
    (
        "where the kernel tells nothing",
        Manner { asks_by_netlink: false, ..PLAIN },
        its_upload_is_committed_and_others_pause_for_the_reconnect_delay,
    ),
    (
        "without pauses",
        Manner { settings: &[("TIDEGATE__NETWORK__UPLOADPAUSEONCHANGE", "false")], ..PLAIN },
        its_upload_is_committed_and_nobody_pauses_once_that_is_switched_off,
    ),
    (
        "unnoticed",
        Manner { settings: &[("TIDEGATE__NETWORK__NETWORKCHANGEDETECTION", "false")], ..PLAIN },
        nothing_is_noticed_once_that_is_switched_off,
    ),
];

fn its_upload_is_committed_and_others_pause_for_the_reconnect_delay(moved: &Moved) -> bool {
    is_committed(moved) && pauses(moved)
}

fn its_upload_is_committed_and_nobody_pauses_once_that_is_switched_off(moved: &Moved) -> bool {
    is_committed(moved) && does_not_pause(moved)
}

fn nothing_is_noticed_once_that_is_switched_off(moved: &Moved) -> bool {
    !is_committed(moved) && does_not_pause(moved)
}

fn flapping(binary: &Path, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let short = [("TIDEGATE__NETWORK__RECONNECTDELAY", "200ms")];
    let gateway = Gateway::start(lab, binary, &short)?;
    let took = moved::flaps(lab).map_err(|error| gateway.failed(&error.to_string()))?;
    let changes = gateway.metric(lab, "tidegate_network_changes_total{what=\"gone\"}")?;
    let pauses = gateway.metric(lab, "tidegate_network_pauses_total")?;
    let text = format!(
        "an address flaps, and is gone {changes} times for somebody; uploads pause {pauses} times, and \
         one that is sent over three seconds takes {took:.1?}"
    );
    tell(out, &text);
    Ok(changes > 5 && pauses > 1 && took < FLAPPED_AT_MOST)
}

fn silence(binary: &Path, lab: &Lab, out: &mut impl Write) -> Result<bool, Trouble> {
    let impatient = [
        ("TIDEGATE__TIMEOUTS__WRITETIMEOUT", "2s"),
        ("TIDEGATE__NETWORK__KEEPALIVEINTERVAL", "1s"),
        ("TIDEGATE__NETWORK__USERTIMEOUT", "2s"),
    ];
    let gateway = Gateway::start(lab, binary, &impatient)?;
    let noticed = moved::silence_is_noticed(lab, &gateway, SILENT_AT_MOST)?;
    tell(out, &format!("a client that is gone without a word is noticed after {noticed:.1?}"));
    Ok(true)
}
