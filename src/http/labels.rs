//! Labels of metrics: enums, so that their number is bounded.

use std::fmt::{self, Write};

use actix_web::http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::engine::events::Retried;
use crate::engine::events::{Ending, Switch};
use crate::slots::Decision;
use crate::upload::Departure;

/// A method, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestMethod {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// Whatever else a client makes up.
    Other,
}

impl RequestMethod {
    /// The label for this method.
    #[must_use]
    pub fn of(method: &Method) -> Self {
        let known = [
            (&Method::GET, Self::Get),
            (&Method::HEAD, Self::Head),
            (&Method::POST, Self::Post),
            (&Method::PUT, Self::Put),
            (&Method::PATCH, Self::Patch),
            (&Method::DELETE, Self::Delete),
            (&Method::OPTIONS, Self::Options),
        ];
        known.iter().find(|(one, _)| *one == method).map_or(Self::Other, |(_, label)| *label)
    }

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum StatusClass {
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
    None,
}

impl StatusClass {
    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::None => "none",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndingLabel(pub(super) Ending);

impl EndingLabel {
    const fn as_str(self) -> &'static str {
        match self.0 {
            Ending::Whole => "whole",
            Ending::Cut => "cut",
            Ending::TakenOver => "taken_over",
            Ending::Mismatch => "mismatch",
            Ending::Stopped => "stopped",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DepartureLabel(pub(super) Departure);

impl DepartureLabel {
    const fn as_str(self) -> &'static str {
        match self.0 {
            Departure::Terminated => "terminated",
            Departure::Expired => "expired",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DecisionLabel(pub(super) Decision);

impl DecisionLabel {
    const fn as_str(self) -> &'static str {
        match self.0 {
            Decision::Granted => "granted",
            Decision::BadRequest => "bad_request",
            Decision::TooLarge => "too_large",
            Decision::MediaType => "media_type",
            Decision::Purpose => "purpose",
            Decision::NotAllowed => "not_allowed",
            Decision::Quota => "quota",
            Decision::Unavailable => "unavailable",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SwitchLabel(pub(super) Switch);

impl SwitchLabel {
    const fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RetriedLabel(pub(super) Retried);

impl RetriedLabel {
    const fn as_str(self) -> &'static str {
        match self.0 {
            Retried::Succeeded => "succeeded",
            Retried::Failed => "failed",
        }
    }
}

/// Labels whose text is all there is to them.
macro_rules! label {
    ($($label:ty),*) => {$(
        impl EncodeLabelValue for $label {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                encoder.write_str(self.as_str())
            }
        }
    )*};
}

label!(
    RequestMethod,
    StatusClass,
    EndingLabel,
    DepartureLabel,
    DecisionLabel,
    SwitchLabel,
    RetriedLabel
);

impl std::hash::Hash for EndingLabel {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl std::hash::Hash for DepartureLabel {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRequest {
    pub(super) method: RequestMethod,
    pub(super) status: StatusClass,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfMethod {
    pub(super) method: RequestMethod,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct How {
    pub(super) ending: EndingLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Why {
    pub(super) why: DepartureLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Decided {
    pub(super) outcome: DecisionLabel,
}
