//! Which beans and attributes are read, and what their values are called: one table `metric` of the
//! settings.
//!
//! # References
//! Telegraf's `inputs.jolokia2_agent`; `javax.management.ObjectName` for the names of beans.

use serde::{Deserialize, Serialize};

/// One table `metric` as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct MetricConfig {
    pub(super) name: String,
    pub(super) mbean: String,
    pub(super) paths: Vec<String>,
    pub(super) tag_keys: Vec<String>,
    pub(super) tag_prefix: Option<String>,
    pub(super) field_prefix: Option<String>,
    pub(super) field_separator: Option<String>,
    pub(super) field_name: Option<String>,
}

/// What counts where a table `metric` does not say it itself.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    pub(super) tag_prefix: String,
    pub(super) field_prefix: String,
    pub(super) field_separator: String,
}

/// A table `metric` that lacks something.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("metric {number} has no '{option}'")]
pub(super) struct Incomplete {
    /// Counted from one, in the order of the file.
    number: usize,
    option: &'static str,
}

/// The beans, the attributes and the names of what comes of them.
#[derive(Debug)]
pub(super) struct Selection {
    /// Name of the measurement.
    pub(super) name: String,
    /// The bean, or a pattern of beans, as it is asked for.
    pub(super) mbean: String,
    /// Attributes, and paths into their values after a slash; all attributes if there are none.
    pub(super) paths: Vec<String>,
    pub(super) tag_keys: Vec<String>,
    pub(super) tag_prefix: String,
    pub(super) field_prefix: String,
    pub(super) field_separator: String,
    /// Takes the place of the attribute's own name; none if empty.
    pub(super) field_name: String,
    /// The key properties whose values `$1`, `$2` and so on stand for.
    pub(super) placeholders: Vec<Placeholder>,
}

/// A key property that the pattern leaves open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// Such as `$1`.
    pub(super) symbol: String,
    /// The key of the property.
    pub(super) key: String,
}

/// A read of one bean or pattern, as the agent is asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ReadRequest {
    #[serde(rename = "type")]
    kind: ReadKind,
    mbean: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<RequestedAttributes>,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
}

/// The only operation that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ReadKind {
    Read,
}

/// One attribute is asked for by its name, several by a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum RequestedAttributes {
    One(String),
    Several(Vec<String>),
}

impl ReadRequest {
    fn new(mbean: &str, mut attributes: Vec<String>, path: &str) -> ReadRequest {
        let attribute = match attributes.len() {
            0 => None,
            1 => attributes.pop().map(RequestedAttributes::One),
            _ => Some(RequestedAttributes::Several(attributes)),
        };
        ReadRequest {
            kind: ReadKind::Read,
            mbean: mbean.to_owned(),
            attribute,
            path: path.to_owned(),
        }
    }
}

impl Selection {
    /// Completes one table of the settings, the `number`th.
    ///
    /// # Errors
    /// If the name of the measurement or of the bean is missing.
    pub(super) fn new(
        number: usize,
        config: MetricConfig,
        defaults: &Defaults,
    ) -> Result<Selection, Incomplete> {
        for (option, value) in [("name", &config.name), ("mbean", &config.mbean)] {
            if value.is_empty() {
                return Err(Incomplete { number, option });
            }
        }
        let or = |own: Option<String>, default: &String| own.unwrap_or_else(|| default.clone());
        Ok(Selection {
            tag_prefix: or(config.tag_prefix, &defaults.tag_prefix),
            field_prefix: or(config.field_prefix, &defaults.field_prefix),
            field_separator: or(config.field_separator, &defaults.field_separator),
            field_name: config.field_name.unwrap_or_default(),
            placeholders: placeholders(&config.mbean),
            name: config.name,
            mbean: config.mbean,
            paths: config.paths,
            tag_keys: config.tag_keys,
        })
    }

