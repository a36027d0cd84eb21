//! The table of problems and the enum say the same.

use std::collections::BTreeMap;

use super::*;
use crate::protocol::{chunked, download, tus};
use crate::upload::geometry::{Against, Statement};

const TABLE: &str = include_str!("../../protocol-spec/errors.md");

fn contradiction(against: Against) -> Contradiction {
    Contradiction { statement: Statement::ChunkNumber, against, expected: 1 }
}

/// One of each.
#[expect(clippy::too_many_lines, reason = "one of each")]
fn all() -> Vec<Problem> {
    let field = "Upload-Offset";
    let expected = "a number";
    let (offset, length) = (UploadOffset::ZERO, UploadLength::ZERO);
    let part = UploadId::from_bytes([0; 16]);
    vec![
        Problem::UnsupportedVersion,
        Problem::MissingField { field, expected },
        Problem::RepeatedField { field },
        Problem::MalformedField { field, expected },
        Problem::InvalidMetadata(MetadataError::EmptyKey),
        Problem::MetadataTooLong { actual: 2, limit: 1 },
        Problem::LengthRequired,
        Problem::LengthTwice,
        Problem::UnsupportedMediaType,
        Problem::OffsetMismatch { offset },
        Problem::PastTheEnd { length },
        Problem::TooLarge { max: length },
        Problem::LengthIsFixed { length },
        Problem::LengthTooShort { received: 1 },
        Problem::FinalTakesNoBytes,
        Problem::FinalWithBody,
        Problem::FinalWithLength,
        Problem::PartCount { max: 1 },
        Problem::ForeignPart,
        Problem::NotAPart { part },
        Problem::PartMissing { part },
        Problem::PartUnfinished { part },
        Problem::ExtensionOff { extension: "creation" },
        Problem::GeometryUnknown,
        Problem::ChunkContradicts(contradiction(Against::Request)),
        Problem::ChunkContradicts(contradiction(Against::Session)),
        Problem::TooManyChunks { max: 1 },
        Problem::UnknownChecksum,
        Problem::UnknownDigest { field },
        Problem::ChecksumMismatch { offset: None },
        Problem::UploadMismatch,
        Problem::MethodNotAllowed { allow: "OPTIONS" },
        Problem::NotFound,
        Problem::UnknownAddress { endpoint: "/files".into() },
        Problem::Expired,
        Problem::Unauthorized,
        Problem::Forbidden,
        Problem::AuthorityUnavailable { retry_after_seconds: 5 },
        Problem::NotComplete,
        Problem::PartialNotServed,
        Problem::RangeNotSatisfiable { length: 1 },
        Problem::PreconditionFailed,
        Problem::Busy,
        Problem::TakenOver { offset },
        Problem::Idle { offset: None },
        Problem::TooSlow { offset: None },
        Problem::BodyBroken { offset: None },
        Problem::NoRoom { offset: None },
        Problem::QuotaReached { retry_at: None },
        Problem::TooManyRequests,
        Problem::HeadTooLong { max_fields: 1, max_bytes: 1 },
        Problem::Overloaded,
        Problem::ShuttingDown,
        Problem::SlotPath,
        Problem::SlotRefused,
        Problem::SlotExpired,
        Problem::SlotComplete,
        Problem::SlotLength { length },
        Problem::SlotMediaType,
        Problem::ContentLengthRequired,
        Problem::BadRequest,
        Problem::FormExpected,
        Problem::MalformedForm { reason: "lines end with CR LF" },
        Problem::OneFile { found: "none" },
        Problem::FormTooLong { what: "the head of a part", limit: 1 },
        Problem::Internal,
        Problem::Damaged,
    ]
}

