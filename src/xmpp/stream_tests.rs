//! What the reader makes of streams, good and bad.

use super::*;
use proptest::prelude::*;
use rxml::{Event, Parser};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' id='3BF96D32' from='up.localhost'>";
const MAX: usize = 1000;

/// Everything that arrives after the header, however the bytes are cut.
fn read(text: &str, cut: usize) -> Result<Vec<Received>, StreamError> {
    let mut reader = StreamReader::new(MAX);
    let opened = reader.push(HEADER.as_bytes())?;
    assert_eq!(opened, [Received::Opened { id: "3BF96D32".to_owned() }]);
    let mut received = Vec::new();
    for bytes in text.as_bytes().chunks(cut) {
        received.extend(reader.push(bytes)?);
    }
    Ok(received)
}

fn names(received: &[Received]) -> Vec<&str> {
    let name = |one: &Received| -> String {
        match one {
            Received::Opened { .. } => "opened".to_owned(),
            Received::Closed => "closed".to_owned(),
            Received::Stanza(element) => element.name.clone(),
            Received::Oversized(element) => format!("oversized {}", element.name),
        }
    };
    received.iter().map(name).map(|name| &*name.leak()).collect()
}

#[test]
fn stanzas_arrive_whole_wherever_the_bytes_are_cut() {
    let text = "<iq type='get' id='1' xml:lang='en'><q xmlns='a' x='&lt;'>t<b/>&#117;</q></iq>\n \
        <message/></stream:stream>";
    for cut in 1..text.len() {
        let received = read(text, cut).unwrap();
        assert_eq!(names(&received), ["iq", "message", "closed"], "cut at {cut}");
        let Received::Stanza(iq) = &received[0] else { panic!("no stanza") };
        assert_eq!(iq.namespace, "jabber:component:accept");
        assert_eq!((iq.attribute("type"), iq.attribute("lang")), (Some("get"), None));
        let query = iq.child("q", "a").unwrap();
        assert_eq!((query.attribute("x"), query.text().as_str()), (Some("<"), "tu"));
        assert!(query.child("b", "a").is_some());
    }
}

#[test]
fn a_stanza_over_the_bound_is_skipped_and_the_stream_goes_on() {
    let long = "x".repeat(MAX);
    for stanza in [
        format!("<iq type='set' id='7' from='a@b' k='{long}'><q/></iq>"),
        format!("<iq type='set' id='7' from='a@b'><q>{long}</q><r/></iq>"),
        format!("<iq type='set' id='7' from='a@b'>{}</iq>", "<q/>".repeat(MAX)),
        format!("<iq type='set' id='7' from='a@b'>{}{}</iq>", "<q>".repeat(40), "</q>".repeat(40)),
        format!("<iq type='set' id='7' from='a@b'><q k='{}'/></iq>", "y".repeat(900_000)),
    ] {
        for cut in [7, 1000, usize::MAX] {
            let received = read(&format!("{stanza}<message/>"), cut).unwrap();
            assert_eq!(names(&received), ["oversized iq", "message"]);
            let Received::Oversized(head) = &received[0] else { panic!("not oversized") };
            assert_eq!((head.attribute("id"), head.attribute("from")), (Some("7"), Some("a@b")));
            assert_eq!((head.attribute("k"), head.children.len()), (None, 0));
        }
    }
}

#[test]
fn a_stanza_may_be_32_elements_deep_and_not_33() {
    let deep = |depth: usize| format!("{}{}", "<q>".repeat(depth), "</q>".repeat(depth));
    for (depth, name) in [(32, "q"), (33, "oversized q")] {
        assert_eq!(names(&read(&deep(depth), usize::MAX).unwrap()), [name], "{depth}");
    }
}

#[test]
fn a_hundred_thousand_levels_are_skipped_like_a_hundred() {
    // By a walk up to the outermost for each of them this would take minutes.
    let levels = 100_000;
    let deep =
        format!("<message id='7'>{}{}</message>", "<q>".repeat(levels), "</q>".repeat(levels));
    let received = read(&format!("{deep}<iq/>"), 8192).unwrap();
    assert_eq!(names(&received), ["oversized message", "iq"]);
}

#[test]
fn levels_without_an_end_are_an_error_and_not_a_heap() {
    let deep = |open: usize| read(&"<q>".repeat(open - 1), 8192);
    assert!(deep(MAX_OPEN).unwrap().is_empty());
    assert!(matches!(deep(MAX_OPEN + 1), Err(StreamError::TooDeep)));
}

