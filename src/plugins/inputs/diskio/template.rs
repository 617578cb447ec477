//! Names made from properties of devices, as in `$DM_VG_NAME/${DM_LV_NAME}`.

use std::collections::HashMap;

/// A name with properties in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Property(String),
}

impl Template {
    /// Compiles a template; a `$` without a name after it stands for itself.
    pub(super) fn new(template: &str) -> Template {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            match split_name(after) {
                Some((name, after)) => {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(Part::Property(name.to_owned()));
                    rest = after;
                }
                None => {
                    text.push('$');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        parts.retain(|part| *part != Part::Text(String::new()));
        Template(parts)
    }

    /// The name; none if one of the properties is missing.
    pub(super) fn fill(&self, properties: &HashMap<String, String>) -> Option<String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Property(property) => name.push_str(properties.get(property)?),
            }
        }
        Some(name)
    }
}

/// Splits the name of a property, perhaps in braces, from what comes after it.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (bare, is_braced) = match text.strip_prefix('{') {
        Some(bare) => (bare, true),
        None => (text, false),
    };
    let end = bare.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(bare.len());
    let (name, after) = bare.split_at(end);
    let after = if is_braced { after.strip_prefix('}')? } else { after };
    (!name.is_empty()).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn properties_stand_with_and_without_braces() {
        let properties = [("A", "1"), ("B_2", "x y"), ("E", "")];
        let properties = properties.map(|(name, value)| (name.into(), value.into())).into();
        for (template, expected) in [
            ("$A", Some("1")),
            ("$A/${B_2}", Some("1/x y")),
            ("${A}B", Some("1B")),
            ("$AB", None),
            ("$A$NONE", None),
            ("$E", Some("")),
            ("plain", Some("plain")),
            ("$", Some("$")),
            ("5$ ${A", Some("5$ ${A")),
            ("${}$A", Some("${}1")),
            ("$$A", Some("$1")),
            ("", Some("")),
        ] {
            assert_eq!(
                Template::new(template).fill(&properties).as_deref(),
                expected,
                "{template}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_template_makes_it_panic(template in "[${}aż_ ]{0,12}") {
            Template::new(&template).fill(&HashMap::new());
        }
    }
}