    /// The reads that it takes: one for all plain attributes, and one for each path into a value.
    pub(super) fn requests(&self) -> Vec<ReadRequest> {
        if self.paths.is_empty() {
            return vec![ReadRequest::new(&self.mbean, Vec::new(), "")];
        }
        let split = self.paths.iter().map(|path| path.split_once('/').unwrap_or((path, "")));
        let (mut deep, plain): (Vec<_>, Vec<_>) = split.partition(|(_, path)| !path.is_empty());
        // What is asked for as a whole is in the first read only if nothing of it is asked for by
        // a path.
        let is_deep = |attribute: &str| deep.iter().any(|(other, _)| *other == attribute);
        let mut whole: Vec<_> = plain
            .into_iter()
            .filter(|(attribute, _)| !is_deep(attribute))
            .map(|(attribute, _)| attribute.to_owned())
            .collect();
        whole.sort();
        whole.dedup();
        deep.sort_by_key(|(attribute, _)| *attribute);
        let mut requests = Vec::new();
        if !whole.is_empty() {
            requests.push(ReadRequest::new(&self.mbean, whole, ""));
        }
        requests.extend(deep.into_iter().map(|(attribute, path)| {
            ReadRequest::new(&self.mbean, vec![attribute.to_owned()], path)
        }));
        requests
    }

    /// Whether an answer to a read of these attributes of this bean is one to a read of this.
    pub(super) fn matches(&self, mbean: &str, attributes: &[String], path: &str) -> bool {
        is_same_name(&self.mbean, mbean)
            && match self.paths.is_empty() {
                true => attributes.is_empty(),
                false => attributes.iter().any(|attribute| self.has_path(attribute, path)),
            }
    }

    fn has_path(&self, attribute: &str, path: &str) -> bool {
        self.paths.iter().any(|own| match own.strip_prefix(attribute) {
            Some("") => path.is_empty(),
            Some(rest) => !path.is_empty() && rest.strip_prefix('/') == Some(path),
            None => false,
        })
    }
}

/// Whether two names are the same but for the order of their key properties: agents return them in
/// their own.
fn is_same_name(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let (Some((domain, properties)), Some((other_domain, other_properties))) =
        (one.split_once(':'), other.split_once(':'))
    else {
        return false;
    };
    domain == other_domain
        && properties.split(',').count() == other_properties.split(',').count()
        && properties
            .split(',')
            .all(|property| other_properties.split(',').any(|other| other == property))
}

/// The key properties of a bean, in the order in which they stand in its name.
pub(super) fn properties(mbean: &str) -> impl Iterator<Item = (&str, &str)> {
    let list = match mbean.split_once(':') {
        Some((domain, list)) if !domain.is_empty() => list,
        _ => "",
    };
    list.split(',').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| !key.is_empty())
}