#[test]
fn a_tag_over_the_bound_still_says_who_sent_it() {
    let long = "x".repeat(4 * MAX);
    for (tag, id, namespace) in [
        ("iq k='LONG' id='7' a:b='c' xmlns:a='d'", Some("7"), "jabber:component:accept"),
        ("iq k='LONG' id='7' xmlns='a'", Some("7"), "a"),
        ("a:iq k='LONG' id='7' xmlns:a='b' xmlns:c='d'", Some("7"), "b"),
        ("iq id='LONG'", None, "jabber:component:accept"),
    ] {
        let received = read(&format!("<{}/><message/>", tag.replace("LONG", &long)), 100);
        let received = received.unwrap();
        assert_eq!(names(&received), ["oversized iq", "message"], "{tag}");
        let Received::Oversized(head) = &received[0] else { panic!("not oversized") };
        assert_eq!((head.attribute("id"), head.namespace.as_str()), (id, namespace), "{tag}");
    }
    let twice = read(&format!("<iq k='{long}' id='1' id='1'/>"), 100);
    assert!(matches!(twice, Err(StreamError::Xml(_))), "{twice:?}");
}

#[test]
fn the_bound_is_of_one_stanza_and_not_of_many() {
    let stanza = format!("<message>{}</message>   ", "x".repeat(MAX - 100));
    let received = read(&stanza.repeat(50), 333).unwrap();
    assert_eq!(names(&received), ["message"; 50]);
    let received = read(&format!("{}<message/>", " ".repeat(10 * MAX)), 100).unwrap();
    assert_eq!(names(&received), ["message"]);
}

#[test]
fn broken_and_forbidden_xml_is_an_error() {
    for text in [
        "<iq></message>",
        "<iq",
        "<iq a='1' a='2'/>",
        "<iq a=1/>",
        "<x:iq/>",
        "<iq>&nbsp;</iq>",
        "<iq>&#0;</iq>",
        "<!-- comment -->",
        "<?php ?>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]>",
        "<iq>\u{1}</iq>",
        "]]>",
        "<<",
        "</stream:stream><iq/>",
    ] {
        let result = read(text, 5);
        if text == "<iq" {
            assert!(result.unwrap().is_empty(), "not an error yet");
        } else {
            assert!(matches!(result, Err(StreamError::Xml(_))), "{text}: {result:?}");
        }
    }
    let mut reader = StreamReader::new(MAX);
    reader.push(HEADER.as_bytes()).unwrap();
    assert!(matches!(reader.push(b"<iq>\xff</iq>"), Err(StreamError::Xml(_))));
}

#[test]
fn prefixes_mean_what_the_innermost_element_says() {
    let text =
        "<a:q xmlns:a='1' xmlns='2'><a:r xmlns:a='3' a:k='v' k='w'/><s xmlns=''/><a:t/></a:q><q/>";
    let received = read(text, 3).unwrap();
    let Received::Stanza(outer) = &received[0] else { panic!("no stanza") };
    assert_eq!(outer.namespace, "1");
    let inner: Vec<_> = outer.elements().map(|inner| inner.namespace.as_str()).collect();
    assert_eq!(inner, ["3", "", "1"]);
    assert_eq!(outer.elements().next().unwrap().attributes, [("k".to_owned(), "w".to_owned())]);
    let Received::Stanza(after) = &received[1] else { panic!("no stanza") };
    assert_eq!(after.namespace, "jabber:component:accept");
    for text in [
        "<q xmlns:a='1'/><a:q/>",
        "<q a:k='v'/>",
        "<q xmlns='1' xmlns='1'/>",
        "<q xmlns:a='1' xmlns:b='1' a:k='v' b:k='v'/>",
    ] {
        assert!(matches!(read(text, 7), Err(StreamError::Xml(_))), "{text}");
    }
}

#[test]
fn a_tag_that_does_not_end_is_an_error_and_not_a_heap() {
    let mut reader = StreamReader::new(MAX);
    reader.push(HEADER.as_bytes()).unwrap();
    let mut result = reader.push(b"<iq");
    let mut pushed = 0;
    while result.is_ok() {
        let attributes: String = (0..100).map(|n| format!(" a{}='1'", pushed + n)).collect();
        result = reader.push(attributes.as_bytes());
        pushed += 100;
        assert!(pushed < 1_000_000, "nothing bounds the tag");
    }
    assert!(matches!(result, Err(StreamError::Endless)));
}

