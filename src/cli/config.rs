//! `tidegate config`: shows and checks settings.

use std::io::Write;

use anyhow::Context;

use super::arguments::{Arguments, ConfigCommand};
use super::exit::Exit;
use crate::server::authority::unusable_files;

/// The annotated defaults; a test of `config` compares them with the built-in ones.
const DEFAULT: &str = include_str!("../../config/default.toml");

pub(super) fn run(
    arguments: &Arguments,
    command: ConfigCommand,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let text = match command {
        ConfigCommand::Default => DEFAULT.to_owned(),
        ConfigCommand::Check => {
            let unusable = unusable_files(&arguments.settings()?);
            if !unusable.is_empty() {
                for complaint in unusable {
                    writeln!(std::io::stderr(), "tidegate: {complaint}")?;
                }
                return Ok(Exit::Settings);
            }
            "the settings are fine\n".to_owned()
        }
        ConfigCommand::Show => {
            let settings = arguments.settings()?;
            toml::to_string(&settings).context("the settings could not be written as TOML")?
        }
    };
    out.write_all(text.as_bytes()).context("standard output could not be written")?;
    Ok(Exit::Done)
}
