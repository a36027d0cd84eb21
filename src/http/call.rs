//! One request: its head, where it came in, and who asks.

use std::net::IpAddr;

use actix_http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_http::{RequestHead as ActixHead, Version};

use crate::protocol::field::decimal;
use crate::protocol::form::{self, Boundary};
use crate::protocol::head::{BodyLength, RequestHead, ResponseHead};
use crate::protocol::location::Place;
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::protocol::tus::append::{self, Append};
use crate::protocol::tus::create::{self, Create};
use crate::upload::Owner;

use super::auth;
use super::failure::Failure;
use super::gateway::Gateway;

/// A request, as the handlers see it.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) head: RequestHead<'a>,
    /// The method as which it is handled (T-11).
    pub(super) method: Method,
    /// Where the endpoint is for this client.
    pub(super) place: Place,
    /// The client's address, as far as it is known.
    client: Option<IpAddr>,
}

impl<'a> Call<'a> {
    pub(super) fn new(gateway: &'a Gateway, request: &'a ActixHead) -> Self {
        let head = head(request);
        let method = Method::effective(&head);
        let peer: Option<IpAddr> = request.peer_addr.map(|address| address.ip());
        let (place, client) = gateway.arrival(&head, peer);
        Self { gateway, head, method, place, client }
    }

    /// Who asks; the same for every verb but `OPTIONS`.
    ///
    /// A refusal is noted with the client's address, for whoever bans guessers; never the token.
    pub(super) fn owner(&self) -> Result<Owner, Problem> {
        auth::owner(&self.gateway.settings.auth, &self.head).inspect_err(|_| {
            let client = self.client.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
            tracing::info!(%client, "a request without a known token");
        })
    }

    /// Reads a creation and refuses what cannot be taken; touches no store.
    ///
    /// Also asked before a client that waits for `100 Continue` is told to go on (T-94).
    pub(super) fn creation(&self) -> Result<Create, Failure> {
        let owner = self.owner()?;
        let create = create::read(&self.head, &self.gateway.profile, &self.place, owner)?;
        self.has_room_for(create::needed_bytes(&create))?;
        Ok(create)
    }

    /// Reads an append and refuses what cannot be taken; touches no store.
    pub(super) fn addition(&self) -> Result<(Owner, Append), Failure> {
        let owner = self.owner()?;
        let append = append::read(&self.head, &self.gateway.profile)?;
        self.has_room_for(append.request.body_bytes.unwrap_or(0))?;
        Ok((owner, append))
    }

    /// Reads the head of a form and refuses what cannot be taken; touches no store.
    pub(super) fn form(&self) -> Result<(Owner, Boundary), Failure> {
        let owner = self.owner()?;
        let boundary = form::read(&self.head, &self.gateway.profile)?;
        self.has_room_for(self.head.body.bytes().unwrap_or(0))?;
        Ok((owner, boundary))
    }

    /// Refuses before the body what the device cannot hold.
    fn has_room_for(&self, bytes: u64) -> Result<(), Failure> {
        if bytes > 0 && self.gateway.engine.room()?.usable_bytes < bytes {
            return Err(Problem::NoRoom { offset: None }.into());
        }
        Ok(())
    }

    /// An answer with what browsers have to be told.
    pub(super) fn with_cors(&self, answer: ResponseHead) -> ResponseHead {
        self.gateway.cors.applied_to(answer, &self.head)
    }
}

/// The head of an actix request, as plain data.
pub(super) fn head(request: &ActixHead) -> RequestHead<'_> {
    let fields = request.headers.iter();
    RequestHead {
        method: request.method.as_str(),
        path: request.uri.path(),
        fields: fields.map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        body: body_length(request),
    }
}

/// The size of the body by the framing; actix has already refused contradictory framing.
fn body_length(request: &ActixHead) -> BodyLength {
    if request.headers.contains_key(TRANSFER_ENCODING) {
        return BodyLength::Unknown;
    }
    let length = request.headers.get(CONTENT_LENGTH);
    match length.and_then(|value| decimal(value.as_bytes())) {
        Some(0) => BodyLength::Empty,
        Some(bytes) => BodyLength::Known(bytes),
        // Frames end an HTTP/2 body, announced or not.
        None if request.version == Version::HTTP_2 => BodyLength::Unknown,
        None => BodyLength::Empty,
    }
}
