//! XML elements as plain data, and how they are written.

use std::fmt::Write as _;

/// An element with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Namespace; empty for none.
    pub namespace: String,
    /// Attributes without a namespace, in no particular order; others are dropped.
    pub attributes: Vec<(String, String)>,
    /// What is inside, in its order.
    pub children: Vec<Node>,
}

/// What is inside of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
}

impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(name: &str, namespace: &str) -> Self {
        let (name, namespace) = (name.to_owned(), namespace.to_owned());
        Self { name, namespace, attributes: Vec::new(), children: Vec::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), value.into()));
        self
    }

    /// Adds an element inside.
    #[must_use]
    pub fn containing(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// Adds text inside.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    /// Adds what follows inside; text that follows text becomes one with it, however it arrived.
    pub fn append(&mut self, node: Node) {
        match (self.children.last_mut(), node) {
            (Some(Node::Text(before)), Node::Text(text)) => before.push_str(&text),
            (_, node) => self.children.push(node),
        }
    }

    /// Whether it has this name in this namespace.
    #[must_use]
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// The elements directly inside.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element directly inside with this name and namespace.
    #[must_use]
    pub fn child(&self, name: &str, namespace: &str) -> Option<&Self> {
        self.elements().find(|element| element.is(name, namespace))
    }

    /// The text directly inside.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The written form, inside of something whose default namespace is `around`.
    #[must_use]
    pub fn written_in(&self, around: &str) -> String {
        let mut out = String::new();
        self.write(around, &mut out);
        out
    }

    fn write(&self, around: &str, out: &mut String) {
        let name = &self.name;
        // Writing to a text cannot fail.
        let _ = write!(out, "<{name}");
        if self.namespace != around {
            let _ = write!(out, " xmlns='{}'", escaped(&self.namespace));
        }
        for (key, value) in &self.attributes {
            let _ = write!(out, " {key}='{}'", escaped(value));
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(&self.namespace, out),
                Node::Text(text) => out.push_str(&escaped(text)),
            }
        }
        let _ = write!(out, "</{name}>");
    }
}

/// Text as it is written between tags and in attributes.
///
/// What XML cannot hold at all, even escaped, becomes U+FFFD; line ends are escaped, since a
/// parser would change them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_by_name_and_namespace() {
        let inner = Element::new("x", "b").with("k", "v").saying("1").saying("2");
        let outer = Element::new("q", "a").containing(Element::new("x", "a")).containing(inner);
        assert_eq!(outer.child("x", "b").unwrap().text(), "12");
        assert_eq!(outer.child("x", "b").unwrap().attribute("k"), Some("v"));
        assert_eq!(outer.child("x", "c"), None);
        assert_eq!(outer.elements().count(), 2);
    }

    #[test]
    fn a_namespace_is_written_where_it_changes() {
        let inner = Element::new("x", "b").containing(Element::new("y", "b"));
        let outer = Element::new("q", "a").containing(inner).containing(Element::new("z", "a"));
        assert_eq!(outer.written_in("a"), "<q><x xmlns='b'><y/></x><z/></q>");
        assert_eq!(Element::new("q", "a").written_in("b"), "<q xmlns='a'/>");
    }

    #[test]
    fn nothing_in_a_value_can_break_out_of_it() {
        let element =
            Element::new("q", "").with("k", "a'b\"c<d>&\r\n\t").saying("]]></q>\0\u{ffff}");
        assert_eq!(
            element.written_in(""),
            "<q k='a&apos;b&quot;c&lt;d&gt;&amp;&#13;&#10;&#9;'>]]&gt;&lt;/q&gt;\u{fffd}\u{fffd}</q>"
        );
    }
}
