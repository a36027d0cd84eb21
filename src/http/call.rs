//! One request: its head, where it came in, and who asks.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::Instant;

use actix_http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_http::{RequestHead as ActixHead, Version};

use crate::auth::{Grant, Question, Verb};
use crate::protocol::chunked::begin::{self, Begin};
use crate::protocol::chunked::chunk::{self, Chunk};
use crate::protocol::chunked::{Terms, fields};
use crate::protocol::field::decimal;
use crate::protocol::form::{self, Boundary};
use crate::protocol::head::{BodyLength, RequestHead, ResponseHead};
use crate::protocol::location::Place;
use crate::protocol::method::Method;
use crate::protocol::problem::Problem;
use crate::protocol::tus::append::{self, Append};
use crate::protocol::tus::create::{self, Create};
use crate::upload::{Owner, UploadId, UploadLength};

use super::client::Client;
use super::connection::Connection;
use super::failure::{Failure, denied};
use super::gateway::Gateway;
use super::switches::{Path, Switched};

/// A request, as the handlers see it.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) head: RequestHead<'a>,
    /// The method as which it is handled (T-11).
    pub(super) method: Method,
    /// Where the endpoint is for this client.
    pub(super) place: Place,
    /// The upload that it is about, if its path names one.
    pub(super) upload: Option<UploadId>,
    /// The query of its target, still percent-encoded. May hold a credential: never logged.
    query: Option<&'a str>,
    /// The client's address, as far as it is known.
    client: Option<IpAddr>,
    /// The way by which it came.
    way: Path,
    connection: Option<Connection>,
}

impl<'a> Call<'a> {
    pub(super) fn new(gateway: &'a Gateway, request: &'a ActixHead) -> Self {
        let head = head(request);
        let method = Method::effective(&head);
        let peer: Option<IpAddr> = request.peer_addr.map(|address| address.ip());
        let (mut place, client) = gateway.arrival(&head, peer);
        let (upload, query) = (upload_in(head.path), request.uri.query());
        place.link = gateway.authority.link_in(query).map(ToOwned::to_owned);
        let way = gateway.switches.path(client, None);
        Self { gateway, head, method, place, upload, query, client, way, connection: None }
    }

    /// The same, by this connection.
    pub(super) fn by(self, connection: Option<&Connection>) -> Self {
        let way = self.gateway.switches.path(self.client, connection);
        Self { way, connection: connection.cloned(), ..self }
    }

    /// Takes note that whoever may write `id` has asked for it.
    pub(super) fn has_looked_at(&self, id: UploadId) {
        self.gateway.switches.looked(id, self.way);
    }

    /// Takes note that bytes of this request were accepted.
    pub(super) fn was_accepted(&self, id: UploadId) {
        let switched = self.gateway.switches.accepted(id, self.way, Instant::now());
        if let Some(Switched { how, took }) = switched {
            self.gateway.engine.client_switched(id, how, took);
        }
    }

    /// In whose name the request acts and within which bounds, if it may do `verb`.
    ///
    /// Touches no store, so that nothing about it tells whether an upload exists. A refusal
    /// is noted with the client's address, for whoever bans guessers; never the credential.
    pub(super) async fn grant(&self, verb: Verb) -> Result<Grant, Problem> {
        let question = Question {
            verb,
            head: &self.head,
            query: self.query,
            upload: self.upload,
            client: self.client,
            now: self.gateway.now(),
        };
        self.gateway.authority.grant(&question).await.map_err(|why| {
            self.note_turned_away(verb.name(), &why);
            denied(&why)
        })
    }

    /// Notes a refusal with the client's address; `why` must not hold the credential.
    pub(super) fn note_turned_away(&self, verb: &str, why: &dyn std::fmt::Display) {
        let client = self.client.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        tracing::info!(%client, verb, "turned away: {why}");
    }

