//! Requests on their way, by HTTP/1.1 or HTTP/2, and what is noted of them.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Client;
use crate::case::{Failure, Stop};
use crate::exchange::{Exchange, curl, show_request};
use crate::wire::{Answer, Connection, Limits, Request, WireError};

impl Client<'_> {
    /// Opens a connection whose steps end with the case.
    ///
    /// # Errors
    ///
    /// [`WireError::Connect`]; [`WireError::NotForHttp2`] where HTTP/2 is to be spoken.
    pub fn open(&self) -> Result<Connection, WireError> {
        if self.target().speaks_http2() {
            return Err(WireError::NotForHttp2 { what: "what is written by hand".to_owned() });
        }
        self.target().connect(self.limits())
    }

    fn limits(&self) -> Limits {
        Limits { step: self.parameters().step_time, until: self.until }
    }

    /// Sends a request on a connection of its own and reads the answer.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with the request when no answer comes.
    pub fn send(&self, request: Request) -> Result<Exchange, Stop> {
        if self.target().speaks_http2() {
            let began = Instant::now();
            return match self.target().exchange_by_http2(self.limits(), &request) {
                Ok(answer) => Ok(self.record(request, answer, began.elapsed())),
                Err(error @ WireError::NotForHttp2 { .. }) => Err(error.into()),
                Err(error) => Err(self.unanswered(&request, &error)),
            };
        }
        let mut connection = self.open()?;
        self.send_on(&mut connection, request)
    }

    /// Sends a request on an open connection and reads the answer.
    ///
    /// A server may answer and close before it has read the whole body; such an answer counts.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with the request when no answer comes.
    pub fn send_on(&self, connection: &mut Connection, request: Request) -> Result<Exchange, Stop> {
        let began = Instant::now();
        let target = self.target();
        let sent = connection.send_request(&request, target.host(), target.fields());
        match (connection.answer(request.method()), sent) {
            (Ok(answer), _) => Ok(self.record(request, answer, began.elapsed())),
            (Err(error), Ok(())) | (Err(_), Err(error)) => Err(self.unanswered(&request, &error)),
        }
    }

    /// Sends the head only; the case goes on by hand.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the head cannot be sent.
    pub fn begin(&self, request: &Request) -> Result<Connection, WireError> {
        let mut connection = self.open()?;
        let target = self.target();
        connection.send(&request.encode_head(target.host(), target.fields()))?;
        Ok(connection)
    }

    /// Reads the answer to a request that was begun by hand.
    ///
    /// # Errors
    ///
    /// [`Stop::Failed`] with the request when no answer comes.
    pub fn finish(&self, connection: &mut Connection, request: &Request) -> Result<Exchange, Stop> {
        let began = Instant::now();
        match connection.answer(request.method()) {
            Ok(answer) => Ok(self.record(request.clone(), answer, began.elapsed())),
            Err(error) => Err(self.unanswered(request, &error)),
        }
    }

    fn record(&self, request: Request, answer: Answer, took: Duration) -> Exchange {
        let route = self.target().route(&request);
        let exchange = Exchange::new(request, route, answer, took);
        self.note(exchange.summary());
        // A form is answered with 200, and says where its file is.
        if matches!(exchange.status(), 200 | 201)
            && let Some(location) = exchange.headers().get("Location")
        {
            let path = self.target().resolve(location);
            self.created.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        }
        exchange
    }

    fn unanswered(&self, request: &Request, error: &WireError) -> Stop {
        let route = self.target().route(request);
        Stop::Failed(Box::new(Failure {
            message: error.to_string(),
            exchange: Some(show_request(request, &route)),
            curl: curl(request, &route),
        }))
    }
}
