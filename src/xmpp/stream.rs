//! Bytes of a stream become stanzas. Pure: whoever has the socket pushes what it read.

use rxml::error::EndOrError;
use rxml::{Options, Parse, RawEvent, RawParser, RawQName, WithOptions};

use super::element::{Element, Node};
use super::tag::{Namespaces, Tag};

/// Namespace of the stream itself.
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// Deepest element of a stanza that is kept.
const MAX_DEPTH: usize = 32;
/// Most elements that may be open at once, kept or not: each costs some memory until it ends. More
/// than fit into the largest stanza that servers let through.
const MAX_OPEN: usize = 200_000;
/// Longest single name, value or stretch of text that is parsed at all. Larger than what servers
/// let through, so that a stranger's long attribute is skipped and does not end the stream.
const MAX_TOKEN_BYTES: usize = 1024 * 1024;
/// Most bytes without a whole tag or text: a tag of a million attributes would be collected.
const MAX_UNFINISHED_BYTES: usize = 2 * MAX_TOKEN_BYTES;
/// Longest address or id that is worth answering.
const MAX_ADDRESS_BYTES: usize = 3071;
/// What an answer needs of a stanza.
const NEEDED: &[&str] = &["id", "from", "to", "type"];

/// Something that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The stream's header.
    Opened {
        /// The stream's id; empty if it has none.
        id: String,
    },
    /// A whole stanza, or another element directly inside of the stream.
    Stanza(Element),
    /// A stanza over a bound: its name and addresses, if these are of a sane length.
    Oversized(Element),
    /// The end of the stream.
    Closed,
}

/// Why a stream cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// What arrived is no XML, or XML that XMPP does not allow.
    #[error("what arrived is not the XML of XMPP")]
    Xml(#[source] rxml::Error),
    /// A tag does not end.
    #[error("a tag does not end within {MAX_UNFINISHED_BYTES} bytes")]
    Endless,
    /// Elements within elements without an end.
    #[error("more than {MAX_OPEN} elements are open at once")]
    TooDeep,
    /// The first element is not the header of a stream.
    #[error("what answers is no XMPP server")]
    NotAStream,
}

/// Reads one stream, in a memory that is bounded whatever arrives.
pub struct StreamReader {
    parser: RawParser,
    max_stanza_bytes: usize,
    /// How many elements are open, the stream itself included.
    depth: usize,
    /// What the elements declare that are open and kept, the stream itself among them.
    namespaces: Namespaces,
    /// The tag that has begun and not ended; none within what is skipped.
    tag: Option<Tag>,
    /// Open elements of the stanza, the stanza first; none while one is skipped.
    open: Vec<Element>,
    /// What is said of the stanza that is skipped.
    skipped: Option<Element>,
    /// Bytes of the stanza so far.
    stanza_bytes: usize,
    /// Bytes since the last whole tag or text.
    unfinished_bytes: usize,
}

impl StreamReader {
    /// A reader that keeps at most `max_stanza_bytes` of a stanza.
    #[must_use]
    pub fn new(max_stanza_bytes: usize) -> Self {
        let options = Options { max_token_length: MAX_TOKEN_BYTES, ..Options::default() };
        Self {
            parser: RawParser::with_options(options),
            max_stanza_bytes,
            depth: 0,
            namespaces: Namespaces::default(),
            tag: None,
            open: Vec::new(),
            skipped: None,
            stanza_bytes: 0,
            unfinished_bytes: 0,
        }
    }

