//! Sprig's functions of paths, addresses and the environment.

use std::collections::BTreeMap;

use super::super::data::Data;
use super::{Answer, Call, Function, dict_of, takes};
use crate::system::environment_variable;

pub(super) const FUNCTIONS: &[Function] = &[
    takes(1, "base", |call| map(call, |path| base(path).to_owned())),
    takes(1, "dir", |call| map(call, dir)),
    takes(1, "clean", |call| map(call, clean)),
    takes(1, "ext", |call| map(call, |path| extension(path).to_owned())),
    takes(1, "isAbs", |call| Ok(Data::Boolean(call.text(0)?.starts_with('/')))),
    takes(1, "osBase", |call| map(call, |path| base(path).to_owned())),
    takes(1, "osDir", |call| map(call, dir)),
    takes(1, "osClean", |call| map(call, clean)),
    takes(1, "osExt", |call| map(call, |path| extension(path).to_owned())),
    takes(1, "osIsAbs", |call| Ok(Data::Boolean(call.text(0)?.starts_with('/')))),
    takes(1, "env", |call| map(call, |name| environment_variable(name).unwrap_or_default())),
    takes(1, "expandenv", |call| map(call, expand)),
    takes(1, "urlParse", |call| Ok(parse_url(call.text(0)?))),
    takes(1, "urlJoin", join_url),
];

fn map<'a>(call: &Call<'_, 'a>, change: impl FnOnce(&str) -> String) -> Answer<'a> {
    Ok(Data::text(change(call.text(0)?)))
}

/// The last element of a path.
fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => path.rsplit('/').next().unwrap_or(path),
    }
}

/// All but the last element of a path.
fn dir(path: &str) -> String {
    clean(&path[..path.rfind('/').map_or(0, |slash| slash + 1)])
}

fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |point| &name[point..])
}

/// The shortest path that leads to the same place.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if is_rooted => {}
            element => kept.push(element),
        }
    }
    match (is_rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

/// Puts the values of variables in place of `$NAME` and `${NAME}`.
fn expand(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let (name, behind) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, behind)) => (name, behind),
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&environment_variable(name).unwrap_or_default());
        }
        rest = behind;
    }
    out + rest
}

/// The parts of an address.
fn parse_url<'a>(url: &str) -> Data<'a> {
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), url),
    };
    let (authority, path, opaque) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (authority, path, "")
        }
        None if !scheme.is_empty() && !rest.starts_with('/') => ("", "", rest),
        None => ("", rest, ""),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let name = match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let parts = [
        ("scheme", scheme.as_str()),
        ("host", host),
        ("hostname", name),
        ("path", path),
        ("query", query),
        ("opaque", opaque),
        ("fragment", fragment),
        ("userinfo", user),
    ];
    dict_of(parts.map(|(key, value)| (key.to_owned(), Data::text(value.to_owned()))))
}

fn join_url<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut parts = BTreeMap::new();
    for (key, value) in call.dict(0)?.entries() {
        match value {
            Data::Text(text) => parts.insert(key, text),
            other => {
                let kind = other.kind_name();
                return Err(call.failure(format!(
                    "unable to parse {key} key, must be of type string, but {kind} found"
                )));
            }
        };
    }
    let part = |key: &str| parts.get(key).map_or("", |text| text.as_ref());
    let with = |before: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{before}{text}"),
    };
    let mut url = match part("scheme") {
        "" => String::new(),
        scheme => format!("{scheme}:"),
    };
    if part("opaque").is_empty() {
        if !part("host").is_empty() || !part("userinfo").is_empty() {
            url.push_str("//");
            url.push_str(&match part("userinfo") {
                "" => String::new(),
                user => format!("{user}@"),
            });
            url.push_str(part("host"));
            if !part("path").is_empty() && !part("path").starts_with('/') {
                url.push('/');
            }
        }
        url.push_str(part("path"));
    } else {
        url.push_str(part("opaque"));
    }
    url.push_str(&with("?", part("query")));
    url.push_str(&with("#", part("fragment")));
    Ok(Data::text(url))
}
