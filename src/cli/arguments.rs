//! Every command and flag.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{ConfigError, Flag, Settings, Size, Sources, Span, load};
use crate::server::outside::Proxy;

/// A gateway that takes uploads over bad networks and never loses what it accepted.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100)]
#[command(after_help = "Without a command it serves. Every setting: tidegate config default")]
pub(super) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Flags that every command takes.
    #[command(flatten)]
    pub(super) common: Common,
}

/// Flags that every command takes: they overrule the settings.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Settings file (TOML).
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Where clients connect: IP:PORT, or unix:PATH; port 0 takes a free one.
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where operators connect, loopback only.
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// Where everything is kept.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Take uploads, until SIGTERM or SIGINT; SIGHUP reads certificates, keys and what may change of the settings again.
    Serve,
    /// Show and check settings.
    Config {
        /// What about them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// List, show and remove uploads, through a running gateway if there is one.
    Sessions {
        /// What about them.
        #[command(subcommand)]
        command: SessionsCommand,
    },
    /// Show what one owner has, or remove all of it; through a running gateway if there is one.
    Owners {
        /// What about them.
        #[command(subcommand)]
        command: OwnersCommand,
    },
    /// Make links that let somebody upload.
    Link {
        /// What about them.
        #[command(subcommand)]
        command: LinkCommand,
    },
    /// Check the data directory; the gateway must not run. With --url: look at a deployment from
    /// outside, proxies and all. Exit code 3: something is wrong.
    Doctor {
        /// What to do with the data directory.
        #[command(flatten)]
        inside: Inside,
        /// What to look at from outside.
        #[command(flatten)]
        outside: Outside,
    },
    /// Take in the files of another server, so that they are served at their old addresses. The
    /// gateway must not run. Exit code 5: not all of them could be.
    Import(ImportOptions),
    /// Make settings out of those of another server, named by --config, and take its files in.
    /// Exit code 5: something needs a decision.
    Migrate {
        /// Which server.
        #[command(subcommand)]
        from: MigrateFrom,
    },
    /// Ask a running gateway whether it is ready. Exit code 4: it is not.
    Health,
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

/// What is done with a data directory.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Inside {
    /// Make the session store anew from what lies beside the uploads. Deletes nothing.
    #[arg(long)]
    pub(super) rebuild: bool,
    /// Mend what can be mended. What cannot be is moved to blobs/quarantine, not deleted.
    #[arg(long)]
    pub(super) repair: bool,
    /// Do not read the bytes of uploads to compare them with their sums.
    #[arg(long)]
    pub(super) quick: bool,
}

/// Which files are taken in, and how.
#[derive(Clone, Debug, Args)]
pub(super) struct ImportOptions {
    /// The directory below which they lie, each at the path it has in its address. It is only read.
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// The base path of the tenant in xep0363.tenants whose files they are.
    #[arg(long, value_name = "BASE_PATH")]
    pub(super) tenant: String,
    /// Give the files a second name instead of copying them. Nobody may write to the old ones then.
    #[arg(long)]
    pub(super) hard_link: bool,
    /// A directory below it that holds something else; may be given several times.
    #[arg(long, value_name = "DIR")]
    pub(super) without: Vec<PathBuf>,
    /// Leave out x.thumb.jpg where there is another x.*: previews of hmac-file-server.
    #[arg(long)]
    pub(super) without_previews: bool,
}

/// Whose settings and files are taken over.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum MigrateFrom {
    /// hmac-file-server. Says of every key what became of it; changes nothing of the old server.
    HmacFileServer(MigrateOptions),
}

/// What is written.
#[derive(Clone, Debug, Args)]
pub(super) struct MigrateOptions {
    /// Where the new settings go, the secret in a file beside them; nothing is overwritten. Without
    /// it the settings are printed, and the secret is not.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Take the files below storage_path in as well. Neither server may run.
    #[arg(long, requires = "output")]
    pub(super) import: bool,
    /// Give the files a second name instead of copying them. Nobody may write to the old ones then.
    #[arg(long, requires = "import")]
    pub(super) hard_link: bool,
}

/// What to look at from outside, and how.
#[derive(Debug, Args)]
pub(super) struct Outside {
    /// Upload endpoint as clients reach it, e.g. https://example.org/up/files. Small uploads are made
    /// there, and deleted.
    #[arg(long, value_name = "URL", conflicts_with_all = ["rebuild", "repair", "quick"])]
    pub(super) url: Option<String>,
    /// A line for every request, e.g. 'Authorization: Bearer ..'. May be repeated.
    #[arg(long, value_name = "LINE", requires = "url")]
    pub(super) header: Vec<String>,
    /// Certificates to believe (PEM), instead of the system's.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(super) ca: Option<PathBuf>,
    /// What stands in front, if it is not recognised: nginx, haproxy, caddy, apache, traefik.
    #[arg(long, value_name = "NAME", requires = "url", value_parser = proxy)]
    pub(super) proxy: Option<Proxy>,
    /// Origin of a page that has to be allowed to upload, e.g. https://app.example.org.
    #[arg(long, value_name = "ORIGIN", requires = "url")]
    pub(super) origin: Option<String>,
    /// How long an answer may take.
    #[arg(long, value_name = "DURATION", requires = "url", default_value = "10s")]
    pub(super) timeout: Span,
    /// Also wait for what takes longer than a minute to show.
    #[arg(long, requires = "url")]
    pub(super) slow: bool,
}

