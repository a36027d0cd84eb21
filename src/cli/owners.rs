//! `tidegate owners`: shows what one owner has, removes all of it.

use std::io::Write;

use super::arguments::{Arguments, OwnersCommand};
use super::exit::Exit;
use super::on_a_runtime;
use crate::server::sessions::Sessions;

pub(super) fn run(
    arguments: &Arguments,
    command: &OwnersCommand,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let settings = arguments.settings()?;
    on_a_runtime(async {
        let sessions = Sessions::find(&settings).await?;
        let done = carry_out(&sessions, command, out).await;
        sessions.close().await;
        done
    })??;
    Ok(Exit::Done)
}

async fn carry_out(
    sessions: &Sessions,
    command: &OwnersCommand,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        OwnersCommand::Show { name } => {
            let view = sessions.owner(name).await?;
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?)
        }
        OwnersCommand::Rm { name } => {
            let removed = sessions.remove_owner(name).await?.removed;
            Ok(writeln!(out, "{name}: {removed} removed")?)
        }
    }
}
