//! `tidegate-conformance`: judges a resumable-upload server over the wire.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};
use conformance_tests::context::{Context, Parameters};
use conformance_tests::report::{self, Progress, Report};
use conformance_tests::runner::{self, Filter, Listed, Run};
use conformance_tests::slot::Issuer;
use conformance_tests::suites;
use conformance_tests::target::Target;

/// The longest way to a server that is allowed for.
const FARTHEST: Duration = Duration::from_secs(1);

/// Judges a tus 1.0 server over the wire.
///
/// Exit code: 0 when no case failed, 1 when one did, 2 when the command line is wrong or names no
/// case, 3 when the target cannot be judged, or not to the end.
#[derive(Debug, Parser)]
#[command(name = "tidegate-conformance", version)]
struct Arguments {
    /// The creation URL, as http://host:port/path, or https.
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    target: Option<String>,
    /// A file with certificates (PEM) to believe besides those of the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Speak HTTP/2, with TLS by ALPN, otherwise by prior knowledge; cases that write HTTP/1.1 by
    /// hand are left out.
    #[arg(long)]
    http2: bool,
    /// Where chunks go, if that is not /chunked-upload on the same host.
    #[arg(long, value_name = "URL")]
    chunked_url: Option<String>,
    /// Run only this suite; may be repeated.
    #[arg(long = "suite", value_name = "NAME", value_parser = suite_names())]
    suites: Vec<String>,
    /// Run only cases with this in their name, in this group, or with this id; may be repeated.
    #[arg(long = "case", value_name = "TEXT|GROUP|ID")]
    cases: Vec<String>,
    /// Send this header line with every request; may be repeated.
    #[arg(long = "header", value_name = "LINE")]
    headers: Vec<String>,
    /// A header line of a second user, for the cases about ownership; may be repeated.
    #[arg(long = "other-header", value_name = "LINE")]
    other_headers: Vec<String>,
    /// How to write the results.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    report: Format,
    /// Whether to show on standard error how far the run has got.
    #[arg(long, value_enum, default_value_t = ShowProgress::Auto)]
    progress: ShowProgress,
    /// Name the cases instead of running them.
    #[arg(long)]
    list: bool,
    /// How many cases run side by side.
    #[arg(long, default_value_t = 4)]
    threads: usize,
    /// How often racing requests race; raise --case-seconds with it.
    #[arg(long, default_value_t = 25)]
    race_rounds: u32,
    /// The longest answer to HEAD that counts as immediate while a writer is silent.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 50)]
    prompt_milliseconds: u64,
    /// After how much silence the server closes a connection; without it that is not judged.
    #[arg(long, value_name = "SECONDS")]
    idle_timeout_seconds: Option<u64>,
    /// The server does not serve finished uploads from their own URL.
    #[arg(long)]
    without_downloads: bool,
    /// The path that takes HTML forms; without it forms are not judged.
    #[arg(long, value_name = "PATH")]
    forms: Option<String>,
    /// The path below which slots of XMPP servers live; without it slots are not judged.
    #[arg(long, value_name = "PATH", requires = "slot_secret")]
    slots: Option<String>,
    /// What signs their tokens, as Prosody's v2.
    #[arg(long, value_name = "SECRET", requires = "slots")]
    slot_secret: Option<String>,
    /// What deletions sign; tokens are then those of Metronome.
    #[arg(long, value_name = "SECRET", requires = "slots")]
    slot_delete_secret: Option<String>,
    /// The path at which slots are asked for, for users of example.org; without it that is not judged.
    #[arg(long, value_name = "PATH")]
    service_url: Option<String>,
    /// How long to wait for a target that stopped answering.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    patience_seconds: u64,
    /// Longest time one case may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    case_seconds: u64,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines for people.
    Text,
    /// One object for machines.
    Json,
    /// XML for build servers.
    Junit,
    /// A page.
    Markdown,
}

/// When a line of progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ShowProgress {
    /// On a terminal.
    Auto,
    /// Wherever standard error leads.
    Always,
    /// Nowhere.
    Never,
}

