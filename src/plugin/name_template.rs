//! Templates that take dotted names apart into a measurement, tags and a field.
//!
//! A template is `[separator] [filter] <template> [tag=value,…]`. The filter, in which `*` stands for
//! any one part, says which names it is for; the most exact one wins. The template's parts say what
//! becomes of the parts of a name: `measurement`, `measurement*` for all from there, `field`,
//! `field*`, nothing for leaving the part out, and any other word for a tag of that name.
//!
//! # References
//! Telegraf's `internal/templating` and its `TEMPLATE_PATTERN.md`.

use std::cmp::Ordering;

use compact_str::CompactString;

use super::Quoted;

/// What a name is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameParts {
    /// The measurement; empty if the name is too short for the template.
    pub measurement: CompactString,
    /// Tags, each key once.
    pub tags: Vec<(CompactString, CompactString)>,
    /// The field; empty if the template has none.
    pub field: CompactString,
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameTemplateError {
    /// Nothing would be the measurement.
    #[error("no measurement specified for template. {}", Quoted::new(.0))]
    NoMeasurement(String),
    /// Two parts want all the rest.
    #[error(
        "either 'field*' or 'measurement*' can be used in each template (but not both together): {}",
        Quoted::new(.0)
    )]
    TwoRests(String),
    /// What should be tags is none.
    #[error("invalid template tags: {}", Quoted::new(.0))]
    Tags(String),
}

/// Templates, the one to use found by the name.
#[derive(Debug, Clone)]
pub struct NameTemplates {
    joiner: String,
    default: Template,
    separator: String,
    root: Node,
}

#[derive(Debug, Clone)]
struct Template {
    separator: String,
    parts: Vec<Part>,
    tags: Vec<(CompactString, CompactString)>,
}

/// What becomes of a part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Measurement,
    MeasurementRest,
    Field,
    FieldRest,
    Tag(CompactString),
    Skip,
}

/// Filters as a tree of their parts, the wildcard last among those of one parent.
#[derive(Debug, Clone, Default)]
struct Node {
    part: String,
    children: Vec<Node>,
    template: Option<Template>,
}

/// A template in the settings, taken apart.
struct Spec<'s> {
    separator: &'s str,
    filter: &'s str,
    template: &'s str,
    tags: &'s str,
}

impl NameTemplates {
    /// Reads templates; parts that belong together are joined by `joiner`. A name that none is for
    /// becomes a measurement whole, its parts joined.
    ///
    /// # Errors
    /// The first template that cannot be used.
    pub fn new(templates: &[String], joiner: &str) -> Result<NameTemplates, NameTemplateError> {
        let mut specs: Vec<_> = templates.iter().filter_map(|text| Spec::parse(text)).collect();
        specs.sort_by(Spec::order);
        let mut all = NameTemplates {
            joiner: joiner.to_owned(),
            default: Template {
                separator: ".".to_owned(),
                parts: vec![Part::MeasurementRest],
                tags: Vec::new(),
            },
            separator: ".".to_owned(),
            root: Node::default(),
        };
        for spec in specs {
            let template = Template::new(&spec)?;
            all.separator.clone_from(&template.separator);
            if spec.filter.is_empty() {
                all.default = template;
            } else {
                all.root.insert(spec.filter.split(spec.separator), template);
            }
        }
        Ok(all)
    }

    /// Takes a name apart.
    pub fn apply(&self, name: &str) -> NameParts {
        let found = match self.root.children.is_empty() {
            true => None,
            false => {
                let parts: Vec<_> = name.split(self.separator.as_str()).collect();
                self.root.search(&parts)
            }
        };
        found.unwrap_or(&self.default).apply(name, &self.joiner)
    }
}

impl<'s> Spec<'s> {
    fn parse(text: &'s str) -> Option<Spec<'s>> {
        let parts: Vec<_> = text.split_whitespace().collect();
        let spec = |separator, filter, template, tags| Spec { separator, filter, template, tags };
        match parts[..] {
            [] => None,
            [_] => Some(spec(".", "", text, "")),
            [template, tags] if tags.contains('=') => Some(spec(".", "", template, tags)),
            [filter, template] => Some(spec(".", filter, template, "")),
            [filter, template, tags] if tags.contains('=') => {
                Some(spec(".", filter, template, tags))
            }
            [separator, filter, template] => Some(spec(separator, filter, template, "")),
            [separator, filter, template, tags] => Some(spec(separator, filter, template, tags)),
            // Of more words the last two count.
            [.., template, tags] if tags.contains('=') => Some(spec(".", "", template, tags)),
            [separator, filter, .., template] => Some(spec(separator, filter, template, "")),
        }
    }

    /// Those without a filter come first, then those with fewer parts.
    fn order(&self, other: &Spec<'_>) -> Ordering {
        let parts = |spec: &Spec<'_>| spec.template.matches(spec.separator).count();
        match (self.filter.is_empty(), other.filter.is_empty()) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => parts(self).cmp(&parts(other)),
        }
    }
}

impl Template {
    fn new(spec: &Spec<'_>) -> Result<Template, NameTemplateError> {
        let words: Vec<_> = spec.template.split(spec.separator).collect();
        if !words.iter().any(|word| word.starts_with("measurement")) {
            return Err(NameTemplateError::NoMeasurement(spec.template.to_owned()));
        }
        if words.contains(&"measurement*") && words.contains(&"field*") {
            return Err(NameTemplateError::TwoRests(spec.template.to_owned()));
        }
        let part = |word: &&str| match *word {
            "" => Part::Skip,
            "measurement" => Part::Measurement,
            "measurement*" => Part::MeasurementRest,
            "field" => Part::Field,
            "field*" => Part::FieldRest,
            tag => Part::Tag(tag.into()),
        };
        let mut tags: Vec<(CompactString, CompactString)> = Vec::new();
        for tag in spec.tags.split(',').filter(|_| !spec.tags.is_empty()) {
            let mut pair = tag.split('=');
            let (Some(key), Some(value)) = (pair.next(), pair.next()) else {
                return Err(NameTemplateError::Tags(spec.tags.to_owned()));
            };
            tags.retain(|(existing, _)| existing != key);
            tags.push((key.into(), value.into()));
        }
        let separator = spec.separator.to_owned();
        Ok(Template { separator, parts: words.iter().map(part).collect(), tags })
    }

