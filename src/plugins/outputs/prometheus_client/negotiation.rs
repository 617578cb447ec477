//! What a caller understands.
//!
//! # References
//! RFC 9110, 12.5; `expfmt.Negotiate` of Prometheus for `escaping`.

use std::str::FromStr;

use crate::http::{ContentEncoding, Headers};
use crate::plugin::exposition::Escaping;

/// How names are to be written, as the values of `Accept` that count most ask for it.
pub(super) fn escaping(headers: &Headers) -> Escaping {
    let mut accepted: Vec<Choice<'_>> = choices(headers.get("Accept")).collect();
    accepted.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let mut escaping = Escaping::default();
    for choice in accepted {
        escaping = choice.parameter("escaping").and_then(Escaping::parse).unwrap_or(escaping);
        let is_text = choice.value == "text/plain";
        if is_text && matches!(choice.parameter("version"), None | Some("" | "0.0.4")) {
            break;
        }
    }
    escaping
}

/// How the body is to be packed.
pub(super) fn encoding(headers: &Headers) -> ContentEncoding {
    let weight = |name: &str| {
        let fitting = choices(headers.get("Accept-Encoding"))
            .filter(|choice| choice.value == "*" || choice.value.eq_ignore_ascii_case(name));
        fitting.map(|choice| choice.weight).fold(-1.0, f64::max)
    };
    let gzip = weight("gzip");
    match gzip > 0.0 && gzip > weight("identity") {
        true => ContentEncoding::Gzip,
        false => ContentEncoding::Identity,
    }
}

/// One of the values that a caller lists.
struct Choice<'h> {
    value: &'h str,
    parameters: &'h str,
    weight: f64,
}

impl<'h> Choice<'h> {
    fn parameter(&self, name: &str) -> Option<&'h str> {
        self.parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    }
}

fn choices(header: Option<&str>) -> impl Iterator<Item = Choice<'_>> {
    header.unwrap_or_default().split(',').filter_map(|part| {
        let (value, parameters) = part.split_once(';').unwrap_or((part, ""));
        let mut choice = Choice { value: value.trim(), parameters, weight: 1.0 };
        if let Some(weight) = choice.parameter("q") {
            choice.weight = f64::from_str(weight).unwrap_or(1.0);
        }
        (!choice.value.is_empty()).then_some(choice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_caller_likes_best() {
        for (accept, expected) in [
            ("", Escaping::Underscores),
            ("text/plain", Escaping::Underscores),
            ("text/plain;version=0.0.4;escaping=dots", Escaping::Dots),
            ("text/plain; escaping=nonsense", Escaping::Underscores),
            // The first is read last; the second is what is answered.
            ("a/b;escaping=dots;q=0.1,text/plain;escaping=values;q=0.9", Escaping::Values),
            // As Prometheus asks.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Escaping::None,
            ),
        ] {
            let mut headers = Headers::new();
            headers.set("Accept", accept);
            assert_eq!(escaping(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn bodies_are_packed_for_callers_that_like_it() {
        for (accepted, expected) in [
            ("", ContentEncoding::Identity),
            ("gzip", ContentEncoding::Gzip),
            ("zstd, GZIP;q=0.5", ContentEncoding::Gzip),
            ("gzip;q=0", ContentEncoding::Identity),
            ("gzip, identity", ContentEncoding::Identity),
            ("*", ContentEncoding::Identity),
            ("br", ContentEncoding::Identity),
        ] {
            let mut headers = Headers::new();
            headers.set("Accept-Encoding", accepted);
            assert_eq!(encoding(&headers), expected, "{accepted}");
        }
    }
}