fn suite_names() -> PossibleValuesParser {
    PossibleValuesParser::new(suites::ALL.iter().map(|suite| suite.name))
}

fn main() -> ExitCode {
    match judge(&Arguments::parse(), &mut io::stdout().lock()) {
        Ok(code) => code,
        Err(refusal) => {
            let _ = writeln!(io::stderr(), "tidegate-conformance: {}", refusal.message);
            ExitCode::from(refusal.code)
        }
    }
}

/// Why nothing was judged.
struct Refusal {
    code: u8,
    message: String,
}

impl Refusal {
    fn usage(error: impl ToString) -> Self {
        Self { code: 2, message: error.to_string() }
    }

    fn target(error: impl ToString) -> Self {
        Self { code: 3, message: error.to_string() }
    }
}

fn judge(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Refusal> {
    let filter = Filter { suites: arguments.suites.clone(), cases: arguments.cases.clone() };
    let cases = runner::list(suites::ALL, &filter);
    if cases.is_empty() {
        return Err(Refusal::usage("no case matches; --list names them all"));
    }
    if arguments.list {
        report::list(out, &cases).map_err(Refusal::usage)?;
        return Ok(ExitCode::SUCCESS);
    }
    let url = arguments.target.clone().unwrap_or_default();
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|error| Refusal::usage(format!("{}: {error}", path.display())))
    };
    let pem = arguments.ca.as_ref().map(read).transpose()?;
    let target = Target::parse(&url)
        .and_then(|target| target.trusting(pem.as_deref()))
        .map(|target| target.by_http2(arguments.http2))
        .and_then(|target| target.chunked_at(arguments.chunked_url.as_deref()))
        .and_then(|target| target.always(&arguments.headers))
        .and_then(|target| target.other_user(&arguments.other_headers))
        .map_err(Refusal::usage)?;
    let offers = target.probe().map_err(Refusal::target)?;
    let mut parameters = parameters(arguments);
    // What the way to the server takes is not the server's.
    parameters.prompt = parameters.prompt.saturating_add(offers.took().min(FARTHEST));
    let context = Context { target, offers, parameters };
    let run = run(&context, &cases, arguments);
    let report = Report { target: &url, cases: &cases, run: &run };
    match arguments.report {
        Format::Text => report::text(out, &report),
        Format::Json => report::as_json(out, &report),
        Format::Junit => report::as_junit(out, &report),
        Format::Markdown => report::as_markdown(out, &report),
    }
    .map_err(Refusal::usage)?;
    if let Some(error) = &run.gave_up {
        return Err(Refusal::target(format!("given up: {error}")));
    }
    Ok(if report.totals().failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(context: &Context, cases: &[Listed], arguments: &Arguments) -> Run {
    let shown = match arguments.progress {
        ShowProgress::Auto => io::stderr().is_terminal(),
        ShowProgress::Always => true,
        ShowProgress::Never => false,
    };
    let mut terminal = io::stderr();
    let out: Option<&mut dyn Write> = if shown { Some(&mut terminal) } else { None };
    let mut progress = Progress::new(out, cases.len());
    let run = runner::run(context, cases, arguments.threads, &mut |result| progress.note(result));
    progress.end();
    run
}

fn issuer(arguments: &Arguments) -> Option<Issuer> {
    Some(Issuer {
        base: arguments.slots.as_deref()?.trim_end_matches('/').to_owned(),
        secret: arguments.slot_secret.clone()?,
        delete_secret: arguments.slot_delete_secret.clone(),
    })
}

fn parameters(arguments: &Arguments) -> Parameters {
    Parameters {
        race_rounds: arguments.race_rounds,
        prompt: Duration::from_millis(arguments.prompt_milliseconds),
        idle_timeout: arguments.idle_timeout_seconds.map(Duration::from_secs),
        downloads: !arguments.without_downloads,
        forms: arguments.forms.clone(),
        slots: issuer(arguments),
        service_url: arguments.service_url.clone(),
        patience: Duration::from_secs(arguments.patience_seconds),
        case_time: Duration::from_secs(arguments.case_seconds),
        ..Parameters::default()
    }
}
