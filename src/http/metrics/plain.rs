//! The older text format (0.0.4), for who does not ask for OpenMetrics.

use std::collections::HashSet;

/// The `Content-Type` of [`plain`].
pub(in crate::http) const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether a request with this `Accept` is answered in the older format: it names plain text, and not
/// OpenMetrics.
pub(in crate::http) fn is_wanted(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return false };
    let mut named = accept.split(',').filter_map(|range| range.split(';').next()).map(str::trim);
    let (mut plain, mut open) = (false, false);
    named.by_ref().for_each(|range| {
        plain |= range.eq_ignore_ascii_case("text/plain");
        open |= range.eq_ignore_ascii_case("application/openmetrics-text");
    });
    plain && !open
}

/// `text` in the older format: there a counter is called in its comments as in its samples, and
/// neither units nor the end are told.
pub(in crate::http) fn plain(text: &str) -> String {
    let counter =
        |line: &str| Some(line.strip_prefix("# TYPE ")?.strip_suffix(" counter")?.to_owned());
    let counters: HashSet<String> = text.lines().filter_map(counter).collect();
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        plain.push_str(&renamed(line, &counters).unwrap_or_else(|| line.to_owned()));
        plain.push('\n');
    }
    plain
}

/// A comment about a counter, with the name that its samples have.
fn renamed(line: &str, counters: &HashSet<String>) -> Option<String> {
    let kind = ["# HELP ", "# TYPE "].into_iter().find(|kind| line.starts_with(kind))?;
    let (name, rest) = line.strip_prefix(kind)?.split_once(' ')?;
    counters.contains(name).then(|| format!("{kind}{name}_total {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_called_alike_everywhere_and_the_rest_stays() {
        let text = "# HELP a_bytes Bytes.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n\
                    a_bytes_total 3\n# HELP b Now.\n# TYPE b gauge\nb 1\n# EOF\n";
        let expected = "# HELP a_bytes_total Bytes.\n# TYPE a_bytes_total counter\n\
                        a_bytes_total 3\n# HELP b Now.\n# TYPE b gauge\nb 1\n";
        assert_eq!(plain(text), expected);
    }

    #[test]
    fn the_older_format_is_for_who_names_it_and_not_the_newer_one() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        for (accept, wanted) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/html, text/plain"), true),
            (Some("Text/Plain;version=0.0.4"), true),
            (Some(prometheus), false),
        ] {
            assert_eq!(is_wanted(accept), wanted, "{accept:?}");
        }
    }
}