fn proxy(name: &str) -> Result<Proxy, String> {
    Proxy::named(name)
        .ok_or_else(|| "it has to be nginx, haproxy, caddy, apache or traefik".to_owned())
}

/// What about the settings.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting with its default, annotated: a file to start from.
    Default,
    /// Check file, environment and flags; says everything that is wrong.
    Check,
    /// Print the settings that would be used, secrets hidden.
    Show,
}

/// What about links.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum LinkCommand {
    /// Print a URL to upload to. Whoever has it may use it until it expires.
    Create {
        /// To whom the uploads belong.
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// How long it is good for, e.g. 1h or 7days.
        #[arg(long, value_name = "DURATION")]
        expires: Span,
        /// Longest upload, e.g. 2GB.
        #[arg(long, value_name = "SIZE")]
        max_size: Option<Size>,
        /// What it is good for: create, append, inspect, download, terminate.
        #[arg(
            long,
            value_name = "VERBS",
            value_delimiter = ',',
            default_value = "create,append,inspect"
        )]
        verbs: Vec<String>,
    },
}

/// What about an owner.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum OwnersCommand {
    /// Show how many uploads and bytes somebody has.
    Show {
        /// Whose, as `tidegate sessions list` shows it, e.g. xmpp:ann@example.org.
        name: String,
    },
    /// Remove everything that somebody has, finished or not.
    Rm {
        /// Whose, as `tidegate sessions list` shows it, e.g. xmpp:ann@example.org.
        name: String,
    },
}

/// What about the uploads.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// List uploads.
    List {
        /// Print JSON, one upload a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one upload.
    Show {
        /// Its id: 32 hexadecimal digits.
        id: String,
    },
    /// Remove one upload, finished or not.
    Rm {
        /// Its id: 32 hexadecimal digits.
        id: String,
    },
}

impl Arguments {
    /// The settings: defaults, file, environment, flags.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: everything that is wrong with them.
    pub(super) fn settings(&self) -> Result<Settings, ConfigError> {
        self.settings_of(self.common.config.clone())
    }

    /// As [`Arguments::settings`], with this file instead of the one that was named.
    ///
    /// # Errors
    ///
    /// As [`Arguments::settings`].
    pub(super) fn settings_in(&self, file: PathBuf) -> Result<Settings, ConfigError> {
        self.settings_of(Some(file))
    }

    /// The file named by `--config`.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.common.config.as_deref()
    }

    /// The directory named by `--data-dir`.
    pub(super) fn data_dir(&self) -> Option<&Path> {
        self.common.data_dir.as_deref().map(Path::new)
    }

    /// Where [`Arguments::settings`] come from.
    pub(super) fn sources(&self) -> Sources {
        self.sources_with(self.common.config.clone())
    }

    fn settings_of(&self, file: Option<PathBuf>) -> Result<Settings, ConfigError> {
        load(&self.sources_with(file))
    }

    fn sources_with(&self, file: Option<PathBuf>) -> Sources {
        let flags = [
            ("--listen", "listen", &self.common.listen),
            ("--admin-listen", "admin_listen", &self.common.admin_listen),
            ("--data-dir", "data_dir", &self.common.data_dir),
        ];
        let given = flags.into_iter().filter_map(|(name, key, value)| {
            Some(Flag { name, key: ("server", key), value: value.clone()? })
        });
        Sources::of_process(file, given.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_work_with_and_without_the_word_serve() {
        for words in [
            &["tidegate", "--listen", "127.0.0.1:0"][..],
            &["tidegate", "serve", "--listen", "127.0.0.1:0"][..],
            &["tidegate", "--listen", "127.0.0.1:0", "serve"][..],
        ] {
            let arguments = Arguments::try_parse_from(words).unwrap();
            assert_eq!(arguments.common.listen.as_deref(), Some("127.0.0.1:0"), "{words:?}");
        }
    }

    #[test]
    fn a_wrong_flag_value_is_named_by_its_flag() {
        let words = ["tidegate", "--listen", "everywhere"];
        let error = Arguments::try_parse_from(words).unwrap().settings().unwrap_err();
        assert!(error.to_string().contains("--listen: server.listen is wrong"), "{error}");
    }
}
