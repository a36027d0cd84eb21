//! Where ejabberd asks for slots.
//!
//! No credential comes along: the peer's address and the path are all there is to go by. Neither
//! is the path logged.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ipnet::IpNet;

use crate::protocol::head::ResponseHead;
use crate::protocol::xep0363::service_url;
use crate::protocol::xep0363::slot::{Carrier, Slot, SlotOrder, SlotRefusal};
use crate::slots::{Access, BareJid, SlotDesk, Slots as _};

use super::call::Call;
use super::gateway::Gateway;
use super::reply::{Tail, response};
use super::tus;

/// An address at which ejabberd asks.
#[derive(Clone)]
pub struct ServiceUrl {
    /// The path, and nothing below it.
    pub path: String,
    /// From where it may ask.
    pub allow: Vec<IpNet>,
    /// Who may upload; `None` leaves that to ejabberd.
    pub access: Option<Access>,
    /// Makes the slots.
    pub desk: Arc<SlotDesk>,
}

impl std::fmt::Debug for ServiceUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServiceUrl").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl ServiceUrl {
    /// Whether whoever is there may ask; who has no address may not.
    fn admits(&self, client: Option<IpAddr>) -> bool {
        let within = |address: IpAddr| self.allow.iter().any(|network| network.contains(&address));
        client.is_some_and(|address| within(address.to_canonical()))
    }

    async fn slot(&self, query: &str) -> Result<Slot, SlotRefusal> {
        match self.order(query) {
            Ok(order) => self.desk.grant(order, Carrier::Path).await,
            Err(refusal) => {
                self.desk.note_refused(&refusal);
                Err(refusal)
            }
        }
    }

    /// Reads what is asked, if whoever wants to upload may.
    fn order(&self, query: &str) -> Result<SlotOrder, SlotRefusal> {
        let order = service_url::order(query)?;
        let uploader = BareJid::of(&order.uploader);
        let uploader = uploader.ok_or(SlotRefusal::BadRequest("jid is no address"))?;
        if self.access.as_ref().is_some_and(|access| !access.allows(&uploader)) {
            return Err(SlotRefusal::NotAllowed);
        }
        Ok(SlotOrder { uploader: uploader.as_str().to_owned(), ..order })
    }
}

/// `GET` answers with a slot.
pub(super) async fn ask(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let call = Call::new(&gateway, request.head());
    let mut doors = gateway.service_urls.iter();
    let Some(door) = doors.find(|door| door.path == call.head.path) else {
        return tus::elsewhere(&call);
    };
    let head = if !door.admits(call.client()) {
        call.note_turned_away("slot", &"this address may not ask for slots");
        ResponseHead::new(403).with("Cache-Control", "no-store")
    } else if call.head.method == "GET" {
        let made = door.slot(call.query()).await;
        made.as_ref().map_or_else(service_url::refused, service_url::granted)
    } else {
        ResponseHead::new(405).with("Allow", "GET")
    };
    HttpResponse::from(response(head, Tail::Own, false))
}
