//! `tidegate serve`: runs the gateway.

use std::io::Write;

use super::arguments::Arguments;
use super::exit::Exit;
use crate::server;

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Exit> {
    let settings = arguments.settings()?;
    server::telemetry::start(&settings.log)?;
    server::run(&settings, &arguments.sources(), out)?;
    Ok(Exit::Done)
}
