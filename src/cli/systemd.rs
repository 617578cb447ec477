//! What the service manager is told: ready, reloading, stopping, and that the program still works.
//!
//! Nothing of it matters to the program: without a service manager nothing is sent, and a message
//! that cannot be delivered is lost without a word, as with Telegraf.
//!
//! # References
//! sd_notify(3) and sd_watchdog_enabled(3).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use crossbeam_channel::{Receiver, never};

use crate::system::{Clock, environment_variable};

/// The connection to the service manager, if one has started this program and wants to know.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// How long it waits for a sign of life before it ends the program.
    patience: Option<Duration>,
}

impl ServiceManager {
    /// The service manager that the environment of this process names.
    pub fn from_environment() -> ServiceManager {
        ServiceManager::from_variables(environment_variable, std::process::id())
    }

    /// The service manager that `variable` names to the process `pid`.
    fn from_variables(variable: impl Fn(&str) -> Option<String>, pid: u32) -> ServiceManager {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let Some(socket) = set("NOTIFY_SOCKET").and_then(|name| connect(&name).ok()) else {
            return ServiceManager::default();
        };
        // A process inherits the variables from one that was meant by them.
        let is_meant = set("WATCHDOG_PID").is_none_or(|meant| meant == pid.to_string());
        let patience = set("WATCHDOG_USEC")
            .filter(|_| is_meant)
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros);
        ServiceManager { socket: Some(socket), patience }
    }

    /// The configuration is read, and the program is about to do its work.
    pub fn ready(&self) {
        self.send("READY=1\nSTATUS=");
    }

    /// The configuration is being read again; [`ServiceManager::ready`] ends it.
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The new configuration was refused, and the work goes on with the one before.
    pub fn reload_refused(&self) {
        self.send("READY=1\nSTATUS=The configuration was refused; the one before keeps running");
    }

    /// The program is ending.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// The program still works.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// How long the service manager waits for a sign of life; `None` if it asks for none.
    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Becomes ready when the next sign of life is due: after half of the time, as advised.
    pub fn sign_due(&self, clock: &dyn Clock) -> Receiver<Instant> {
        self.patience.map_or_else(never, |patience| clock.after(patience / 2))
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // Nobody listens any more, or does not keep up: the work is not to wait for that.
            let _ = socket.send(message.as_bytes());
        }
    }
}

/// Connects to a socket: a path, or behind `@` a name that is in no file system.
fn connect(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => abstract_address(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    const PID: u32 = 4711;

    fn manager(variables: &[(&str, &str)]) -> ServiceManager {
        let variable = |name: &str| {
            variables.iter().find(|(each, _)| *each == name).map(|(_, value)| (*value).to_owned())
        };
        ServiceManager::from_variables(variable, PID)
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut message = [0; 200];
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    #[test]
    fn messages_reach_a_socket_in_the_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        manager.ready();
        assert_eq!(received(&socket), "READY=1\nSTATUS=");
        manager.reloading();
        assert_eq!(received(&socket), "RELOADING=1");
        manager.reload_refused();
        assert!(received(&socket).starts_with("READY=1\nSTATUS=The configuration was refused"));
        manager.alive();
        assert_eq!(received(&socket), "WATCHDOG=1");
        manager.stopping();
        assert_eq!(received(&socket), "STOPPING=1");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn messages_reach_an_abstract_socket() {
        let name = format!("metric-agent-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        manager(&[("NOTIFY_SOCKET", &format!("@{name}"))]).ready();
        assert_eq!(received(&socket), "READY=1\nSTATUS=");
    }

    #[test]
    fn without_a_service_manager_nothing_happens() {
        for variables in
            [&[][..], &[("NOTIFY_SOCKET", "")], &[("NOTIFY_SOCKET", "/nowhere/at/all")]]
        {
            let manager = manager(variables);
            assert!(manager.socket.is_none(), "{variables:?}");
            manager.ready();
            manager.stopping();
        }
    }

    #[test]
    fn a_service_manager_that_does_not_read_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _socket = UnixDatagram::bind(&path).unwrap();
        let manager = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        for _ in 0..10_000 {
            manager.alive();
        }
    }

    #[test]
    fn signs_of_life_are_given_in_half_the_time_and_only_by_the_process_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _socket = UnixDatagram::bind(&path).unwrap();
        let socket = ("NOTIFY_SOCKET", path.to_str().unwrap());
        let wanted = Some(Duration::from_secs(30));
        let micros = ("WATCHDOG_USEC", "30000000");
        let cases: [(&[(&str, &str)], _); 6] = [
            (&[socket, micros], wanted),
            (&[socket, micros, ("WATCHDOG_PID", "4711")], wanted),
            (&[socket, micros, ("WATCHDOG_PID", "1")], None),
            (&[socket, ("WATCHDOG_USEC", "0")], None),
            (&[socket, ("WATCHDOG_USEC", "soon")], None),
            (&[micros], None),
        ];
        for (variables, expected) in cases {
            assert_eq!(manager(variables).patience(), expected, "{variables:?}");
        }
        let clock = FakeClock::at(Timestamp::EPOCH);
        let due = manager(&[socket, micros]).sign_due(&clock);
        clock.advance(Duration::from_secs(14));
        assert!(due.try_recv().is_err());
        clock.advance(Duration::from_secs(1));
        assert!(due.try_recv().is_ok());
    }
}
