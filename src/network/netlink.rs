//! Questions to the kernel: one netlink socket each, and its answer in messages.
//!
//! The messages are taken apart by `netlink-packet-*`. A socket for each question, so that no answer is
//! ever mistaken for that to another one.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkSerializable,
};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

/// The kernel answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the kernel hands over at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// Messages that are about the answer itself (`NLMSG_ERROR`, `NLMSG_DONE`).
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// A netlink socket of a protocol (`None` is routing), which hears of what happens to `groups`.
pub(super) fn socket(protocol: Option<Protocol>, groups: u32) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// Asks for everything of a kind. Blocks for as long as the kernel takes, at most some seconds.
///
/// `each` is handed the type and the payload of every message.
///
/// # Errors
///
/// The kernel's; [`io::ErrorKind::Interrupted`] if what it tells changed meanwhile, so that it may not fit
/// together.
pub(super) fn dump<I: NetlinkSerializable>(
    protocol: Option<Protocol>,
    question: I,
    mut each: impl FnMut(u16, &[u8]),
) -> io::Result<()> {
    let socket = socket(protocol, 0)?;
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let request = encode(question);
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut consistent = true;
    loop {
        let (_, bytes) = rustix::net::recv(&socket, &mut *buffer, RecvFlags::TRUNC)?;
        let mut left = buffer.get(..bytes).ok_or(io::ErrorKind::InvalidData)?;
        while !left.is_empty() {
            let message = NetlinkBuffer::new_checked(left).map_err(invalid)?;
            consistent &= message.flags() & NLM_F_DUMP_INTR == 0;
            match message.message_type() {
                DONE if consistent => return Ok(()),
                DONE => return Err(io::ErrorKind::Interrupted.into()),
                ERROR => return Err(refusal(message.payload())),
                kind => each(kind, message.payload()),
            }
            // Messages begin at multiples of four.
            let length = usize::try_from(message.length()).map_err(invalid)?;
            left = left.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

fn encode<I: NetlinkSerializable>(question: I) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let payload = netlink_packet_core::NetlinkPayload::InnerMessage(question);
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// An error's message begins with the negative number of the error.
fn refusal(payload: &[u8]) -> io::Error {
    let number = payload.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
    number.map_or(io::ErrorKind::InvalidData.into(), |number| {
        io::Error::from_raw_os_error(number.saturating_neg())
    })
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
