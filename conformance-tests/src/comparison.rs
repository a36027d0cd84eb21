//! Several servers side by side: what each passed, and why it failed the rest.
//!
//! The results are data (`results/references.json`), so are the explanations
//! (`results/explanations.json`); the page is made of both.

mod explanation;
mod page;

pub use explanation::{Explanation, Explanations, Kind};
pub use page::page;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Why results or explanations are of no use.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// Not the JSON that was expected.
    #[error("{what}: {source}")]
    Json {
        /// What was read.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A member is missing, or of another type.
    #[error("{what} has no proper {member:?}")]
    Member {
        /// What was read.
        what: String,
        /// The member.
        member: &'static str,
    },
}

/// How a case ended on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As the case says.
    Passed,
    /// Otherwise; what was seen.
    Failed(String),
    /// The case says nothing about the server; why.
    NotApplicable(String),
}

/// A server that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A case and how it ended on each server, in the order of the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Suite and group.
    pub place: String,
    /// The sentence.
    pub name: String,
    /// The requirements.
    pub ids: Vec<String>,
    /// How it ended.
    pub ended: Vec<Ended>,
}

/// All results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The day of the run, as YYYY-MM-DD.
    pub date: String,
    /// The servers.
    pub servers: Vec<Server>,
    /// The cases, in the order they are registered.
    pub rows: Vec<Row>,
}

fn parse(what: &str, text: &str) -> Result<Value, ComparisonError> {
    serde_json::from_str(text)
        .map_err(|source| ComparisonError::Json { what: what.to_owned(), source })
}

fn string(what: &str, value: &Value, member: &'static str) -> Result<String, ComparisonError> {
    let found = value.get(member).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| ComparisonError::Member { what: what.to_owned(), member })
}

fn array<'a>(
    what: &str,
    value: &'a Value,
    member: &'static str,
) -> Result<&'a [Value], ComparisonError> {
    let found = value.get(member).and_then(Value::as_array).map(Vec::as_slice);
    found.ok_or_else(|| ComparisonError::Member { what: what.to_owned(), member })
}

fn strings(
    what: &str,
    value: &Value,
    member: &'static str,
) -> Result<Vec<String>, ComparisonError> {
    let members = array(what, value, member)?.iter();
    Ok(members.filter_map(Value::as_str).map(str::to_owned).collect())
}

impl Ended {
    fn of(what: &str, value: &Value) -> Result<Self, ComparisonError> {
        let reason = || string(what, value, "reason");
        match string(what, value, "outcome")?.as_str() {
            "passed" => Ok(Self::Passed),
            "failed" => reason().map(Self::Failed),
            "not applicable" => reason().map(Self::NotApplicable),
            _ => Err(ComparisonError::Member { what: what.to_owned(), member: "outcome" }),
        }
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Passed => json!({ "outcome": "passed" }),
            Self::Failed(reason) => json!({ "outcome": "failed", "reason": reason }),
            Self::NotApplicable(reason) => {
                json!({ "outcome": "not applicable", "reason": reason })
            }
        }
    }
}

impl Comparison {
    /// Puts the JSON reports of several servers together.
    ///
    /// # Errors
    ///
    /// [`ComparisonError`] when one is not a report, or not of the same cases as the first.
    pub fn of_reports(date: &str, reports: &[(Server, String)]) -> Result<Self, ComparisonError> {
        let mut rows: Vec<Row> = Vec::new();
        for (index, (server, text)) in reports.iter().enumerate() {
            let what = format!("the report of {}", server.name);
            let report = parse(&what, text)?;
            let cases = array(&what, &report, "cases")?;
            if index == 0 {
                rows = cases.iter().map(|case| row(&what, case)).collect::<Result<_, _>>()?;
            }
            if rows.len() != cases.len() {
                return Err(ComparisonError::Member { what, member: "cases" });
            }
            for (row, case) in rows.iter_mut().zip(cases) {
                if string(&what, case, "name")? != row.name {
                    return Err(ComparisonError::Member { what, member: "name" });
                }
                row.ended.push(Ended::of(&what, case)?);
            }
        }
        let servers = reports.iter().map(|(server, _)| server.clone()).collect();
        Ok(Self { date: date.to_owned(), servers, rows })
    }

    /// Reads what [`Comparison::as_json`] wrote.
    ///
    /// # Errors
    ///
    /// [`ComparisonError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ComparisonError> {
        let what = "the results";
        let value = parse(what, text)?;
        let servers: Vec<_> = array(what, &value, "servers")?
            .iter()
            .map(|server| {
                let (name, version) =
                    (string(what, server, "name")?, string(what, server, "version")?);
                Ok(Server { name, version })
            })
            .collect::<Result<_, _>>()?;
        let mut rows = Vec::new();
        for case in array(what, &value, "cases")? {
            let mut row = row(what, case)?;
            let ended = case.get("servers").unwrap_or(&Value::Null);
            for server in &servers {
                let ended = ended.get(&server.name).unwrap_or(&Value::Null);
                row.ended.push(Ended::of(what, ended)?);
            }
            rows.push(row);
        }
        Ok(Self { date: string(what, &value, "date")?, servers, rows })
    }

    /// As JSON, to be committed.
    pub fn as_json(&self) -> Value {
        let servers: Vec<_> = self
            .servers
            .iter()
            .map(|server| json!({ "name": server.name, "version": server.version }))
            .collect();
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let (suite, group) = row.place.split_once('/').unwrap_or_default();
                let ended: Map<_, _> = self
                    .servers
                    .iter()
                    .zip(&row.ended)
                    .map(|(server, ended)| (server.name.clone(), ended.as_json()))
                    .collect();
                json!({
                    "suite": suite, "group": group, "name": row.name, "ids": row.ids,
                    "servers": ended,
                })
            })
            .collect();
        json!({ "date": self.date, "servers": servers, "cases": rows })
    }

    /// The failed cases of each server, by its name.
    pub fn failures(&self) -> BTreeMap<&str, Vec<&Row>> {
        let mut failures: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in &self.rows {
            for (server, ended) in self.servers.iter().zip(&row.ended) {
                if let Ended::Failed(_) = ended {
                    failures.entry(server.name.as_str()).or_default().push(row);
                }
            }
        }
        failures
    }
}

fn row(what: &str, case: &Value) -> Result<Row, ComparisonError> {
    let place = format!("{}/{}", string(what, case, "suite")?, string(what, case, "group")?);
    let (name, ids) = (string(what, case, "name")?, strings(what, case, "ids")?);
    Ok(Row { place, name, ids, ended: Vec::new() })
}