    fn apply(&self, name: &str, joiner: &str) -> NameParts {
        let mut parts = NameParts { tags: self.tags.clone(), ..NameParts::default() };
        // A part may be empty, so that being the first is told by nothing having come before.
        let (mut measurements, mut fields) = (0, 0);
        let mut words = name.split(self.separator.as_str());
        for part in &self.parts {
            let rest = words.clone();
            let Some(word) = words.next() else { break };
            match part {
                Part::Skip => {}
                Part::Measurement => join(&mut parts.measurement, &mut measurements, word, joiner),
                Part::Field => join(&mut parts.field, &mut fields, word, joiner),
                Part::MeasurementRest => rest.for_each(|word| {
                    join(&mut parts.measurement, &mut measurements, word, joiner);
                }),
                Part::FieldRest => {
                    rest.for_each(|word| join(&mut parts.field, &mut fields, word, joiner));
                }
                Part::Tag(key) => match parts.tags.iter_mut().find(|(known, _)| known == key) {
                    Some((_, value)) => join(value, &mut 1, word, joiner),
                    None => parts.tags.push((key.clone(), word.into())),
                },
            }
        }
        parts
    }
}

fn join(text: &mut CompactString, count: &mut usize, word: &str, joiner: &str) {
    if *count > 0 {
        text.push_str(joiner);
    }
    *count += 1;
    text.push_str(word);
}

impl Node {
    fn insert<'f>(&mut self, mut filter: impl Iterator<Item = &'f str>, template: Template) {
        let Some(part) = filter.next() else {
            self.template = Some(template);
            return;
        };
        let at = match self.children.iter().position(|child| child.part == part) {
            Some(at) => at,
            None => {
                let wildcard_last = |text: &str| (text == "*", text.to_owned());
                let key = wildcard_last(part);
                let at = self.children.partition_point(|child| wildcard_last(&child.part) < key);
                self.children.insert(at, Node { part: part.to_owned(), ..Node::default() });
                at
            }
        };
        self.children[at].insert(filter, template);
    }

    fn search(&self, name: &[&str]) -> Option<&Template> {
        let Some((first, rest)) = name.split_first().filter(|_| !self.children.is_empty()) else {
            return self.template.as_ref();
        };
        let (wildcard, exact) = match self.children.split_last() {
            Some((last, others)) if last.part == "*" => (Some(last), others),
            _ => (None, &self.children[..]),
        };
        let same = exact.iter().find(|child| child.part == *first);
        if let Some(template) = same.and_then(|child| child.search(rest)) {
            return Some(template);
        }
        match wildcard {
            Some(wildcard) => wildcard.search(rest),
            None => self.template.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(templates: &[&str], name: &str) -> String {
        let templates: Vec<_> = templates.iter().map(|text| (*text).to_owned()).collect();
        let parts = NameTemplates::new(&templates, "_").unwrap().apply(name);
        let mut tags: Vec<_> =
            parts.tags.iter().map(|(key, value)| format!(",{key}={value}")).collect();
        tags.sort();
        format!("{}{} {}", parts.measurement, tags.concat(), parts.field)
    }

    #[test]
    fn parts_of_names_become_what_the_template_says() {
        for (templates, name, parts) in [
            (&[][..], "a.b.c", "a_b_c "),
            (&["measurement.host.field"], "cpu.one.load", "cpu,host=one load"),
            (&["measurement.field*"], "cpu.load.short", "cpu load_short"),
            (&["measurement.measurement.region.region"], "a.b.us.west", "a_b,region=us_west "),
            (&[".host.measurement"], "skipped.one.cpu", "cpu,host=one "),
            (&["measurement.host.field"], "cpu", "cpu "),
            (&["measurement* x=1,y=2"], "a.b", "a_b,x=1,y=2 "),
            (&["measurement.x x=1"], "a.b", "a,x=1_b "),
            (&["_ cpu_* measurement_host"], "cpu_one", "cpu,host=one "),
            (&["cpu.* measurement.host", "mem.* measurement.zone"], "mem.a", "mem,zone=a "),
            (&["cpu.* measurement.host"], "disk.a", "disk_a "),
        ] {
            assert_eq!(apply(templates, name), parts, "{templates:?} {name}");
        }
    }

    #[test]
    fn the_most_exact_filter_wins() {
        let templates =
            ["*.* measurement.any", "a.* measurement.some", "a.b measurement.this", ".measurement"];
        assert_eq!(apply(&templates, "a.b"), "a,this=b ");
        assert_eq!(apply(&templates, "a.c"), "a,some=c ");
        assert_eq!(apply(&templates, "x.y"), "x,any=y ");
        assert_eq!(apply(&templates, "x"), " ", "the wildcards have no template of their own here");
    }

    #[test]
    fn templates_that_cannot_be_used_are_refused() {
        let error =
            |text: &str| NameTemplates::new(&[text.to_owned()], "_").unwrap_err().to_string();
        assert_eq!(error("host.field"), "no measurement specified for template. \"host.field\"");
        assert!(error("measurement*.field*").starts_with("either 'field*' or 'measurement*'"));
        assert_eq!(error(". a.* measurement.b tag"), "invalid template tags: \"tag\"");
    }
}