/// Code to the statuses in the tables; `–` where a protocol cannot meet the problem.
///
/// What only a form can meet is in the last table. A form's status is that of tus.
fn table() -> BTreeMap<&'static str, [&'static str; 3]> {
    let cells = |row: &'static str| row.split('|').map(str::trim).collect::<Vec<_>>();
    let rows = |text: &'static str| text.lines().filter(|line| line.starts_with("| `")).map(cells);
    let (shared, forms) = TABLE.split_once("\n## Forms").unwrap();
    let shared =
        rows(shared).map(|cells| (cells[1].trim_matches('`'), [cells[2], cells[3], cells[4]]));
    let forms = rows(forms).map(|cells| (cells[1].trim_matches('`'), [cells[2], "–", "–"]));
    shared.chain(forms).collect()
}

#[test]
fn every_problem_is_a_row_of_the_table_with_its_statuses() {
    let table = table();
    for problem in all() {
        let code = problem.code();
        let row = table.get(code).copied().unwrap_or_else(|| panic!("no row {code}"));
        let [tus, chunked, download] = row;
        if tus != "–" {
            assert_eq!(tus, tus::status::status(&problem).to_string(), "{code} over tus");
        }
        if chunked != "–" {
            assert_eq!(chunked, chunked::status::status(&problem).to_string(), "{code} by chunks");
        }
        let said = download::status::status(&problem).to_string();
        if download == "–" {
            assert_eq!(said, "500", "{code} cannot happen in a download");
        } else {
            assert_eq!(download, said, "{code} in a download");
        }
    }
}

#[test]
fn every_row_of_the_table_is_a_problem() {
    let known: Vec<_> = all().iter().map(Problem::code).collect();
    assert_eq!(table().len(), known.len());
    for code in table().keys() {
        assert!(known.contains(code), "{code} is only in the table");
    }
}

#[test]
fn the_list_above_holds_every_variant() {
    // `code` and `code_of` have one arm per code, so their source counts them.
    let arms = |source: &str, function: &str| {
        let code = source.split(function).nth(1).unwrap();
        let code = code.split("\n    }\n").next().unwrap().split("\n}\n").next().unwrap();
        code.lines().filter(|line| line.trim_end_matches(',').ends_with('"')).count()
    };
    let one = arms(include_str!("problem.rs"), "pub const fn code(");
    let three = arms(include_str!("problem/contradiction.rs"), "const fn code_of(");
    assert_eq!(one + three, all().len());
}

#[test]
fn whoever_should_come_again_is_told_when_and_nobody_else() {
    for problem in all() {
        let said = problem.with_common_fields(ResponseHead::new(400)).get("Retry-After").is_some();
        let status = tus::status::status(&problem);
        // Damage does not heal, and room in a quota is made by its owner.
        let in_vain = [Problem::Damaged, Problem::QuotaReached { retry_at: None }];
        let comes_again = [423, 429, 500, 503, 507].contains(&status);
        assert_eq!(said, comes_again && !in_vain.contains(&problem), "{problem:?}");
    }
    let moment = Timestamp::from_unix_milliseconds(1_700_000_000_000);
    let known = Problem::QuotaReached { retry_at: Some(moment) };
    let head = known.with_common_fields(ResponseHead::new(429));
    assert_eq!(head.get("Retry-After"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
}

#[test]
fn a_refusal_describes_itself_to_programs_and_people() {
    for problem in all() {
        let head = problem.described_in(ResponseHead::new(400));
        assert_eq!(head.get("Content-Type"), Some("application/json"));
        let body: serde_json::Value = serde_json::from_str(&head.body.unwrap()).unwrap();
        assert_eq!(body["error"], problem.code());
        assert_eq!(body["detail"], problem.to_string());
        assert!(problem.to_string().len() > 15, "{problem:?} says too little");
    }
}

#[test]
fn what_a_client_sent_cannot_break_the_description() {
    let problem = Problem::InvalidMetadata(MetadataError::Value("k\"\r\n".to_owned()));
    let head = problem.described_in(ResponseHead::new(400));
    let body: serde_json::Value = serde_json::from_str(&head.body.unwrap()).unwrap();
    assert!(body["detail"].as_str().unwrap().contains("k\"\r\n"));
}
