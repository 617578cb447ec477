//! One connection from its first request to its last.

use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::response::{After, has_body};
use super::{Idle, Incoming, Response, Shared};
use crate::http::body::Framing;
use crate::http::head::{HeadError, RequestHead, framing, read_request};
use crate::http::stream::Stream;
use crate::http::wire::Wire;

/// How long a caller may take to notice that the connection is at its end.
const LINGER: Duration = Duration::from_millis(500);

/// How long coming to an agreement about encryption may take where nothing else is asked for.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers the requests of a connection until it ends.
pub(super) fn serve(shared: &Shared, id: u64, stream: Stream) {
    let stream = match &shared.tls {
        None => stream,
        Some(tls) => {
            let limit = shared.settings.read_timeout.unwrap_or(HANDSHAKE);
            let set = stream
                .set_read_timeout(Some(limit))
                .and_then(|()| stream.set_write_timeout(Some(limit)));
            if set.is_err() {
                return;
            }
            match tls.accept(stream) {
                Ok(stream) => stream,
                Err(error) => {
                    log::debug!("TLS handshake failed: {error}");
                    return;
                }
            }
        }
    };
    let mut wire = Wire::new(stream, shared.clock.clone());
    while answer_next(shared, id, &mut wire) == After::KeepAlive {}
    wire.stream_mut().say_goodbye();
}

fn answer_next(shared: &Shared, id: u64, wire: &mut Wire) -> After {
    let read_timeout = shared.settings.read_timeout;
    wire.set_limit(read_timeout);
    if !shared.note_idle(id, Idle::Waiting) {
        return After::Close;
    }
    // The end, an error, or too long a wait: there is nobody to tell.
    if !matches!(wire.fill_buf(), Ok([_, ..])) {
        return After::Close;
    }
    shared.note_idle(id, Idle::Busy);
    wire.set_limit(read_timeout);
    match read_request(wire) {
        Ok(head) => answer(shared, wire, head),
        Err(error) => {
            refuse(shared, wire, &error);
            After::Close
        }
    }
}

fn answer(shared: &Shared, wire: &mut Wire, head: RequestHead) -> After {
    let framing = match framing(&head.headers) {
        Ok(framing) => framing.unwrap_or(Framing::Done),
        Err(error) => {
            refuse(shared, wire, &error);
            return After::Close;
        }
    };
    let is_head = head.method == "HEAD";
    let mut request = Incoming::new(head, framing, wire);
    // Telling callers apart does not end with one that makes a handler panic.
    let response = catch_unwind(AssertUnwindSafe(|| shared.handler.handle(&mut request)))
        .unwrap_or_else(|_| Response::status_line(500));
    let was_read = request.drain();
    let stays = was_read && request.wants_to_stay() && !shared.is_stopping();
    let after = if stays { After::KeepAlive } else { After::Close };
    let mut message = response.head(after, shared.clock.now());
    if !is_head && has_body(response.status) {
        message.extend_from_slice(&response.body);
    }
    wire.set_limit(shared.settings.write_timeout);
    match wire.write_all(&message).and_then(|()| wire.flush()) {
        Ok(()) if was_read => after,
        Ok(()) => {
            linger(wire);
            After::Close
        }
        Err(_) => After::Close,
    }
}

/// Answers what is no request, where an answer may be of use.
fn refuse(shared: &Shared, wire: &mut Wire, error: &HeadError) {
    let status = match error {
        HeadError::TooLarge => 431,
        HeadError::Malformed(_) => 400,
        HeadError::Io(_) | HeadError::Closed | HeadError::Cut => return,
    };
    let response = Response::status_line(status);
    let mut message = response.head(After::Close, shared.clock.now());
    message.extend_from_slice(&response.body);
    wire.set_limit(shared.settings.write_timeout);
    if wire.write_all(&message).is_ok() {
        linger(wire);
    }
}

/// Waits for the caller to close: closing with bytes unread would take the answer back that is
/// still on its way.
fn linger(wire: &mut Wire) {
    wire.stream_mut().say_goodbye();
    wire.stream().end_of_writing();
    wire.set_limit(Some(LINGER));
    let _ = io::copy(&mut io::Read::take(wire, 16 << 20), &mut io::sink());
}
