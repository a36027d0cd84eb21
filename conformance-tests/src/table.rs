//! `conformance-table`: puts reports of several servers side by side. `references/run` calls it.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use conformance_tests::comparison::{Comparison, Explanations, Server, page};

/// Writes `references.json` and `README.md` into the directory, with its `explanations.json`.
///
/// Without reports only the page is written anew, from the results that are there.
///
/// Exit code: 0 when every failure is explained, 1 when one is not, 2 when nothing was written.
#[derive(Debug, Parser)]
struct Arguments {
    /// The directory of the results.
    directory: PathBuf,
    /// The day of the run.
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "")]
    date: String,
    /// A server, its version, and its report in JSON.
    #[arg(value_name = "NAME=VERSION=REPORT", requires = "date")]
    reports: Vec<String>,
}

fn main() -> ExitCode {
    match compare(&Arguments::parse()) {
        Ok(open) if open.is_empty() => ExitCode::SUCCESS,
        Ok(open) => {
            let _ = writeln!(io::stderr(), "{}", open.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "conformance-table: {error}");
            ExitCode::from(2)
        }
    }
}

/// What remains to be done with the explanations.
fn compare(arguments: &Arguments) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut reports = Vec::new();
    for argument in &arguments.reports {
        let mut parts = argument.splitn(3, '=');
        let (Some(name), Some(version), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("{argument:?} is not NAME=VERSION=REPORT").into());
        };
        let server = Server { name: name.to_owned(), version: version.to_owned() };
        let report = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        reports.push((server, report));
    }
    let old = arguments.directory.join("references.json");
    let results = if reports.is_empty() {
        Comparison::parse(&fs::read_to_string(&old)?)?
    } else {
        Comparison::of_reports(&arguments.date, &reports)?
    };
    let text = fs::read_to_string(arguments.directory.join("explanations.json"))?;
    let explanations = Explanations::parse(&text)?;
    let json = serde_json::to_string_pretty(&results.as_json())?;
    fs::write(old, json + "\n")?;
    fs::write(arguments.directory.join("README.md"), page(&results, &explanations)?)?;
    let missing = explanations.missing(&results);
    let stale = explanations.stale(&results);
    let missing = missing.iter().map(|failure| format!("not explained: {failure}"));
    Ok(missing
        .chain(stale.iter().map(|case| format!("explained, but did not fail: {case}")))
        .collect())
}
