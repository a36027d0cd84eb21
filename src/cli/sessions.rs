//! `tidegate sessions`: lists, shows and removes uploads.

use std::io::Write;

use anyhow::Context;

use super::arguments::{Arguments, SessionsCommand};
use super::exit::Exit;
use super::on_a_runtime;
use crate::server::sessions::{SessionView, Sessions};

pub(super) fn run(
    arguments: &Arguments,
    command: &SessionsCommand,
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
    command: &SessionsCommand,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        SessionsCommand::List { json: true } => sessions.list(|view| write_json(&view, out)).await,
        SessionsCommand::List { json: false } => {
            writeln!(
                out,
                "{:<32}  {:<10}  {:<8}  {:>15}  {:>15}  owner",
                "id", "phase", "relation", "offset", "length"
            )?;
            sessions.list(|view| write_row(&view, out)).await
        }
        SessionsCommand::Show { id } => {
            let view = sessions.show(parsed(id)?).await?;
            let text = serde_json::to_string_pretty(&view)?;
            Ok(writeln!(out, "{text}")?)
        }
        SessionsCommand::Rm { id } => {
            sessions.remove(parsed(id)?).await?;
            Ok(writeln!(out, "{id} is removed")?)
        }
    }
}

fn parsed<T: std::str::FromStr>(id: &str) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    id.parse().with_context(|| format!("{id:?} is not an upload"))
}

fn write_json(view: &SessionView, out: &mut impl Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", serde_json::to_string(view)?)?)
}

fn write_row(view: &SessionView, out: &mut impl Write) -> anyhow::Result<()> {
    let length = view.length.map_or_else(|| "?".to_owned(), |length| length.to_string());
    let owner = view.owner.as_deref().unwrap_or("-");
    let SessionView { id, phase, relation, offset, .. } = view;
    Ok(writeln!(out, "{id:<32}  {phase:<10}  {relation:<8}  {offset:>15}  {length:>15}  {owner}")?)
}
