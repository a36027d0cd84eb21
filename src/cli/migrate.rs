//! `tidegate migrate`: takes the settings and the files of another server over.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::arguments::{Arguments, MigrateFrom, MigrateOptions};
use super::exit::Exit;
use super::import;
use crate::config::ConfigError;
use crate::config::hmac_file_server::{self, BASE_PATH, Line, Migration};
use crate::server::import::Wanted;

/// No settings file is longer; what is was not meant to be one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Beside the new settings.
const SECRET_FILE: &str = "hmac-file-server.secret";
/// For its user alone.
const SECRET_MODE: u32 = 0o600;
/// What the settings themselves say is no secret.
const SETTINGS_MODE: u32 = 0o644;

pub(super) fn run(
    arguments: &Arguments,
    from: &MigrateFrom,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let MigrateFrom::HmacFileServer(options) = from;
    let Some(path) = arguments.config_file() else {
        bail!(
            "name the settings file of the old server: --config /etc/hmac-file-server/config.toml"
        )
    };
    let text = read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let secret_file = match &options.output {
        Some(output) => beside(output)?,
        None => PathBuf::from(SECRET_FILE),
    };
    let data_dir = arguments.data_dir();
    let migration = hmac_file_server::migrate(&text, &secret_file, data_dir)
        .with_context(|| format!("{} cannot be taken over", path.display()))?;
    match &options.output {
        None => {
            out.write_all(migration.settings.as_bytes())?;
            // Beside the answer, so that a file gets the settings alone.
            tell(&migration, &mut io::stderr())?;
            Ok(if migration.asks() { Exit::Unfinished } else { Exit::Done })
        }
        Some(output) => {
            tell(&migration, out)?;
            take_over(arguments, options, (output, &secret_file), &migration, out)
        }
    }
}

/// Writes the files, looks whether a gateway could be started with them, and imports.
fn take_over(
    arguments: &Arguments,
    options: &MigrateOptions,
    (output, secret_file): (&Path, &Path),
    migration: &Migration,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    fresh(output, migration.settings.as_bytes())?;
    if let Some(secret) = &migration.secret {
        fresh(secret_file, secret.expose().as_bytes())?;
        write(secret_file, secret.expose().as_bytes(), SECRET_MODE)?;
        writeln!(out, "the secret:    {} (mode 0600)", secret_file.display())?;
    }
    write(output, migration.settings.as_bytes(), SETTINGS_MODE)?;
    writeln!(out, "the settings:  {}", output.display())?;
    let settings = match arguments.settings_in(output.to_owned()) {
        Ok(settings) => settings,
        Err(error @ ConfigError::Wrong { .. }) if migration.asks() => {
            writeln!(out, "what is to be decided first: {error}")?;
            return Ok(Exit::Unfinished);
        }
        Err(error) => return Err(error.into()),
    };
    let imported = if options.import {
        let wanted = Wanted {
            directory: migration.storage.clone(),
            base_path: BASE_PATH.to_owned(),
            hard_link: options.hard_link,
            without: migration.without.clone(),
            without_previews: true,
        };
        import::take_in(&settings, &wanted, out)?
    } else {
        writeln!(out, "the files:     not taken over; the same command with --import does it")?;
        Exit::Done
    };
    Ok(if migration.asks() { Exit::Unfinished } else { imported })
}

fn tell(migration: &Migration, out: &mut impl Write) -> io::Result<()> {
    for line in &migration.report {
        writeln!(out, "{line}")?;
    }
    let asking: Vec<&Line> = migration.report.iter().filter(|line| line.asks()).collect();
    writeln!(out, "\n{} keys, of which {} need a decision", migration.report.len(), asking.len())?;
    for Line { key, text, .. } in asking {
        writeln!(out, "  DECIDE {key}: {text}")?;
    }
    writeln!(out)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Where the secret goes: an absolute path, because a gateway may be started from anywhere.
fn beside(output: &Path) -> anyhow::Result<PathBuf> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let folder = folder.canonicalize();
    let folder = folder.with_context(|| format!("there is no folder for {}", output.display()))?;
    Ok(folder.join(SECRET_FILE))
}

/// Refuses to replace what somebody may have changed since.
fn fresh(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        Ok(_) => bail!(
            "{} is there already with something else in it and is not overwritten; move it away, \
             or go on with the files by `tidegate import`",
            path.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be looked at", path.display())),
    }
}

/// Writes a file that is not there; one that is has these bytes already.
fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    match write() {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("{} cannot be written", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