#[test]
fn what_is_no_stream_is_told_apart() {
    for text in ["<html/>", "<stream/>", "<stream xmlns='jabber:component:accept'>"] {
        let result = StreamReader::new(MAX).push(text.as_bytes());
        assert!(matches!(result, Err(StreamError::NotAStream)), "{text}");
    }
    let answered = StreamReader::new(MAX).push(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>");
    assert!(matches!(answered, Err(StreamError::Xml(_))));
}

/// Namespace, name, and the attributes without a namespace.
type Beginning = (String, String, Vec<(String, String)>);

/// An element and those inside, as they begin.
fn in_order(element: &Element, found: &mut Vec<Beginning>) {
    found.push((element.namespace.clone(), element.name.clone(), element.attributes.clone()));
    for inner in element.elements() {
        in_order(inner, found);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        text in "(<|>|/|'|iq|stream:|xmlns=| |a=|&|;|#|!\\[CDATA\\[|\\]\\]>|\\PC){0,60}",
        cut in 1_usize..20,
    ) {
        let _ = read(&text, cut);
    }

    #[test]
    fn what_arrives_does_not_depend_on_how_the_bytes_are_cut(
        text in "(<iq>|<a k='1'>|<b/>|</a>|</iq>|&lt;|x{1,400}|é| |<!\\[CDATA\\[<\\]\\]>){0,40}",
        cut in 1_usize..200,
    ) {
        // After an error the rest is lost, by whole pushes: a beginning is the same.
        let beginning = |cut| {
            let mut reader = StreamReader::new(MAX);
            reader.push(HEADER.as_bytes()).unwrap();
            let pushes = text.as_bytes().chunks(cut).map(|bytes| reader.push(bytes));
            let good: Vec<_> = pushes.map_while(Result::ok).collect();
            good.concat()
        };
        let (bytewise, coarse) = (beginning(1), beginning(cut));
        prop_assert!(bytewise.starts_with(&coarse), "{bytewise:?} and {coarse:?}");
    }

    #[test]
    fn what_is_read_is_what_a_parser_with_namespaces_reads(
        text in "(<a>|<b>|<p:a xmlns:p='P'>|<p:b>|<b xmlns='D'>|<a p:k='1' k='2'>|<a k='1' k='2'>|\
            <a xmlns:q='P' p:k='1' q:k='2'>|<b xmlns=''/>|<a xml:k='1'/>|</a>|</b>|</p:a>|</p:b>|x){0,30}",
    ) {
        let mut oracle = Parser::new();
        let whole = format!("{HEADER}{text}");
        let mut rest = whole.as_bytes();
        let mut expected = Vec::new();
        let end = loop {
            match oracle.parse(&mut rest, false) {
                Ok(Some(Event::StartElement(_, (namespace, name), attributes))) => {
                    let plain = attributes.iter().filter(|((namespace, _), _)| namespace.is_empty());
                    let plain = plain.map(|((_, name), value)| (name.to_string(), value.clone()));
                    expected.push((namespace.to_string(), name.to_string(), plain.collect::<Vec<_>>()));
                }
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        // The header is known; of stanzas that do not end nothing comes out.
        let mut reader = StreamReader::new(10 * MAX);
        let (mut read, mut failed) = (Vec::new(), false);
        for byte in whole.bytes() {
            match reader.push(&[byte]) {
                Ok(received) => read.extend(received),
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        prop_assert_eq!(failed, matches!(end, Err(EndOrError::Error(_))));
        let mut found = Vec::new();
        for received in &read {
            if let Received::Stanza(stanza) = received {
                in_order(stanza, &mut found);
            }
        }
        prop_assert!(expected.get(1..).unwrap_or_default().starts_with(&found), "{found:?}, {expected:?}");
    }

    #[test]
    fn what_is_written_reads_back(key in "\\PC{0,20}", text in "[\\PC\r\n\t]{1,40}") {
        let sane = |letter: char| !matches!(letter, '\u{fffe}' | '\u{ffff}');
        prop_assume!(key.chars().chain(text.chars()).all(sane));
        let element = Element::new("iq", "jabber:component:accept")
            .with("k", key)
            .containing(Element::new("q", "a").saying(text));
        let received = read(&element.written_in("jabber:component:accept"), 7).unwrap();
        let Some(Received::Stanza(read)) = received.first() else { panic!("no stanza") };
        prop_assert_eq!(read.attribute("k"), element.attribute("k"));
        let inner = |element: &Element| element.child("q", "a").unwrap().text();
        prop_assert_eq!(inner(read), inner(&element));
    }
}
