//! Whether a body's reader has taken all there was.

use crate::http::connection::Connection;
use crate::http::tuner::measured_path;
use crate::tuning::PathMeasure;

/// What the reader of a body is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attending {
    /// It has taken all there was, and waits for more.
    Waiting,
    /// It is busy with what it took: more may be there.
    Elsewhere,
}

/// Keeps the end of a connection back while its reader is busy, so that a connection that breaks
/// off costs nothing that was read from it.
pub(super) struct Attention {
    pub(super) connection: Option<Connection>,
    attending: Attending,
}

impl Attention {
    pub(super) fn turned_away(connection: Option<Connection>) -> Self {
        let mut attention = Self { connection, attending: Attending::Waiting };
        attention.turn(Attending::Elsewhere);
        attention
    }

    /// What the kernel says of the path to the client, if anything.
    pub(super) fn path(&self) -> Option<PathMeasure> {
        self.connection.as_ref().and_then(measured_path)
    }

    pub(super) fn turn(&mut self, attending: Attending) {
        if self.attending == attending {
            return;
        }
        self.attending = attending;
        if let Some(connection) = &self.connection {
            match attending {
                Attending::Waiting => connection.body_is_read(),
                Attending::Elsewhere => connection.body_is_unread(),
            }
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        self.turn(Attending::Waiting);
    }
}
