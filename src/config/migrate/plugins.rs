//! Plugins that others have taken the place of.
//!
//! # References
//! Telegraf's `migrations/inputs_*`, for what of the old plugin becomes what of the new one.

use toml::de::DeValue;

use super::section::{Patches, Section, quoted};
use super::{Outcome, contradiction};
use crate::http::encode_pairs;

/// A plugin that is no more.
pub(super) struct Replaced {
    pub kind: &'static str,
    pub name: &'static str,
    /// The plugin that does its work now.
    pub by: &'static str,
    /// What changes beside the name.
    pub migrate: fn(&Section<'_>, &mut Patches) -> Outcome,
}

/// All plugins that can be migrated.
pub(super) const REPLACED: &[Replaced] = &[
    Replaced {
        kind: "inputs",
        name: "http_listener",
        by: "influxdb_listener",
        migrate: |_, _| Ok(Some("it is called influxdb_listener now".to_owned())),
    },
    Replaced { kind: "inputs", name: "httpjson", by: "http", migrate: httpjson },
    Replaced { kind: "inputs", name: "io", by: "diskio", migrate: |_, _| Ok(None) },
    Replaced { kind: "inputs", name: "logparser", by: "tail", migrate: logparser },
    Replaced { kind: "inputs", name: "tcp_listener", by: "socket_listener", migrate: tcp_listener },
    Replaced { kind: "inputs", name: "udp_listener", by: "socket_listener", migrate: udp_listener },
];

fn tcp_listener(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    address(section, patches, "tcp://")?;
    if let Some(entry) = section.get("max_tcp_connections") {
        patches.rename(entry, "max_connections");
    }
    pending_messages(section, patches)
}

fn udp_listener(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    address(section, patches, "udp://")?;
    if let Some(entry) = section.get("udp_buffer_size") {
        patches.rename(entry, "read_buffer_size");
    }
    let mut note = pending_messages(section, patches)?;
    if let Some(entry) = section.get("udp_packet_size") {
        patches.remove(entry)?;
        note = Some(format!(
            "{}'udp_packet_size' is gone, packets of any size are taken",
            note.map(|note| note + "; ").unwrap_or_default()
        ));
    }
    Ok(note)
}

fn address(section: &Section<'_>, patches: &mut Patches, scheme: &str) -> Result<(), String> {
    match (section.string("service_address")?, section.get("service_address")) {
        (Some(address), Some(entry)) => patches.set(entry, quoted(&format!("{scheme}{address}"))),
        // What the old plugin listened on if nothing was said.
        (None, _) | (_, None) => {
            let port = if scheme == "tcp://" { 8094 } else { 8092 };
            patches.add(section, "service_address", &quoted(&format!("{scheme}:{port}")));
        }
    }
    Ok(())
}

fn pending_messages(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    let Some(entry) = section.get("allowed_pending_messages") else { return Ok(None) };
    patches.remove(entry)?;
    Ok(Some("'allowed_pending_messages' is gone, socket_listener has no such queue".to_owned()))
}

fn httpjson(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    match (section.string("name")?, section.string("name_override")?) {
        (Some(name), Some(other)) if name != other => {
            return Err(contradiction("name", "name_override"));
        }
        _ => {}
    }
    match (section.get("name"), section.get("name_override")) {
        (Some(entry), None) => patches.rename(entry, "name_override"),
        (Some(entry), Some(_)) => patches.remove(entry)?,
        (None, None) => patches.add(section, "name_override", "\"httpjson\""),
        (None, Some(_)) => {}
    }
    if let Some(entry) = section.get("servers") {
        patches.rename(entry, "urls");
        if let Some(parameters) = section.get("parameters") {
            let servers = section.strings("servers")?.unwrap_or_default();
            let mut query = Vec::new();
            for parameter in section.below("parameters").iter().flat_map(Section::entries) {
                let DeValue::String(value) = parameter.value() else {
                    return Err(format!("parameter '{}' is no string", parameter.key()));
                };
                query.push((parameter.key().to_owned(), value.to_string()));
            }
            let query = query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let query = encode_pairs(query);
            let urls = servers.iter().map(|server| {
                let separator = if server.value.contains('?') { '&' } else { '?' };
                quoted(&format!("{}{separator}{query}", server.value))
            });
            patches.set(entry, format!("[{}]", urls.collect::<Vec<_>>().join(", ")));
            patches.remove_section(parameters)?;
        }
    }
    if let Some(entry) = section.get("response_timeout") {
        patches.rename(entry, "timeout");
    }
    if section.get("data_format").is_none() {
        patches.add(section, "data_format", "\"json\"");
    }
    Ok(Some(
        "metrics of inputs.http have no field 'response_time', and a tag 'url' in the place of \
         'server': please adapt what reads them"
            .to_owned(),
    ))
}

fn logparser(section: &Section<'_>, patches: &mut Patches) -> Outcome {
    match (section.boolean("from_beginning")?, section.get("from_beginning")) {
        (Some(is_from_beginning), Some(entry)) => {
            patches.rename(entry, "initial_read_offset");
            let offset = if is_from_beginning { "\"beginning\"" } else { "\"saved-or-end\"" };
            patches.set(entry, offset);
        }
        _ => patches.add(section, "initial_read_offset", "\"saved-or-end\""),
    }
    if let Some(grok) = section.get("grok") {
        for entry in section.below("grok").iter().flat_map(Section::entries) {
            let key = match entry.key() {
                "measurement" => "name_override".to_owned(),
                key => format!("grok_{key}"),
            };
            patches.add(section, &key, entry.written());
        }
        patches.remove_section(grok)?;
    }
    patches.add(section, "data_format", "\"grok\"");
    Ok(None)
}
