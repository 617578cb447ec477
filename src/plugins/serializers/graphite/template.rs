//! Names made of metrics by templates.

use crate::metric::Metric;
use crate::plugin::{Patterns, Quoted};

/// The template where no option has one.
const DEFAULT: &str = "host.tags.measurement.field";

/// What stands for the field in a name that is made once for all fields.
const FIELD: &str = "FIELDNAME";

/// Templates by measurement.
pub(super) struct Templates {
    some: Vec<(Patterns, NameTemplate)>,
    other: NameTemplate,
}

/// How a name is made of a metric.
pub(super) struct NameTemplate {
    parts: Vec<Part>,
}

enum Part {
    Measurement,
    Tags,
    Field,
    Tag(String),
}

impl Templates {
    pub(super) fn new(template: &str, templates: &[String]) -> Result<Templates, String> {
        let mut other = template;
        let mut some = Vec::new();
        for (at, text) in templates.iter().enumerate() {
            match text.split_whitespace().collect::<Vec<_>>().as_slice() {
                [] => return Err(format!("missing template at position: {at}")),
                [_] => other = text,
                [pattern, template] => {
                    let patterns = Patterns::new(&[(*pattern).to_owned()])
                        .map_err(|error| format!("templates: {error}"))?;
                    if let Some(patterns) = patterns {
                        some.push((patterns, NameTemplate::new(template)));
                    }
                }
                _ => return Err(format!("invalid template format: {}", Quoted::new(text))),
            }
        }
        let other = NameTemplate::new(if other.is_empty() { DEFAULT } else { other });
        Ok(Templates { some, other })
    }

    /// The template for a measurement.
    pub(super) fn of(&self, measurement: &str) -> &NameTemplate {
        let found = self.some.iter().find(|(patterns, _)| patterns.match_any(measurement));
        found.map_or(&self.other, |(_, template)| template)
    }
}

impl NameTemplate {
    fn new(text: &str) -> NameTemplate {
        let part = |part| match part {
            "measurement" => Part::Measurement,
            "tags" => Part::Tags,
            "field" => Part::Field,
            key => Part::Tag(key.to_owned()),
        };
        NameTemplate { parts: text.split('.').map(part).collect() }
    }

    /// The name of a metric with a word that stands for the field; none if nothing is left of it.
    pub(super) fn bucket(&self, metric: &Metric, prefix: &str) -> Option<String> {
        // Of a tag that the template names twice the second is none.
        let mut named: Vec<&str> = Vec::new();
        let mut parts: Vec<Option<String>> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Measurement => parts.push(Some(metric.name.to_string())),
                Part::Tags => parts.push(None),
                Part::Field => parts.push(Some(FIELD.to_owned())),
                Part::Tag(key) => {
                    if let Some(value) = metric.tag(key).filter(|_| !named.contains(&key.as_str()))
                    {
                        parts.push(Some(value.replace('.', "_")));
                        named.push(key);
                    }
                }
            }
        }
        if parts.is_empty() {
            return None;
        }
        let others = metric.tags().iter().filter(|tag| !named.contains(&tag.key.as_str()));
        let others: Vec<_> = others.map(|tag| tag.value.replace('.', "_")).collect();
        let mut others = Some(others.join("."));
        let mut name = String::from(prefix);
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 || !prefix.is_empty() {
                name.push('.');
            }
            match part {
                // A tag or measurement of that name is taken for the place of the tags as well.
                Some(part) if part != "TAGS" || others.is_none() => name.push_str(&part),
                _ => name.push_str(&others.take().unwrap_or_else(|| "TAGS".to_owned())),
            }
        }
        Some(name)
    }
}

/// Puts a field's key in its place in a name; one called `value` is left out with its dot.
pub(super) fn with_field(bucket: &str, field: &str) -> String {
    if field != "value" {
        return bucket.replacen(FIELD, field, 1);
    }
    let mut name = String::with_capacity(bucket.len());
    let mut rest = bucket;
    while let Some(at) = rest.find(FIELD) {
        let (before, after) = (&rest[..at], &rest[at + FIELD.len()..]);
        if let Some(before) = before.strip_suffix('.') {
            name.push_str(before);
            rest = after;
        } else if let Some(after) = after.strip_prefix('.') {
            name.push_str(before);
            rest = after;
        } else {
            name.push_str(&rest[..at + FIELD.len()]);
            rest = after;
        }
    }
    name.push_str(rest);
    name
}
