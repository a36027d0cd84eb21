//! The heads of `protocol-spec/vectors`, read without a socket.

use serde_json::Value;

use crate::protocol::head::BodyLength;
use crate::protocol::problem::Problem;
use crate::protocol::tus::examples::{place, profile};
use crate::protocol::tus::{append, create, inspect, refused, terminate};
use crate::protocol::{RequestHead, ResponseHead};
use crate::upload::Owner;

fn vectors(text: &str, member: &str) -> Vec<Value> {
    let value: Value = serde_json::from_str(text).unwrap();
    value[member].as_array().unwrap().clone()
}

/// The lines of a head as names and bytes: a character stands for the byte of its number.
fn lines(vector: &Value) -> Vec<(String, Vec<u8>)> {
    let line = |line: &Value| {
        let value = line[1].as_str().unwrap();
        let bytes = value.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
        (line[0].as_str().unwrap().to_owned(), bytes)
    };
    vector["fields"].as_array().unwrap().iter().map(line).collect()
}

fn body(vector: &Value) -> BodyLength {
    match (&vector["chunked"], vector["body"].as_str().unwrap_or_default().len()) {
        (Value::String(_), _) => BodyLength::Unknown,
        (_, 0) => BodyLength::Empty,
        (_, bytes) => BodyLength::Known(u64::try_from(bytes).unwrap()),
    }
}

fn read(vector: &Value, lines: &[(String, Vec<u8>)]) -> Result<(), Problem> {
    let method = vector["method"].as_str().unwrap();
    let fields = lines.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let head = RequestHead { method, path: "/files", fields, body: body(vector) };
    match method {
        "POST" => create::read(&head, &profile(), &place(), Owner::anonymous()).map(drop),
        "PATCH" => append::read(&head, &profile()).map(drop),
        "HEAD" => inspect::read(&head).map(drop),
        "DELETE" => terminate::read(&head, &profile()),
        other => panic!("no vector can be for {other}"),
    }
}

/// The answer that is certain from the head alone: a refusal.
fn refusal(vector: &Value, lines: &[(String, Vec<u8>)]) -> Option<ResponseHead> {
    read(vector, lines).err().map(|problem| refused(&problem))
}

#[test]
fn every_head_is_taken_or_refused_as_its_vector_says() {
    let text = include_str!("../../../protocol-spec/vectors/heads.json");
    for vector in vectors(text, "heads") {
        let name = &vector["name"];
        let wanted = vector["status"].as_u64().unwrap();
        let answer = refusal(&vector, &lines(&vector));
        let status = answer.as_ref().map(|head| u64::from(head.status));
        assert_eq!(status, Some(wanted).filter(|status| *status >= 400), "{name}");
        let fields = vector["answer"].as_object().into_iter().flatten();
        for (field, value) in fields.filter(|_| answer.is_some()) {
            let seen = answer.as_ref().and_then(|head| head.get(field));
            assert_eq!(seen, value.as_str(), "{name}: {field}");
        }
    }
}

#[test]
fn every_value_of_a_field_is_taken_or_refused_as_its_vector_says() {
    let text = include_str!("../../../protocol-spec/vectors/fields.json");
    for vector in vectors(text, "fields") {
        let status = vector["status"].as_u64();
        for (member, wanted) in [("accepted", None), ("refused", status)] {
            for value in vector[member].as_array().unwrap() {
                let added = serde_json::json!({ "fields": [[vector["field"], value]] });
                let all = [lines(&vector), lines(&added)].concat();
                let status = refusal(&vector, &all).map(|head| u64::from(head.status));
                assert_eq!(status, wanted, "{}: {value}", vector["field"]);
            }
        }
    }
}
