//! Rewriting of keys.

use compact_str::CompactString;

use super::{Conversion, ConversionError, replacer};
use crate::metric::Metric;
use crate::plugin::go::Replacer;

/// What happens to a key whose new name is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collision {
    /// Both stay as they are.
    Keep,
    /// The one renamed replaces the other.
    Overwrite,
}

impl Collision {
    fn new(conversion: &Conversion) -> Result<Collision, ConversionError> {
        match conversion.result_key.as_str() {
            "" | "keep" => Ok(Collision::Keep),
            "overwrite" => Ok(Collision::Overwrite),
            other => Err(ConversionError::ResultKey(other.to_owned())),
        }
    }
}

/// A conversion of the keys of tags.
pub(super) struct TagRenaming {
    replacer: Replacer,
    collision: Collision,
}

impl TagRenaming {
    pub(super) fn new(conversion: &Conversion) -> Result<TagRenaming, ConversionError> {
        let (replacer, collision) = (replacer(conversion)?, Collision::new(conversion)?);
        Ok(TagRenaming { replacer, collision })
    }

    pub(super) fn apply(&mut self, metric: &mut Metric) {
        let keys = metric.tags().iter().map(|tag| &tag.key);
        let mut collided = Vec::new();
        for (old, new) in renamings(&mut self.replacer, keys) {
            if metric.tag(&new).is_none() {
                rename_tag(metric, &old, new);
            } else if old != new {
                collided.push((old, new));
            }
        }
        if self.collision == Collision::Overwrite {
            for (old, new) in collided {
                rename_tag(metric, &old, new);
            }
        }
    }
}

fn rename_tag(metric: &mut Metric, old: &str, new: CompactString) {
    if let Some(value) = metric.remove_tag(old) {
        metric.set_tag(new, value);
    }
}

/// A conversion of the keys of fields.
pub(super) struct FieldRenaming {
    replacer: Replacer,
    collision: Collision,
}

impl FieldRenaming {
    pub(super) fn new(conversion: &Conversion) -> Result<FieldRenaming, ConversionError> {
        let (replacer, collision) = (replacer(conversion)?, Collision::new(conversion)?);
        Ok(FieldRenaming { replacer, collision })
    }

    pub(super) fn apply(&mut self, metric: &mut Metric) {
        let keys = metric.fields().iter().map(|field| &field.key);
        let mut collided = Vec::new();
        for (old, new) in renamings(&mut self.replacer, keys) {
            if metric.field(&new).is_none() {
                // Unlike with tags, whose order is that of their keys, the place stays.
                if let Some(field) = metric.fields_mut().iter_mut().find(|field| field.key == old) {
                    field.key = new;
                }
            } else if old != new {
                collided.push((old, new));
            }
        }
        if self.collision == Collision::Overwrite {
            for (old, new) in collided {
                if let Some(value) = metric.remove_field(&old) {
                    metric.set_field(new, value);
                }
            }
        }
    }
}

/// The keys that match with what becomes of them; a list without memory of its own if none does.
fn renamings<'m>(
    replacer: &mut Replacer,
    keys: impl Iterator<Item = &'m CompactString>,
) -> Vec<(CompactString, CompactString)> {
    keys.filter_map(|key| Some((key.clone(), replacer.replace_all(key)?))).collect()
}
