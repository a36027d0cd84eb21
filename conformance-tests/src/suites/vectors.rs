//! The heads of `protocol-spec/vectors`, sent over the wire.

use serde_json::Value;

use crate::case::{Case, Group, Stop, Verdict};
use crate::client::Client;
use crate::exchange::Exchange;
use crate::wire::Request;

/// Every group of this suite.
pub const GROUPS: &[&Group] = &[&HEADS, &FIELDS];

const HEADS_JSON: &str = include_str!("../../../protocol-spec/vectors/heads.json");
const FIELDS_JSON: &str = include_str!("../../../protocol-spec/vectors/fields.json");

/// Whole heads.
const HEADS: Group = Group {
    name: "vector-heads",
    needs: &["creation"],
    cases: &[
        Case::new(
            "every creation ends as its vector says",
            &[
                "T-3", "T-4", "T-7", "T-13", "T-38", "T-61", "T-62", "T-63", "T-64", "T-72",
                "T-77", "T-81", "T-91", "T-93", "T-95", "T-96", "T-98", "T-115", "T-141", "T-145",
                "T-157",
            ],
            |client| heads(client, "POST"),
        ),
        Case::new(
            "every patch ends as its vector says",
            &[
                "T-3", "T-4", "T-6", "T-7", "T-30", "T-31", "T-33", "T-38", "T-42", "T-84",
                "T-115", "T-158",
            ],
            |client| heads(client, "PATCH"),
        ),
        Case::new(
            "every head request ends as its vector says",
            &["T-3", "T-5", "T-20"],
            |client| heads(client, "HEAD"),
        ),
        Case::new("every delete ends as its vector says", &["T-3", "T-4", "T-131"], |client| {
            heads(client, "DELETE")
        }),
    ],
};

/// Values of one field each.
const FIELDS: Group = Group {
    name: "vector-fields",
    needs: &["creation"],
    cases: &[
        Case::new(
            "every value in a creation is taken or refused as its vector says",
            &[
                "T-3", "T-7", "T-70", "T-71", "T-72", "T-73", "T-75", "T-76", "T-82", "T-141",
                "T-155",
            ],
            |client| fields(client, "POST"),
        ),
        Case::new(
            "every value in a patch is taken or refused as its vector says",
            &["T-6", "T-31", "T-112", "T-114", "T-115", "T-116"],
            |client| fields(client, "PATCH"),
        ),
    ],
};

/// The vectors for `method` that say something about this server.
fn vectors(
    client: &Client<'_>,
    text: &str,
    member: &str,
    method: &str,
) -> Result<Vec<Value>, Stop> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Stop::failed(error.to_string()))?;
    let all = value.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
    let fits = |vector: &Value| {
        text_of(vector, "method") == method
            && strings(vector, "needs").iter().all(|need| client.offers().has(need))
    };
    let fitting: Vec<_> = all.into_iter().filter(fits).collect();
    if fitting.is_empty() {
        return Err(Stop::not_applicable("no vector is left without the extensions it needs"));
    }
    Ok(fitting)
}

fn text_of<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn strings<'a>(vector: &'a Value, member: &str) -> Vec<&'a str> {
    let members = vector.get(member).and_then(Value::as_array);
    members.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn status_of(vector: &Value) -> u16 {
    vector.get("status").and_then(Value::as_u64).and_then(|code| code.try_into().ok()).unwrap_or(0)
}

/// The bytes that the characters stand for.
fn bytes(value: &str) -> Vec<u8> {
    value.chars().filter_map(|char| u8::try_from(u32::from(char)).ok()).collect()
}

fn request(client: &Client<'_>, vector: &Value) -> Result<Request, Stop> {
    let method = text_of(vector, "method");
    let path = match method {
        "POST" => client.target().path().to_owned(),
        _ => client.create(20)?.path,
    };
    let mut request = Request::new(method, &path);
    for line in vector.get("fields").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(value)) = (line.pointer("/0"), line.pointer("/1")) {
            let value = bytes(value.as_str().unwrap_or_default());
            request = request.with(name.as_str().unwrap_or_default(), value);
        }
    }
    if vector.get("chunked").is_some() {
        request = request.chunked(text_of(vector, "chunked"));
    } else if vector.get("body").is_some() {
        request = request.body(text_of(vector, "body"));
    }
    Ok(request)
}

/// All that differs is in the message; the exchange is that of the first.
#[derive(Default)]
struct Differences {
    names: Vec<String>,
    first: Option<Exchange>,
}

impl Differences {
    fn note(&mut self, name: String, exchange: Exchange) {
        self.names.push(name);
        self.first.get_or_insert(exchange);
    }

    fn verdict(self) -> Verdict {
        match self.first {
            None => Ok(()),
            Some(exchange) => Err(exchange.fails(self.names.join("; "))),
        }
    }
}

fn heads(client: &Client<'_>, method: &str) -> Verdict {
    let mut differences = Differences::default();
    for vector in vectors(client, HEADS_JSON, "heads", method)? {
        let exchange = client.send(request(client, &vector)?)?;
        let (wanted, name) = (status_of(&vector), text_of(&vector, "name"));
        if exchange.status() != wanted {
            let name = format!("{name}: expected {wanted}, got {}", exchange.status());
            differences.note(name, exchange);
            continue;
        }
        let answer = vector.get("answer").and_then(Value::as_object);
        let missing = answer.into_iter().flatten().find(|(field, value)| {
            exchange.lists(field, &[value.as_str().unwrap_or_default()]).is_err()
        });
        if let Some((field, value)) = missing {
            differences.note(format!("{name}: expected {field}: {value}"), exchange);
        }
    }
    differences.verdict()
}

fn fields(client: &Client<'_>, method: &str) -> Verdict {
    let mut differences = Differences::default();
    let success = if method == "POST" { 201 } else { 204 };
    for vector in vectors(client, FIELDS_JSON, "fields", method)? {
        let field = text_of(&vector, "field");
        for (member, wanted) in [("accepted", success), ("refused", status_of(&vector))] {
            for value in strings(&vector, member) {
                let request = request(client, &vector)?.with(field, bytes(value));
                let exchange = client.send(request)?;
                if exchange.status() != wanted {
                    let seen = exchange.status();
                    let name = format!("{field}: {value:?}: expected {wanted}, got {seen}");
                    differences.note(name, exchange);
                }
            }
        }
    }
    differences.verdict()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn ids(text: &str, member: &str) -> BTreeSet<String> {
        let value: Value = serde_json::from_str(text).unwrap();
        let all = value[member].as_array().unwrap().clone();
        all.iter().flat_map(|vector| strings(vector, "ids")).map(str::to_owned).collect()
    }

    fn judged(group: &Group) -> BTreeSet<String> {
        group.cases.iter().flat_map(|case| case.ids).map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn the_cases_name_the_ids_of_their_vectors() {
        assert_eq!(judged(&HEADS), ids(HEADS_JSON, "heads"));
        assert_eq!(judged(&FIELDS), ids(FIELDS_JSON, "fields"));
    }

    #[test]
    fn every_vector_has_a_method_and_a_status_and_stands_for_bytes() {
        for (text, member) in [(HEADS_JSON, "heads"), (FIELDS_JSON, "fields")] {
            let value: Value = serde_json::from_str(text).unwrap();
            for vector in value[member].as_array().unwrap() {
                assert!(["POST", "PATCH", "HEAD", "DELETE"].contains(&text_of(vector, "method")));
                assert!((200..500).contains(&status_of(vector)), "{vector}");
                assert!(vector.to_string().chars().all(|char| u32::from(char) <= 0xFF));
            }
        }
    }
}
