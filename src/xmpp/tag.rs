//! The beginning of an element: its name and attributes as they arrive, and the namespaces that hold inside.
//!
//! `rxml` resolves namespaces itself, but for every element it walks up all that are open, to any depth: what a stranger
//! nests a hundred thousand times would take seconds of a processor. Here only what is kept is resolved, and that is a few
//! levels deep.

use std::collections::{BTreeMap, BTreeSet};

use rxml::{Error, NcName, RawQName};

use super::element::Element;

/// What the prefix `xml` always means (Namespaces in XML 1.0, 3).
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The prefix, or the name, of an attribute that declares a namespace.
const DECLARATION: &str = "xmlns";

/// A tag that has begun and not ended.
pub(super) struct Tag {
    name: RawQName,
    attributes: Vec<(RawQName, String)>,
    /// Once it is too large: nothing but these, and what declares its own namespace.
    only: Option<&'static [&'static str]>,
}

impl Tag {
    pub(super) const fn new(name: RawQName) -> Self {
        Self { name, attributes: Vec::new(), only: None }
    }

    /// Lets go of every attribute that is not named here, also of those that are still to come.
    pub(super) fn keep_only(&mut self, names: &'static [&'static str]) {
        if self.only.is_some() {
            return;
        }
        self.only = Some(names);
        let mut attributes = std::mem::take(&mut self.attributes);
        attributes.retain(|(name, _)| self.wants(name));
        self.attributes = attributes;
    }

    /// Whether it was too large to be kept whole.
    pub(super) const fn is_cut_down(&self) -> bool {
        self.only.is_some()
    }

    /// Adds an attribute, if it is wanted.
    ///
    /// # Errors
    ///
    /// One that is wanted is there twice. Of a whole tag only [`finish`](Self::finish) says so.
    pub(super) fn push(&mut self, name: RawQName, value: String) -> Result<(), Error> {
        if !self.wants(&name) {
            return Ok(());
        }
        if self.is_cut_down() && self.attributes.iter().any(|(there, _)| *there == name) {
            return Err(Error::DuplicateAttribute);
        }
        self.attributes.push((name, value));
        Ok(())
    }

    fn wants(&self, (prefix, name): &RawQName) -> bool {
        let Some(only) = self.only else { return true };
        let own = text_of(self.name.0.as_ref());
        match text_of(prefix.as_ref()) {
            None => {
                only.contains(&name.as_str()) || (name.as_str() == DECLARATION && own.is_none())
            }
            Some(DECLARATION) => own == Some(name.as_str()),
            Some(_) => false,
        }
    }

    /// The element, without anything inside; what it declares holds from now on.
    ///
    /// # Errors
    ///
    /// A prefix that is not declared, an attribute that is there twice.
    pub(super) fn finish(self, namespaces: &mut Namespaces) -> Result<Element, Error> {
        let (declarations, attributes): (Vec<_>, Vec<_>) =
            self.attributes.into_iter().partition(|(name, _)| declares(name));
        namespaces.declare(declarations)?;
        let (prefix, name) = &self.name;
        let mut element = Element::new(name, namespaces.of(text_of(prefix.as_ref()))?);
        let mut seen = BTreeSet::new();
        for ((prefix, name), value) in attributes {
            // Without a prefix there is no namespace, whatever the default is.
            let namespace = match text_of(prefix.as_ref()) {
                Some(prefix) => namespaces.of(Some(prefix))?,
                None => "",
            };
            if !seen.insert((namespace, name.to_string())) {
                return Err(Error::DuplicateAttribute);
            }
            if namespace.is_empty() {
                element.attributes.push((name.to_string(), value));
            }
        }
        Ok(element)
    }
}

fn declares((prefix, name): &RawQName) -> bool {
    text_of(prefix.as_ref()).unwrap_or(name.as_str()) == DECLARATION
}

fn text_of(prefix: Option<&NcName>) -> Option<&str> {
    prefix.map(|prefix| prefix.as_str())
}

/// The namespaces that are declared by the elements which are open and kept.
#[derive(Default)]
pub(super) struct Namespaces {
    /// By element, the outermost first: prefixes, of which the empty one is the default, and what they mean.
    declared: Vec<BTreeMap<String, String>>,
}

impl Namespaces {
    /// What an element within all others declares.
    fn declare(&mut self, declarations: Vec<(RawQName, String)>) -> Result<(), Error> {
        let mut declared = BTreeMap::new();
        for ((prefix, name), namespace) in declarations {
            let prefix = prefix.map_or_else(String::new, |_| name.to_string());
            if declared.insert(prefix, namespace).is_some() {
                return Err(Error::DuplicateAttribute);
            }
        }
        self.declared.push(declared);
        Ok(())
    }

    /// Forgets what elements declared that are not open any more.
    pub(super) fn close_down_to(&mut self, depth: usize) {
        self.declared.truncate(depth);
    }

    fn of(&self, prefix: Option<&str>) -> Result<&str, Error> {
        let prefix = prefix.unwrap_or_default();
        let mut innermost_first = self.declared.iter().rev();
        match innermost_first.find_map(|declared| declared.get(prefix)) {
            Some(namespace) => Ok(namespace),
            None if prefix.is_empty() => Ok(""),
            None if prefix == "xml" => Ok(XML),
            None => Err(Error::UndeclaredNamespacePrefix(None)),
        }
    }
}
