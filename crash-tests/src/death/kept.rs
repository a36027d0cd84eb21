//! What was kept of bytes that had reached the gateway and that nobody was told about.

use std::time::Duration;

/// One upload when its gateway was killed in the middle of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Bytes beyond the last offset that the client had been told.
    pub there: u64,
    /// How many of them the next gateway has.
    pub kept: u64,
}

impl Sample {
    /// A sample of an upload that stood at `acknowledged`, had come to `there`, and stands at
    /// `offset` now; `None` if there was nothing to keep.
    #[must_use]
    pub fn of(acknowledged: u64, there: u64, offset: u64) -> Option<Self> {
        let most = there.checked_sub(acknowledged).filter(|most| *most > 0)?;
        Some(Self { there: most, kept: offset.saturating_sub(acknowledged).min(most) })
    }
}

/// The p-th percentile (nearest rank); `None` of nothing.
fn percentile(sorted: &[u64], p: usize) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last * p + 50) / 100).copied()
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

fn row(name: &str, unit: &str, values: impl Iterator<Item = u64>) -> String {
    let values = sorted(values);
    let cells = [0, 10, 50, 90, 100].map(|p| match percentile(&values, p) {
        Some(value) => format!(" {} |", with_unit(value, unit)),
        None => " – |".to_owned(),
    });
    format!("| {name} |{}", cells.concat())
}

/// Thousandths become percent with one digit behind the point.
fn with_unit(value: u64, unit: &str) -> String {
    match unit {
        "‰" => format!("{}.{} %", value / 10, value % 10),
        _ => format!("{value}"),
    }
}

/// The rows of one kind of samples, under [`HEAD`].
#[must_use]
pub fn rows(what: &str, samples: &[Sample]) -> String {
    let there = row(&format!("{what}, bytes"), "", samples.iter().map(|sample| sample.there));
    let share = |sample: &Sample| sample.kept.saturating_mul(1000).checked_div(sample.there);
    let kept = row("– kept of it", "‰", samples.iter().filter_map(share));
    let gone = samples.iter().map(|sample| sample.there - sample.kept);
    let gone = row("– to be sent again, bytes", "", gone);
    format!("{there}\n{kept}\n{gone}")
}

/// Head of the table that [`rows`] fill.
pub const HEAD: &str =
    "| of one upload, when it happened | p0 | p10 | p50 | p90 | p100 |\n|---|---|---|---|---|---|";

/// How long something took, at half, at 99 of 100, and at most, in milliseconds.
#[must_use]
pub fn times(values: &[Duration]) -> String {
    let values = sorted(values.iter().map(|time| u64::try_from(time.as_millis()).unwrap_or(0)));
    let at = |p| percentile(&values, p).unwrap_or(0);
    format!("{} times, p50 {} ms, p99 {} ms, at most {} ms", values.len(), at(50), at(99), at(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_is_no_part_of_a_sample() {
        assert_eq!(Sample::of(10, 10, 10), None);
        assert_eq!(Sample::of(10, 30, 25), Some(Sample { there: 20, kept: 15 }));
        assert_eq!(Sample::of(10, 30, 5), Some(Sample { there: 20, kept: 0 }));
    }

    #[test]
    fn shares_are_told_at_their_percentiles() {
        let samples = [(100, 100), (100, 50), (100, 0)].map(|(there, kept)| Sample { there, kept });
        let rows = rows("received", &samples);
        assert!(
            rows.contains("| – kept of it | 0.0 % | 0.0 % | 50.0 % | 100.0 % | 100.0 % |"),
            "{rows}"
        );
    }
}