    /// Takes what arrived, and says what became whole by it, in order.
    ///
    /// # Errors
    ///
    /// [`StreamError`]; the reader is of no use after that.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Received>, StreamError> {
        let mut received = Vec::new();
        loop {
            let before = bytes.len();
            let parsed = self.parser.parse(&mut bytes, false);
            self.unfinished_bytes += before.saturating_sub(bytes.len());
            match parsed {
                Ok(Some(event)) => received.extend(self.take(event)?),
                Ok(None) => return Ok(received),
                Err(EndOrError::NeedMoreData) if self.unfinished_bytes > MAX_UNFINISHED_BYTES => {
                    return Err(StreamError::Endless);
                }
                Err(EndOrError::NeedMoreData) => return Ok(received),
                Err(EndOrError::Error(error)) => return Err(StreamError::Xml(error)),
            }
        }
    }

    fn take(&mut self, event: RawEvent) -> Result<Option<Received>, StreamError> {
        self.stanza_bytes += event.metrics().len();
        if !matches!(event, RawEvent::ElementHeadOpen(..) | RawEvent::Attribute(..)) {
            self.unfinished_bytes = 0;
        }
        match event {
            RawEvent::XmlDeclaration(..) => Ok(None),
            RawEvent::ElementHeadOpen(_, name) => self.begin(name).map(|()| None),
            RawEvent::Attribute(_, name, value) => {
                if let Some(tag) = &mut self.tag {
                    tag.push(name, value).map_err(StreamError::Xml)?;
                }
                self.skip_if_too_large();
                Ok(None)
            }
            RawEvent::ElementHeadClose(_) => self.start(),
            RawEvent::Text(_, text) => {
                self.add(Node::Text(text));
                Ok(None)
            }
            RawEvent::ElementFoot(_) => Ok(self.end()),
        }
    }

    /// A tag begins.
    fn begin(&mut self, name: RawQName) -> Result<(), StreamError> {
        self.depth += 1;
        if self.depth > MAX_OPEN {
            return Err(StreamError::TooDeep);
        }
        if self.skipped.is_none() {
            self.tag = Some(Tag::new(name));
            self.skip_if_too_large();
        }
        Ok(())
    }

    /// A tag is whole.
    fn start(&mut self) -> Result<Option<Received>, StreamError> {
        let Some(tag) = self.tag.take() else { return Ok(None) };
        let cut_down = tag.is_cut_down();
        let element = tag.finish(&mut self.namespaces).map_err(StreamError::Xml)?;
        if self.depth == 1 {
            self.stanza_bytes = 0;
            let id = element.attribute("id").unwrap_or_default().to_owned();
            let stream = element.is("stream", STREAMS) && id.len() <= MAX_ADDRESS_BYTES;
            return if stream {
                Ok(Some(Received::Opened { id }))
            } else {
                Err(StreamError::NotAStream)
            };
        }
        self.open.push(element);
        if cut_down {
            self.skip();
        } else {
            self.skip_if_too_large();
        }
        Ok(None)
    }

    fn end(&mut self) -> Option<Received> {
        self.depth = self.depth.saturating_sub(1);
        self.namespaces.close_down_to(self.depth);
        if self.depth == 0 {
            return Some(Received::Closed);
        }
        if self.depth == 1 {
            self.stanza_bytes = 0;
            if let Some(head) = self.skipped.take() {
                return Some(Received::Oversized(head));
            }
            return self.open.pop().map(Received::Stanza);
        }
        if let Some(element) = self.open.pop() {
            self.add(Node::Element(element));
        }
        None
    }

    /// Adds to the innermost open element. Text between stanzas belongs to none and is dropped.
    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(parent) => parent.append(node),
            None if self.depth <= 1 => self.stanza_bytes = 0,
            None => {}
        }
        self.skip_if_too_large();
    }

    /// Lets go of a stanza that passes a bound; its end is still waited for.
    fn skip_if_too_large(&mut self) {
        let deepest = self.open.len() + usize::from(self.tag.is_some());
        if self.stanza_bytes <= self.max_stanza_bytes && deepest <= MAX_DEPTH {
            return;
        }
        match &mut self.tag {
            // Its own tag may still say who sent it.
            Some(tag) if self.depth == 2 => tag.keep_only(NEEDED),
            Some(_) | None => self.skip(),
        }
    }

    /// Does nothing outside of stanzas: the header of the stream is no part of one.
    fn skip(&mut self) {
        if let Some(stanza) = self.open.drain(..).next() {
            self.skipped = Some(head_of(stanza));
            self.tag = None;
        }
    }
}

/// The stanza without its content, and with nothing but what an answer needs.
fn head_of(mut stanza: Element) -> Element {
    stanza.children.clear();
    stanza.attributes.retain(|(name, value)| {
        NEEDED.contains(&name.as_str()) && value.len() <= MAX_ADDRESS_BYTES
    });
    stanza
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
