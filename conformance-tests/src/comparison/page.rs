//! The page for people.

use std::collections::BTreeMap;
use std::fmt::{Error, Write as _};

use super::{Comparison, Ended, Explanations, Kind, Row};

const HEAD: &str = "\
# Judged side by side

<!-- Written by conformance-tests/references/run; edit explanations.json, not this page. -->

The suites `tus`, `resume` and `download`, one case at a time, on loopback. tus leaves much open;
where its text is silent, the cases ask for what Tidegate promises (`protocol-spec/`), and another
server that does otherwise does nothing wrong. So every failed case is explained.
";

/// The page.
///
/// # Errors
///
/// None in fact: writing to a string does not fail.
pub fn page(results: &Comparison, explanations: &Explanations) -> Result<String, Error> {
    let mut page = HEAD.to_owned();
    writeln!(page, "\nRun on {}.\n", results.date)?;
    totals(&mut page, results, explanations)?;
    groups(&mut page, results)?;
    for (index, server) in results.servers.iter().enumerate() {
        let failed: Vec<_> = results
            .rows
            .iter()
            .filter(|row| matches!(row.ended.get(index), Some(Ended::Failed(_))))
            .collect();
        if !failed.is_empty() {
            writeln!(page, "\n## {} {}", server.name, server.version)?;
            reasons(&mut page, &server.name, &failed, explanations)?;
        }
    }
    Ok(page)
}

fn heading(page: &mut String, first: &str, results: &Comparison) -> Result<(), Error> {
    write!(page, "| {first} |")?;
    for server in &results.servers {
        write!(page, " {} {} |", server.name, server.version)?;
    }
    writeln!(page, "\n|---|{}", "---:|".repeat(results.servers.len()))
}

fn totals(
    page: &mut String,
    results: &Comparison,
    explanations: &Explanations,
) -> Result<(), Error> {
    heading(page, &format!("{} cases", results.rows.len()), results)?;
    let mut line = |title: &str, takes: &dyn Fn(&Row, &str, &Ended) -> bool| {
        write!(page, "| {title} |")?;
        for (index, server) in results.servers.iter().enumerate() {
            let counted = results.rows.iter().filter(|row| {
                row.ended.get(index).is_some_and(|ended| takes(row, &server.name, ended))
            });
            write!(page, " {} |", counted.count())?;
        }
        writeln!(page)
    };
    line("passed", &|_, _, ended| *ended == Ended::Passed)?;
    for kind in Kind::ALL {
        line(&format!("failed: {}", kind.heading()), &|row, server, ended| {
            let explained = explanations.of(server, &row.name);
            matches!(ended, Ended::Failed(_)) && explained.is_some_and(|found| found.kind == kind)
        })?;
    }
    line("not applicable", &|_, _, ended| matches!(ended, Ended::NotApplicable(_)))
}

fn groups(page: &mut String, results: &Comparison) -> Result<(), Error> {
    writeln!(page, "\n## By group\n\nPassed, failed, not applicable.\n")?;
    heading(page, "group", results)?;
    let mut counts: BTreeMap<&str, Vec<[usize; 3]>> = BTreeMap::new();
    let mut order = Vec::new();
    for row in &results.rows {
        let counts = counts.entry(&row.place).or_insert_with(|| {
            order.push(row.place.as_str());
            vec![[0; 3]; results.servers.len()]
        });
        for ([passed, failed, not_applicable], ended) in counts.iter_mut().zip(&row.ended) {
            let count = match ended {
                Ended::Passed => passed,
                Ended::Failed(_) => failed,
                Ended::NotApplicable(_) => not_applicable,
            };
            *count = count.saturating_add(1);
        }
    }
    for place in order {
        write!(page, "| {place} |")?;
        for [passed, failed, not_applicable] in counts.get(place).into_iter().flatten() {
            write!(page, " {passed} · {failed} · {not_applicable} |")?;
        }
        writeln!(page)?;
    }
    Ok(())
}

fn reasons(
    page: &mut String,
    server: &str,
    failed: &[&Row],
    explanations: &Explanations,
) -> Result<(), Error> {
    for kind in Kind::ALL {
        let of_kind =
            explanations.0.iter().filter(|found| found.server == server && found.kind == kind);
        let mut headed = false;
        for explanation in of_kind {
            if !headed {
                writeln!(page, "\n### {}\n", kind.heading())?;
                headed = true;
            }
            let cites = if explanation.cites.is_empty() {
                String::new()
            } else {
                format!(" ({})", explanation.cites)
            };
            writeln!(page, "- {}{cites}", explanation.because)?;
            for row in failed.iter().filter(|row| explanation.cases.contains(&row.name)) {
                writeln!(page, "  - {}: {} [{}]", row.place, row.name, row.ids.join(" "))?;
            }
        }
    }
    Ok(())
}