    /// The connection by which it came, if it is known.
    pub(super) const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The client's address, as far as it is known.
    pub(super) const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The query of the target, empty if there is none. May hold a credential: never logged.
    pub(super) fn query(&self) -> &'a str {
        self.query.unwrap_or_default()
    }

    /// Whether the request says at all who it is.
    pub(super) fn has_credential(&self) -> bool {
        self.head.has("Authorization") || self.place.link.is_some()
    }

    /// Reads a creation and refuses what cannot be taken; touches no store.
    ///
    /// Also asked before a client that waits for `100 Continue` is told to go on (T-94).
    pub(super) async fn creation(&self) -> Result<Create, Failure> {
        let grant = self.grant(Verb::Create).await?;
        let create = create::read(&self.head, &self.gateway.profile, &self.place, grant.owner)?;
        within(grant.max_length, create::needed_bytes(&create))?;
        self.has_room_for(create::needed_bytes(&create))?;
        Ok(self.gateway.counted_in(create.bounded(grant.max_length)))
    }

    /// Reads an append and refuses what cannot be taken; touches no store unless there is no room.
    pub(super) async fn addition(&self) -> Result<(Owner, Append), Failure> {
        let owner = self.grant(Verb::Append).await?.owner;
        let append = append::read(&self.head, &self.gateway.profile)?;
        let bytes = append.request.body_bytes.unwrap_or(0);
        if let Err(no_room) = self.has_room_for(bytes) {
            self.could_take(bytes, &owner).await?;
            return Err(no_room);
        }
        Ok((owner, append))
    }

    /// Refuses a body that the upload could not take with any room: that is not for want of room.
    async fn could_take(&self, bytes: u64, owner: &Owner) -> Result<(), Failure> {
        let Some(upload) = self.upload else { return Ok(()) };
        match self.gateway.engine.peek(upload, owner).await?.length() {
            Some(length) if bytes > length.get() => Err(Problem::PastTheEnd { length }.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Reads a chunk's head; touches no store (C-42). Whether there is room for it is asked once it is
    /// known to be one of the upload's.
    pub(super) async fn chunk(&self, terms: &Terms) -> Result<(Owner, Chunk), Failure> {
        let owner = self.grant(Verb::Append).await?.owner;
        Ok((owner, chunk::read(&self.head, terms)?))
    }

    /// Reads the beginning of a session and refuses what cannot be taken; touches no store.
    pub(super) async fn beginning(&self, terms: &Terms) -> Result<(Grant, Begin), Failure> {
        let grant = self.grant(Verb::Create).await?;
        let begin = begin::read(&self.head, &self.suited(terms, &grant.owner))?;
        within(grant.max_length, begin.geometry.length().get())?;
        self.has_room_for(begin.geometry.length().get())?;
        Ok((grant, begin))
    }

    /// Who sends it, acting for `owner`, if that is remembered.
    pub(super) fn client_of(&self, owner: &Owner) -> Option<Client> {
        self.gateway.clients.as_ref()?.who(&self.head, owner, self.client)
    }

    /// `terms` with the chunk size that suits this client, if that is known and to be told (C-21).
    pub(super) fn suited(&self, terms: &Terms, owner: &Owner) -> Terms {
        if !self.gateway.settings.tells_chunk_size {
            return terms.clone();
        }
        let known = self.client_of(owner).and_then(|client| client.profile());
        let bytes = known.and_then(|profile| profile.chunk_bytes()).and_then(NonZeroU64::new);
        Terms { chunk_bytes: bytes.unwrap_or(terms.chunk_bytes), ..terms.clone() }
    }

    /// Reads the head of a form and refuses what cannot be taken; touches no store.
    pub(super) async fn form(&self) -> Result<(Grant, Boundary), Failure> {
        let grant = self.grant(Verb::Create).await?;
        let boundary = form::read(&self.head, &self.gateway.profile)?;
        self.has_room_for(self.head.body.bytes().unwrap_or(0))?;
        Ok((grant, boundary))
    }

    /// Refuses before the body what the device cannot hold.
    pub(super) fn has_room_for(&self, bytes: u64) -> Result<(), Failure> {
        if bytes > 0 && self.gateway.engine.room()?.usable_bytes < bytes {
            return Err(Problem::NoRoom { offset: None }.into());
        }
        Ok(())
    }

    /// Whether this is a chunk at the upload's own URL.
    pub(super) fn brings_a_chunk(&self) -> bool {
        let on = self.gateway.chunks.is_some();
        let stores = matches!(self.method, Method::Put | Method::Post);
        on && stores && self.head.has(fields::X_CHUNK_NUMBER)
    }

    /// An answer with what browsers have to be told.
    pub(super) fn with_cors(&self, answer: ResponseHead) -> ResponseHead {
        self.gateway.cors.applied_to(answer, &self.head)
    }
}

/// Refuses an upload that would become longer than its grant allows.
pub(super) fn within(bound: Option<UploadLength>, bytes: u64) -> Result<(), Problem> {
    match bound {
        Some(max) if bytes > max.get() => Err(Problem::TooLarge { max }),
        Some(_) | None => Ok(()),
    }
}

/// The upload that a path is about, whatever comes before.
fn upload_in(path: &str) -> Option<UploadId> {
    path.rsplit('/').next()?.parse().ok()
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
