//! Tests of the input against a bus that a thread plays.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::time::Duration;

use super::bus::message::{Kind, Message, START_BYTES, encode, length};
use super::bus::wire::Writer;
use super::manager::{Unit, UnitFile};
use super::{PLUGIN, Unloaded, address};
use crate::config::toml;
use crate::metric::Metric;
use crate::plugin::{Accumulator, Context, Deliver, PluginLog, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

#[derive(Default)]
struct Delivered {
    metrics: Mutex<Vec<Metric>>,
    errors: Mutex<Vec<String>>,
}

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.metrics.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.errors.lock().unwrap().push(error.to_string());
    }
}

/// Answers like a bus with systemd on it, until the other side closes.
fn play_bus(mut stream: UnixStream) {
    let mut line = Vec::new();
    while !line.ends_with(b"BEGIN\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        line.push(byte[0]);
        if line.ends_with(b"\r\n") && line.starts_with(b"\0AUTH EXTERNAL ") && line.len() < 40 {
            let _ = stream.write_all(b"OK 1234\r\n");
            line.clear();
        }
    }
    let mut start = [0; START_BYTES];
    while stream.read_exact(&mut start).is_ok() {
        let mut bytes = start.to_vec();
        bytes.resize(length(&start).unwrap(), 0);
        stream.read_exact(&mut bytes[START_BYTES..]).unwrap();
        let call = Message::decode(&bytes).unwrap();
        // A signal in between is passed over.
        let signal = encode(Kind::Signal, 1, &[(2, "s", "x.y"), (3, "s", "Z")], None, "", &[]);
        stream.write_all(&signal).unwrap();
        let answer = answer(&call);
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn answer(call: &Message) -> Vec<u8> {
    let reply = |signature: &str, body: Writer| {
        encode(Kind::Return, 9, &[], Some(call.serial), signature, &body.bytes)
    };
    let mut body = Writer::default();
    let path = call.path.clone().unwrap_or_default();
    match call.member.as_deref().unwrap() {
        "Hello" => {
            body.text(":1.1");
            reply("s", body)
        }
        "ListUnits" => {
            units(
                &mut body,
                &[
                    ("web.service", "loaded", "active", "running"),
                    ("odd.service", "loaded", "active", "odd"),
                    ("web.socket", "loaded", "active", "listening"),
                    ("other.service", "loaded", "active", "running"),
                ],
            );
            reply("a(ssssssouso)", body)
        }
        "ListUnitsByNames" => {
            units(&mut body, &[("web-off.service", "loaded", "inactive", "dead")]);
            reply("a(ssssssouso)", body)
        }
        "ListUnitFilesByPatterns" => {
            array(&mut body, 8, |body| {
                for (file, state) in [
                    ("/usr/lib/systemd/system/web.service", "enabled"),
                    ("/usr/lib/systemd/system/web-off.service", "disabled"),
                    ("/usr/lib/systemd/system/web@.service", "disabled"),
                ] {
                    body.align(8);
                    body.text(file);
                    body.text(state);
                }
            });
            reply("a(ss)", body)
        }
        "GetAll" if path.ends_with("/web_2eservice") => {
            let interface = call.values[0].text().unwrap();
            properties(&mut body, interface.ends_with(".Service"));
            reply("a{sv}", body)
        }
        _ => {
            body.text("Unit is not loaded.");
            let name = [(4, "s", "org.freedesktop.systemd1.NoSuchUnit")];
            encode(Kind::Error, 9, &name, Some(call.serial), "s", &body.bytes)
        }
    }
}

fn array(body: &mut Writer, size: usize, write: impl FnOnce(&mut Writer)) {
    body.number(0);
    let length_at = body.bytes.len();
    body.align(size);
    let start = body.bytes.len();
    write(body);
    let length = (body.bytes.len() - start) as u32;
    body.bytes[length_at - 4..length_at].copy_from_slice(&length.to_le_bytes());
}

fn units(body: &mut Writer, units: &[(&str, &str, &str, &str)]) {
    array(body, 8, |body| {
        for (name, load, active, sub) in units {
            body.align(8);
            for text in [name, "what it is", load, active, sub, "", "/x"] {
                body.text(text);
            }
            body.number(0);
            body.text("");
            body.text("/");
        }
    });
}

fn properties(body: &mut Writer, is_service: bool) {
    array(body, 8, |body| {
        let mut entry = |name: &str, kind: &str, write: &dyn Fn(&mut Writer)| {
            body.align(8);
            body.text(name);
            body.signature(kind);
            write(body);
        };
        let long = |value: u64| {
            move |body: &mut Writer| {
                body.align(8);
                body.bytes.extend(value.to_le_bytes());
            }
        };
        if is_service {
            entry("StatusErrno", "i", &|body| body.number((-5_i32).cast_unsigned()));
            entry("NRestarts", "u", &|body| body.number(3));
            entry("MainPID", "u", &|body| body.number(42));
            entry("MemoryCurrent", "t", &long(4096));
            entry("MemoryPeak", "t", &long(u64::MAX));
        } else {
            entry("UnitFileState", "s", &|body| body.text("enabled"));
            entry("UnitFilePreset", "s", &|body| body.text("disabled"));
            entry("ActiveEnterTimestamp", "t", &long(1_700_000_000_000_001));
        }
    });
}

/// Gathers `rounds` times from a bus that serves one connection after the other.
fn gather(options: &str) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    let table = toml::parse("test", options).unwrap();
    let (log, system) = (PluginLog::new("inputs.systemd_units"), System::real());
    let context = Context::new(system.clone(), log, Statistics::default(), &table, FORMATS);
    let config: super::Config = context.settings().read().unwrap();
    let mut input = config.input(&context).unwrap();
    input.bus = address::parse(&format!("unix:path={}", path.display()));
    let bus = std::thread::spawn(move || play_bus(listener.accept().unwrap().0));
    let delivered = Delivered::default();
    let mut accumulator = Accumulator::new(&delivered, &*system.clock, Duration::ZERO);
    crate::plugin::Input::gather(&mut input, &mut accumulator).unwrap();
    drop(accumulator);
    drop(input);
    bus.join().unwrap();
    let text = |metric: &Metric| {
        let tags: Vec<_> = metric.tags().iter().map(|t| format!("{}={}", t.key, t.value)).collect();
        let fields: Vec<_> =
            metric.fields().iter().map(|f| format!("{}={:?}", f.key, f.value)).collect();
        format!("{} {}", tags.join(","), fields.join(","))
    };
    let metrics = delivered.metrics.lock().unwrap().iter().map(text).collect();
    (metrics, delivered.errors.into_inner().unwrap())
}

#[test]
fn units_of_the_type_that_match_are_reported_with_numbers_for_their_states() {
    let (metrics, errors) = gather("pattern = 'web* odd*'");
    assert_eq!(
        metrics,
        ["active=active,load=loaded,name=web.service,sub=running \
             load_code=Integer(0),active_code=Integer(0),sub_code=Integer(0)"]
    );
    assert_eq!(errors, ["parsing field 'sub' failed, value not in map: odd"]);
    let (metrics, _) = gather("unittype = 'socket'");
    assert_eq!(
        metrics,
        ["active=active,load=loaded,name=web.socket,sub=listening \
             load_code=Integer(0),active_code=Integer(0),sub_code=Integer(114)"]
    );
}

#[test]
fn details_are_those_of_the_unit_and_of_its_type() {
    let (metrics, errors) = gather("pattern = 'web.service'\nsubcommand = 'show'");
    assert_eq!(
        metrics,
        ["active=active,load=loaded,name=web.service,preset=disabled,state=enabled,sub=running \
             load_code=Integer(0),active_code=Integer(0),sub_code=Integer(0),\
             active_enter_timestamp_us=Unsigned(1700000000000001),status_errno=Integer(-5),\
             restarts=Unsigned(3),pid=Unsigned(42),mem_current=Unsigned(4096),mem_peak=Unsigned(0),\
             mem_avail=Unsigned(0),swap_current=Unsigned(0),swap_peak=Unsigned(0)"]
    );
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn units_that_are_not_loaded_come_when_they_are_asked_for() {
    let (metrics, _) = gather("pattern = 'web*'\ncollect_disabled_units = true\ndetails = true");
    let names: Vec<_> =
        metrics.iter().map(|text| text.split_whitespace().next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "active=active,load=loaded,name=web.service,preset=disabled,state=enabled,sub=running",
            "active=inactive,load=loaded,name=web-off.service,sub=dead",
            "active=inactive,load=stub,name=web@.service,sub=dead",
        ]
    );
    assert!(metrics[2].contains("status_errno=Integer(-1),restarts=Unsigned(0),mem_current"));
}

#[test]
fn templates_of_loaded_instances_are_not_reported_again() {
    let unit = |name: &str| Unit {
        name: name.into(),
        load: "loaded".into(),
        active: "active".into(),
        sub: "running".into(),
    };
    let file = |name: &str, state: &str| UnitFile { name: name.into(), state: state.into() };
    let found = Unloaded::find(
        &[unit("getty@tty1.service"), unit("a.service")],
        &[
            file("getty@.service", "disabled"),
            file("a.service", "static"),
            file("b.service", "disabled"),
            file("c@.service", "disabled"),
            file("d.service", "static"),
            file("d.service", "static"),
            file("e.service", "enabled"),
        ],
    );
    assert_eq!(
        found,
        Unloaded {
            disabled: vec!["b.service".into()],
            unused: vec!["c@.service".into(), "d.service".into()],
        }
    );
}

#[test]
fn types_and_scopes_that_there_are_not_are_refused() {
    for (options, message) in [
        ("unittype = 'unit'", "invalid 'unittype' \"unit\""),
        ("subcommand = 'cat'", "unknown subcommand \"cat\""),
        ("scope = 'host'", "invalid 'scope' \"host\""),
        ("pattern = 'a['", "compiling filter failed: "),
    ] {
        let table = toml::parse("test", options).unwrap();
        let (log, system) = (PluginLog::new("inputs.systemd_units"), System::real());
        let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
        let error = (PLUGIN.build)(&context).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
