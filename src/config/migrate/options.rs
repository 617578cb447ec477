//! Options that others have taken the place of.
//!
//! # References
//! Telegraf's `migrations/general_*` and those of single plugins; options that it has removed
//! without a migration and that still work here are migrated as well.

use super::section::{Entry, Patches, Section, quoted};
use super::{Outcome, contradiction};

/// Changes options of one plugin; returns what people should know about it.
pub(super) struct OptionMigration {
    pub kind: &'static str,
    pub name: &'static str,
    pub migrate: fn(&Section<'_>, &mut Patches) -> Outcome,
}

/// All plugins with options that can be migrated.
pub(super) const OPTIONS: &[OptionMigration] = &[
    of("inputs", "disk", |s, p| merge_lists(s, p, "mount_points", &["mountpoints"])),
    of("inputs", "http", |s, p| move_string(s, p, "bearer_token", "token_file")),
    of("inputs", "http_listener_v2", http_listener_v2),
    of("inputs", "influxdb_listener", |s, p| remove(s, p, "max_line_size")),
    of("inputs", "kafka_consumer", kafka_consumer),
    of("inputs", "mock", mock),
    of("inputs", "net", |s, p| remove(s, p, "ignore_protocol_stats")),
    of("inputs", "procstat", procstat),
    of("inputs", "statsd", statsd),
    of("inputs", "systemd_units", systemd_units),
    of("inputs", "tail", tail),
    of("outputs", "influxdb", influxdb),
    of("outputs", "kafka", kafka),
    of("processors", "enum", enumeration),
];

const fn of(
    kind: &'static str,
    name: &'static str,
    migrate: fn(&Section<'_>, &mut Patches) -> Outcome,
) -> OptionMigration {
    OptionMigration { kind, name, migrate }
}

/// Names of filters that have changed.
pub(super) fn filters(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    merge_lists(section, patches, "fieldinclude", &["pass", "fieldpass"])?;
    merge_lists(section, patches, "fieldexclude", &["drop", "fielddrop"])
}

/// Options for encryption that have once been named after SSL.
pub(super) fn encryption(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    for (old, new) in [("ssl_ca", "tls_ca"), ("ssl_cert", "tls_cert"), ("ssl_key", "tls_key")] {
        move_string(section, patches, old, new)?;
    }
    Ok(None)
}

/// The settings of the log and others of `[agent]`.
pub(super) fn agent(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    if section.string("snmp_translator")? == Some("netsnmp") {
        // It is what counts without the option, too.
        remove(section, patches, "snmp_translator")?;
    }
    let (Some(target), Some(entry)) = (section.string("logtarget")?, section.get("logtarget"))
    else {
        return Ok(None);
    };
    if target == "eventlog" {
        match section.string("logformat")? {
            Some(format) if format != "eventlog" => {
                return Err(contradiction("logtarget", "logformat"));
            }
            Some(_) => patches.remove(entry)?,
            None => {
                patches.rename(entry, "logformat");
                patches.set(entry, "\"eventlog\"");
            }
        }
    } else {
        patches.remove(entry)?;
    }
    if target != "file" {
        remove(section, patches, "logfile")?;
    }
    Ok(None)
}

fn remove(section: &Section<'_>, patches: &mut Patches, key: &str) -> Outcome {
    if let Some(entry) = section.get(key) {
        patches.remove(entry)?;
    }
    Ok(None)
}

/// Gives a string its new name; both are well if they say the same.
fn move_string(section: &Section<'_>, patches: &mut Patches, old: &str, new: &str) -> Outcome {
    let (Some(value), Some(entry)) = (section.string(old)?, section.get(old)) else {
        return Ok(None);
    };
    match section.string(new)? {
        None => patches.rename(entry, new),
        Some(other) if other == value => patches.remove(entry)?,
        Some(_) => return Err(contradiction(old, new)),
    }
    Ok(None)
}

/// Puts lists of several names together under one.
fn merge_lists(section: &Section<'_>, patches: &mut Patches, new: &str, old: &[&str]) -> Outcome {
    let names = std::iter::once(new).chain(old.iter().copied());
    let present: Vec<(&str, Entry<'_>)> =
        names.filter_map(|name| Some((name, section.get(name)?))).collect();
    let mut items = Vec::new();
    for (name, _) in &present {
        for item in section.strings(name)?.unwrap_or_default() {
            if !items.iter().any(|(value, _)| *value == item.value) {
                items.push((item.value, item.written));
            }
        }
    }
    let [(name, target), others @ ..] = present.as_slice() else { return Ok(None) };
    if *name != new {
        patches.rename(*target, new);
    }
    if !others.is_empty() {
        let written: Vec<_> = items.iter().map(|(_, written)| *written).collect();
        patches.set(*target, format!("[{}]", written.join(", ")));
    }
    for (_, other) in others {
        patches.remove(*other)?;
    }
    Ok(None)
}

/// Puts single strings into a list.
fn into_list(section: &Section<'_>, patches: &mut Patches, old: &str, new: &str) -> Outcome {
    let (Some(value), Some(entry)) = (section.string(old)?, section.get(old)) else {
        return Ok(None);
    };
    let Some(list) = section.get(new) else {
        patches.rename(entry, new);
        patches.set(entry, format!("[{}]", entry.written()));
        return Ok(None);
    };
    let items = section.strings(new)?.unwrap_or_default();
    if !items.iter().any(|item| item.value == value) {
        let mut written: Vec<_> = items.iter().map(|item| item.written).collect();
        written.push(entry.written());
        patches.set(list, format!("[{}]", written.join(", ")));
    }
    patches.remove(entry)?;
    Ok(None)
}

fn http_listener_v2(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    into_list(section, patches, "path", "paths")?;
    let (Some(port), Some(entry)) = (section.integer("port")?, section.get("port")) else {
        return Ok(None);
    };
    let Some(address) = section.string("service_address")? else {
        patches.rename(entry, "service_address");
        patches.set(entry, quoted(&format!("tcp://:{port}")));
        return Ok(None);
    };
    let (scheme, host) = address.split_once("://").unwrap_or(("tcp", address));
    match host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())) {
        Some((_, other)) if *other == *port.to_string() => {}
        Some(_) => return Err(contradiction("port", "service_address")),
        None => {
            if let Some(address) = section.get("service_address") {
                patches.set(address, quoted(&format!("{scheme}://{host}:{port}")));
            }
        }
    }
    patches.remove(entry)?;
    Ok(None)
}

fn kafka_consumer(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    let (Some(strategy), Some(entry)) =
        (section.string("connection_strategy")?, section.get("connection_strategy"))
    else {
        return Ok(None);
    };
    match (strategy.to_lowercase().as_str(), section.string("startup_error_behavior")?) {
        ("" | "startup", _) | ("defer", Some("retry")) => patches.remove(entry)?,
        ("defer", None) => {
            patches.rename(entry, "startup_error_behavior");
            patches.set(entry, "\"retry\"");
        }
        ("defer", Some(_)) => {
            return Err(contradiction("startup_error_behavior", "connection_strategy"));
        }
        _ => return Err(format!("invalid connection strategy {strategy:?}")),
    }
    Ok(None)
}

fn mock(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    let is_zero = |entry: Entry<'_>| matches!(entry.written().parse::<f64>(), Ok(0.0));
    for step in section.below("step") {
        for (old, new) in [("min", "start"), ("max", "step")] {
            let Some(entry) = step.get(old) else { continue };
            match step.get(new) {
                None => patches.rename(entry, new),
                Some(newer) => {
                    if is_zero(newer) {
                        patches.set(newer, entry.written());
                    }
                    patches.remove(entry)?;
                }
            }
        }
    }
    Ok(None)
}

fn procstat(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    merge_lists(section, patches, "supervisor_units", &["supervisor_unit"])?;
    let mut items: Vec<String> = Vec::new();
    let present = section.strings("tag_with")?.unwrap_or_default();
    items.extend(present.iter().map(|item| item.written.to_owned()));
    let mut target = section.get("tag_with");
    let n_before = items.len();
    let mut is_renamed = false;
    for (old, tag) in [("pid_tag", "pid"), ("cmdline_tag", "cmdline")] {
        let (Some(is_on), Some(entry)) = (section.boolean(old)?, section.get(old)) else {
            continue;
        };
        if is_on && !present.iter().any(|item| item.value == tag) {
            items.push(quoted(tag));
            if target.is_none() {
                patches.rename(entry, "tag_with");
                (target, is_renamed) = (Some(entry), true);
                continue;
            }
        }
        patches.remove(entry)?;
    }
    if let Some(target) = target.filter(|_| is_renamed || items.len() > n_before) {
        patches.set(target, format!("[{}]", items.join(", ")));
    }
    Ok(None)
}

fn statsd(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    remove(section, patches, "udp_packet_size")?;
    let (Some(parses), Some(entry)) =
        (section.boolean("parse_data_dog_tags")?, section.get("parse_data_dog_tags"))
    else {
        return Ok(None);
    };
    match section.boolean("datadog_extensions")? {
        Some(newer) if newer != parses => {
            return Err(contradiction("parse_data_dog_tags", "datadog_extensions"));
        }
        None if parses => patches.rename(entry, "datadog_extensions"),
        _ => patches.remove(entry)?,
    }
    Ok(None)
}

fn systemd_units(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    let (Some(subcommand), Some(entry)) =
        (section.string("subcommand")?, section.get("subcommand"))
    else {
        return Ok(None);
    };
    match (subcommand, section.get("details")) {
        ("" | "list", _) => patches.remove(entry)?,
        ("show", None) => {
            patches.rename(entry, "details");
            patches.set(entry, "true");
        }
        ("show", Some(details)) => {
            patches.set(details, "true");
            patches.remove(entry)?;
        }
        (other, _) => return Err(format!("unknown subcommand {other:?}")),
    }
    Ok(None)
}

fn tail(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    let (Some(is_from_beginning), Some(entry)) =
        (section.boolean("from_beginning")?, section.get("from_beginning"))
    else {
        return Ok(None);
    };
    let offset = if is_from_beginning { "beginning" } else { "saved-or-end" };
    let Some(newer) = section.string("initial_read_offset")? else {
        patches.rename(entry, "initial_read_offset");
        patches.set(entry, quoted(offset));
        return Ok(None);
    };
    patches.remove(entry)?;
    let conflict = || {
        format!(
            "'from_beginning = {is_from_beginning}' is left out, 'initial_read_offset = {newer:?}' \
             says otherwise and counts"
        )
    };
    Ok((newer != offset).then(conflict))
}

fn influxdb(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    into_list(section, patches, "url", "urls")?;
    // Without effect since version 1.0.
    remove(section, patches, "precision")
}

fn kafka(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    for (old, new) in [("ca", "tls_ca"), ("certificate", "tls_cert"), ("key", "tls_key")] {
        move_string(section, patches, old, new)?;
    }
    let (Some(header), Some(entry)) =
        (section.string("metric_name_header")?, section.get("metric_name_header"))
    else {
        return Ok(None);
    };
    const NAME: &str = "\"{{ .Name }}\"";
    match section.below("headers").first() {
        _ if header.is_empty() => patches.remove(entry)?,
        None => {
            patches.rename(entry, "headers");
            patches.set(entry, format!("{{ {} = {NAME} }}", quoted(header)));
        }
        Some(headers) => {
            if headers.get(header).is_some() {
                return Err(contradiction("metric_name_header", "headers"));
            }
            patches.add(headers, &quoted(header), NAME);
            patches.remove(entry)?;
        }
    }
    Ok(None)
}

fn enumeration(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    for mapping in section.below("mapping") {
        into_list(&mapping, patches, "tag", "tags")?;
        into_list(&mapping, patches, "field", "fields")?;
    }
    Ok(None)
}
