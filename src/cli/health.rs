//! `tidegate health`: for container health checks, which have no curl.

use std::io::Write;

use super::arguments::Arguments;
use super::exit::Exit;
use crate::server::admin_client::ask;

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Exit> {
    let address = arguments.settings()?.server.admin_listen;
    let (exit, text) = match ask(address, "GET", "/health/ready") {
        Ok(answer) if answer.status == 200 => (Exit::Done, "ready".to_owned()),
        Ok(answer) => (Exit::NotReady, format!("not ready: {}", answer.body.trim())),
        Err(error) => (Exit::NotReady, format!("not ready: {error}")),
    };
    writeln!(out, "{text}")?;
    Ok(exit)
}
