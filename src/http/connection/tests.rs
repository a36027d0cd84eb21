//! Connections as handlers see them.

use super::*;

const INTERIM: &[u8] = b"HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Offset: 7\r\n\r\n";

fn connection(framing: Framing) -> Connection {
    let ends = Ends { peer: None, local: None, carrier: Carrier::Unix, framing };
    Connection::new(ends, 2, Lines::default())
}

/// How often something was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_body_that_is_waited_for_wakes_its_connection_only_if_the_end_waits_for_it() {
    let (connection, woken) = (connection(Framing::Http1), Arc::new(Woken::default()));
    let times = || woken.0.load(Ordering::SeqCst);
    for (ends, wakes) in [(false, 0), (true, 1), (false, 1)] {
        connection.wait(&Arc::clone(&woken).into());
        connection.body_is_unread();
        assert_eq!(ends && connection.holds_back_its_end(), ends);
        connection.body_is_read();
        assert_eq!(times(), wakes);
        assert!(!connection.holds_back_its_end());
    }
}

#[test]
fn a_connection_whose_address_is_gone_ends_with_the_last_body_that_is_received() {
    let idle = connection(Framing::Http1);
    assert_eq!(idle.0.severed(), 0);
    assert!(idle.is_closed());
    let busy = connection(Framing::Http2);
    busy.pouring_begins();
    busy.pouring_begins();
    assert_eq!(busy.0.severed(), 2);
    busy.pouring_ends();
    assert!(!busy.is_closed() && busy.severed_since().is_some());
    busy.pouring_ends();
    assert!(busy.is_closed());
}

#[test]
fn a_connection_that_has_its_address_outlives_its_bodies() {
    let connection = connection(Framing::Http1);
    connection.pouring_begins();
    connection.pouring_ends();
    assert!(!connection.is_closed() && connection.severed_since().is_none());
}

#[test]
fn an_interim_answer_is_taken_between_the_request_and_its_answer_only() {
    let connection = connection(Framing::Http1);
    assert_eq!(connection.send_interim(INTERIM), Err(InterimRefused::TooLate));
    connection.request_begins();
    assert_eq!(connection.send_interim(INTERIM), Ok(()));
    assert_eq!(connection.take_interim(), INTERIM);
    connection.answer_begins();
    assert_eq!(connection.send_interim(INTERIM), Err(InterimRefused::TooLate));
}

#[test]
fn an_interim_answer_that_was_not_written_in_time_is_dropped() {
    let connection = connection(Framing::Http1);
    connection.request_begins();
    connection.send_interim(INTERIM).unwrap();
    connection.answer_begins();
    assert!(connection.take_interim().is_empty());
}

#[test]
fn what_is_not_the_head_of_an_interim_answer_is_refused() {
    let connection = connection(Framing::Http1);
    connection.request_begins();
    let two = [INTERIM, INTERIM].concat();
    for bad in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"HTTP/1.1 104 X\r\n", b"", &two] {
        assert_eq!(connection.send_interim(bad), Err(InterimRefused::Malformed));
    }
}

#[test]
fn interim_answers_that_nobody_reads_are_bounded() {
    let connection = connection(Framing::Http1);
    connection.request_begins();
    let sent = (0..1000).take_while(|_| connection.send_interim(INTERIM).is_ok()).count();
    assert_eq!(sent, Connection::INTERIM_BYTES / INTERIM.len());
    assert_eq!(connection.send_interim(INTERIM), Err(InterimRefused::Full));
}

#[test]
fn four_times_as_many_requests_as_were_allowed_end_a_connection() {
    let connection = connection(Framing::Http2);
    (0..8).for_each(|_| connection.request_begins());
    assert!(!connection.is_closed());
    connection.request_begins();
    assert!(connection.is_closed());
}

#[test]
fn http2_takes_no_interim_answers() {
    let connection = connection(Framing::Http2);
    connection.request_begins();
    assert_eq!(connection.send_interim(INTERIM), Err(InterimRefused::Http2));
}