/// The properties of a pattern that hold a `*`, numbered from one.
fn placeholders(mbean: &str) -> Vec<Placeholder> {
    properties(mbean)
        .filter(|(_, value)| value.contains('*'))
        .zip(1..)
        .map(|((key, _), number)| Placeholder { symbol: format!("${number}"), key: key.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selection(mbean: &str, paths: &[&str]) -> Selection {
        let config = MetricConfig {
            name: "m".into(),
            mbean: mbean.into(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..MetricConfig::default()
        };
        let defaults = Defaults {
            tag_prefix: "t_".into(),
            field_prefix: String::new(),
            field_separator: ".".into(),
        };
        Selection::new(1, config, &defaults).unwrap()
    }

    #[test]
    fn plain_attributes_are_read_at_once_and_each_path_on_its_own() {
        let cases: [(&[&str], &str); 7] = [
            (&[], r#"[{"type":"read","mbean":"d:k=v"}]"#),
            (&["A"], r#"[{"type":"read","mbean":"d:k=v","attribute":"A"}]"#),
            (&["B", "A", "B"], r#"[{"type":"read","mbean":"d:k=v","attribute":["A","B"]}]"#),
            (&["A/b"], r#"[{"type":"read","mbean":"d:k=v","attribute":"A","path":"b"}]"#),
            (&["A/b/c/d"], r#"[{"type":"read","mbean":"d:k=v","attribute":"A","path":"b/c/d"}]"#),
            (
                &["C", "B/y", "A/z", "A/a"],
                r#"[{"type":"read","mbean":"d:k=v","attribute":"C"},
                    {"type":"read","mbean":"d:k=v","attribute":"A","path":"z"},
                    {"type":"read","mbean":"d:k=v","attribute":"A","path":"a"},
                    {"type":"read","mbean":"d:k=v","attribute":"B","path":"y"}]"#,
            ),
            // The whole is asked for as well, but then by its path only.
            (&["A", "A/b"], r#"[{"type":"read","mbean":"d:k=v","attribute":"A","path":"b"}]"#),
        ];
        for (paths, expected) in cases {
            let requests = serde_json::to_value(selection("d:k=v", paths).requests()).unwrap();
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(requests, expected, "{paths:?}");
        }
    }

    #[test]
    fn answers_are_matched_by_bean_attribute_and_path() {
        type Case = (&'static str, Paths, &'static str, Paths, &'static str, bool);
        type Paths = &'static [&'static str];
        let cases: [Case; 14] = [
            ("d:a=1,b=*", &[], "d:a=1,b=*", &[], "", true),
            ("d:a=1,b=*", &[], "d:b=*,a=1", &[], "", true),
            ("d:a=1,b=*", &[], "d:a=1", &[], "", false),
            ("d:a=1", &[], "d:a=1,b=*", &[], "", false),
            ("d:a=1", &[], "e:a=1", &[], "", false),
            ("d:a=1", &[], "nonsense", &[], "", false),
            ("nonsense", &[], "nonsense", &[], "", true),
            ("d:a=1", &[], "d:a=1", &["A"], "", false),
            ("d:a=1", &["A", "B"], "d:a=1", &["B"], "", true),
            ("d:a=1", &["A"], "d:a=1", &["C", "A"], "", true),
            ("d:a=1", &["A"], "d:a=1", &["A"], "p", false),
            ("d:a=1", &["A/p"], "d:a=1", &["A"], "p", true),
            ("d:a=1", &["A/p"], "d:a=1", &["A"], "", false),
            ("d:a=1", &["Ab"], "d:a=1", &["A"], "b", false),
        ];
        for (mbean, paths, answered, attributes, path, expected) in cases {
            let attributes: Vec<_> = attributes.iter().map(|a| (*a).to_owned()).collect();
            let matches = selection(mbean, paths).matches(answered, &attributes, path);
            assert_eq!(matches, expected, "{mbean} {paths:?}: {answered} {attributes:?} {path}");
        }
    }

    #[test]
    fn what_a_pattern_leaves_open_is_numbered() {
        let symbols = |mbean| -> Vec<String> {
            let list = placeholders(mbean);
            list.into_iter().map(|p| format!("{}={}", p.symbol, p.key)).collect()
        };
        assert_eq!(symbols("d:name=*,type=T,request=x*y"), ["$1=name", "$2=request"]);
        assert_eq!(symbols("d:name=a,*"), [""; 0]);
        assert_eq!(symbols("d*:name=a"), [""; 0]);
        assert_eq!(symbols(":name=*"), [""; 0]);
    }

    #[test]
    fn options_that_are_left_out_have_the_default_of_the_plugin_and_empty_ones_have_not() {
        let defaults = Defaults {
            tag_prefix: "t_".into(),
            field_prefix: "f_".into(),
            field_separator: "-".into(),
        };
        let config =
            MetricConfig { name: "m".into(), mbean: "d:k=v".into(), ..MetricConfig::default() };
        let names =
            |s: &Selection| [&s.tag_prefix, &s.field_prefix, &s.field_separator].map(Clone::clone);
        let plain = Selection::new(1, config.clone(), &defaults).unwrap();
        assert_eq!(names(&plain), ["t_", "f_", "-"]);
        let (tag_prefix, field_prefix) = (Some(String::new()), Some("own".into()));
        let own = MetricConfig { tag_prefix, field_prefix, ..config };
        assert_eq!(names(&Selection::new(1, own, &defaults).unwrap()), ["", "own", "-"]);
    }

    #[test]
    fn a_selection_without_a_name_or_a_bean_is_refused() {
        let defaults = Defaults {
            tag_prefix: String::new(),
            field_prefix: String::new(),
            field_separator: String::new(),
        };
        let refused = |name: &str, mbean: &str| {
            let (name, mbean) = (name.into(), mbean.into());
            let config = MetricConfig { name, mbean, ..MetricConfig::default() };
            Selection::new(3, config, &defaults).unwrap_err().to_string()
        };
        assert_eq!(refused("", "d:k=v"), "metric 3 has no 'name'");
        assert_eq!(refused("m", ""), "metric 3 has no 'mbean'");
    }

    proptest! {
        #[test]
        fn the_order_of_key_properties_does_not_matter(
            mut list in proptest::collection::vec("[a-z]{1,3}=[a-z*]{0,3}", 1..6),
        ) {
            let one = format!("domain:{}", list.join(","));
            list.reverse();
            let other = format!("domain:{}", list.join(","));
            prop_assert!(is_same_name(&one, &other));
        }
    }
}
