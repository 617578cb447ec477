//! A server for tests that keeps what it is asked.

use std::sync::{Arc, Mutex};

use super::{
    Bound, Headers, Incoming, ListenAddress, Server, ServerResponse, ServerSettings, decode,
};
use crate::system::RealClock;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Headers,
    /// Unpacked.
    pub(crate) body: String,
}

impl Recorded {
    /// Method, path and query on one line.
    pub(crate) fn line(&self) -> String {
        let query: Vec<_> =
            self.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} {}?{}", self.method, self.path, query.join("&"))
    }
}

/// A server that keeps what it is asked.
pub(crate) struct Recorder {
    /// Without a slash at its end.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Recorded>>>,
    _server: Server,
}

impl Recorder {
    /// Begins to answer as `answer` says.
    pub(crate) fn start(
        answer: impl Fn(&Recorded) -> ServerResponse + Send + Sync + 'static,
    ) -> Recorder {
        let listener = ListenAddress::Tcp("127.0.0.1:0".into()).listen().unwrap();
        let Ok(Bound::Tcp(address)) = listener.bound() else { unreachable!() };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let handler = move |request: &mut Incoming<'_>| {
            let body = request.read_body(1 << 20).unwrap();
            let encoding = request.headers().get("Content-Encoding").unwrap_or_default().to_owned();
            let body = decode(&encoding, body, 1 << 20).unwrap();
            let recorded = Recorded {
                method: request.method().to_owned(),
                path: request.path(),
                query: request.query(),
                headers: request.headers().clone(),
                body: String::from_utf8(body).unwrap(),
            };
            kept.lock().unwrap().push(recorded.clone());
            answer(&recorded)
        };
        let clock = Arc::new(RealClock::new());
        let settings = ServerSettings::default();
        let server = Server::start(listener, settings, None, handler, clock).unwrap();
        Recorder { url: format!("http://{address}"), requests, _server: server }
    }

    /// What it was asked since the last time.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}
