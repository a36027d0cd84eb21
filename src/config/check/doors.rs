//! What can be wrong with slots that the gateway issues itself, and with who may ask for them.

use std::time::Duration;

use super::super::tenant::{ComponentTable, ServiceUrlTable, SlotScheme, TenantSettings};
use super::xep0363::{ROOT, lies_in, taken};
use super::{Doubts, Settings, is_public_url, path};
use crate::config::Span;

const KEYS: [(&str, &str); 1] = [("xep0363", "tenants")];

/// Longest time for which a slot may wait for its file.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn check(settings: &Settings, tenant: &TenantSettings, doubts: &mut Doubts) {
    let named = format!("the tenant {:?} in xep0363.tenants", tenant.base_path);
    let mut complain = |text: String| doubts.add(&KEYS, format!("{named}: {text}"));
    if tenant.scheme != SlotScheme::Own {
        for key in ours(tenant) {
            complain(format!(
                "{key} is for slots that the gateway issues itself; leave it out, or write scheme \
                 = \"own\""
            ));
        }
        return;
    }
    issuing(settings, tenant, &mut complain);
    if let Some(component) = &tenant.component {
        of_component(component, &mut complain);
        if is_doubled(settings, tenant, component) {
            complain(
                "component.domain is that of another tenant at the same server, which takes one \
                 connection for each; give each tenant a component of its own"
                    .to_owned(),
            );
        }
    }
    if let Some(door) = &tenant.service_url {
        accounts("service_url", &door.users, &door.jids, &mut complain);
        if door.allow.is_empty() {
            complain(
                "service_url.allow is empty, so that nobody could ask; name the address of ejabberd"
                    .to_owned(),
            );
        }
        place(settings, tenant, door, &mut complain);
    }
}

/// What only the scheme of our own has.
fn ours(tenant: &TenantSettings) -> impl Iterator<Item = &'static str> {
    [
        ("slot_lifetime", tenant.slot_lifetime.is_some()),
        ("public_url", tenant.public_url.is_some()),
        ("media_types", !tenant.media_types.is_empty()),
        ("purposes", tenant.purposes.is_some()),
        ("component", tenant.component.is_some()),
        ("service_url", tenant.service_url.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, there)| there.then_some(key))
}

fn issuing(settings: &Settings, tenant: &TenantSettings, complain: &mut impl FnMut(String)) {
    let url = tenant.public_url.as_ref();
    if let Some(url) = url.filter(|url| !is_public_url(url)) {
        complain(format!(
            "public_url = {url:?} is not an address that clients could use; write for instance \
             \"https://upload.example.org\""
        ));
    }
    if tenant.has_a_door() && url.is_none() && settings.server.public_url.is_none() {
        complain(
            "slots hold whole addresses, and nothing says under which one clients reach the \
             gateway; set server.public_url, or public_url here, for instance \
             \"https://upload.example.org\""
                .to_owned(),
        );
    }
    let (lifetime, rest) = (tenant.slot_lifetime(), settings.uploads.sessiontimeout);
    if lifetime.get() < Duration::from_secs(1) || lifetime.get() > LONGEST_LIFETIME {
        complain(format!("slot_lifetime = {lifetime} is out of range; write 1s to 24h"));
    } else if lifetime.get() > rest.get() {
        complain(format!(
            "slot_lifetime = {lifetime} is longer than uploads.sessiontimeout = {rest}, after which \
             an upload without activity is gone; write at most as much"
        ));
    }
    for pattern in tenant.media_types.iter().filter(|pattern| !is_pattern(pattern)) {
        complain(format!(
            "media_types: {pattern:?} is no media type; write for instance \"image/png\" or \
             \"image/*\", in lower case and without parameters"
        ));
    }
}

/// `type/subtype` or `type/*`, in lower case.
fn is_pattern(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&-^_.+".contains(&byte)
    };
    let token = |text: &str| !text.is_empty() && text.bytes().all(plain);
    let parts = text.split_once('/');
    parts.is_some_and(|(kind, sub)| token(kind) && (sub == "*" || token(sub)))
}

fn of_component(component: &ComponentTable, complain: &mut impl FnMut(String)) {
    if !is_server(&component.server) {
        complain(format!(
            "component.server = {:?} is no address to connect to; write host and port, for instance \
             \"127.0.0.1:5347\"",
            component.server
        ));
    }
    if !is_domain(&component.domain) {
        complain(format!(
            "component.domain = {:?} is no domain; write what the XMPP server calls the component, \
             for instance \"upload.example.org\"",
            component.domain
        ));
    }
    if let Err(error) = component.secret() {
        complain(format!("component: {error}"));
    }
    accounts("component", &component.users, &component.jids, complain);
    if component.users.is_empty() && component.jids.is_empty() {
        complain(
            "component: nobody may upload, and servers send strangers here, too; name your domains, \
             for instance users = [\"example.org\"], or single accounts in jids"
                .to_owned(),
        );
    }
    bounds(component, complain);
}

fn is_doubled(settings: &Settings, tenant: &TenantSettings, component: &ComponentTable) -> bool {
    let same = |other: &TenantSettings| {
        other.base_path != tenant.base_path
            && other.component.as_ref().is_some_and(|other| {
                other.server == component.server && other.domain == component.domain
            })
    };
    settings.xep0363.tenants.iter().any(same)
}

fn bounds(component: &ComponentTable, complain: &mut impl FnMut(String)) {
    let bytes = component.max_stanza.get();
    if !(1024..=1024 * 1024).contains(&bytes) {
        let size = component.max_stanza;
        complain(format!("component.max_stanza = {size} is out of range; write 1KiB to 1MiB"));
    }
    let pending = component.max_pending;
    if !(1..=10_000).contains(&pending) {
        complain(format!("component.max_pending = {pending} is out of range; write 1 to 10000"));
    }
    let (least, most) = (Duration::from_millis(10), Duration::from_secs(60 * 60));
    let spans: [(&str, Span); 7] = [
        ("connect_timeout", component.connect_timeout),
        ("write_timeout", component.write_timeout),
        ("slot_timeout", component.slot_timeout),
        ("ping_after", component.ping_after),
        ("ping_timeout", component.ping_timeout),
        ("reconnect_first", component.reconnect_first),
        ("reconnect_longest", component.reconnect_longest),
    ];
    for (key, span) in spans.into_iter().filter(|(_, span)| !(least..=most).contains(&span.get())) {
        complain(format!("component.{key} = {span} is out of range; write 10ms to 1h"));
    }
    if component.reconnect_first.get() > component.reconnect_longest.get() {
        complain(
            "component.reconnect_first is longer than component.reconnect_longest; write at most as \
             much"
                .to_owned(),
        );
    }
}

fn accounts(door: &str, users: &[String], jids: &[String], complain: &mut impl FnMut(String)) {
    for domain in users.iter().filter(|domain| !is_domain(domain)) {
        complain(format!(
            "{door}.users: {domain:?} is no domain; write for instance \"example.org\", and single \
             accounts in {door}.jids"
        ));
    }
    let is_account =
        |jid: &str| jid.split_once('@').is_some_and(|(name, at)| !name.is_empty() && is_domain(at));
    for jid in jids.iter().filter(|jid| !is_account(jid)) {
        complain(format!(
            "{door}.jids: {jid:?} is no account; write for instance \"alice@example.org\", without a \
             resource"
        ));
    }
}

fn is_domain(text: &str) -> bool {
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "@/".contains(letter);
    !text.is_empty() && !text.contains(odd)
}

fn is_server(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| {
        let port = port.parse::<u16>().is_ok_and(|port| port != 0);
        let bracketed = host.starts_with('[') && host.ends_with(']');
        is_domain(host) && port && (bracketed || !host.contains(':'))
    })
}

/// Nothing else is served where ejabberd asks. The path itself is not quoted: it is a secret.
fn place(
    settings: &Settings,
    tenant: &TenantSettings,
    door: &ServiceUrlTable,
    complain: &mut impl FnMut(String),
) {
    let at = door.path.expose();
    if !path("xep0363", "tenants", at, "", &mut Doubts::default()) {
        complain(
            "service_url.path is not a path; write it with a slash in front and none at the end, of \
             letters, digits and -._~, for instance \"/slots/kAq3sX\""
                .to_owned(),
        );
        return;
    }
    let tenants = &settings.xep0363.tenants;
    let bases = tenants.iter().map(|tenant| tenant.base_path.as_str());
    let bases = bases.filter(|base| *base != ROOT).map(|base| ("base_path of a tenant", base));
    let forms = settings.uploads.form_path.as_deref().map(|form| ("uploads.form_path", form));
    let mut all = taken(settings).into_iter().chain(bases).chain(forms);
    if let Some((setting, other)) = all.find(|(_, other)| lies_in(at, other)) {
        complain(format!(
            "service_url.path lies where {setting} serves {other:?}; give it a path of its own, for \
             instance \"/slots/kAq3sX\""
        ));
    }
    let mut others = tenants.iter().filter(|other| other.base_path != tenant.base_path);
    if others.any(|other| other.service_url.as_ref().is_some_and(|other| other.path == door.path)) {
        complain("service_url.path is that of another tenant; give each its own".to_owned());
    }
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
