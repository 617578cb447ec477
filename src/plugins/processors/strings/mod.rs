//! Changes texts: values of tags and fields, their keys, and names.
//!
//! # References
//! Telegraf's `processors.strings`.

mod case;
mod operation;
mod title;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value};
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};

use operation::Operation;
pub use operation::WidthError;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("strings", include_str!("sample.conf"));

/// The settings of the processor; the operations are done in this order.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Turn capital letters into small ones.
    pub lowercase: Vec<Conversion>,
    /// Turn small letters into capital ones.
    pub uppercase: Vec<Conversion>,
    /// Begin each word with a capital letter.
    pub titlecase: Vec<Conversion>,
    /// Cut characters off at both ends.
    pub trim: Vec<Conversion>,
    /// Cut characters off at the beginning.
    pub trim_left: Vec<Conversion>,
    /// Cut characters off at the end.
    pub trim_right: Vec<Conversion>,
    /// Cut a beginning off.
    pub trim_prefix: Vec<Conversion>,
    /// Cut an end off.
    pub trim_suffix: Vec<Conversion>,
    /// Put one text in place of another.
    pub replace: Vec<Conversion>,
    /// Cut off what is longer.
    pub left: Vec<Conversion>,
    /// Decode base64.
    pub base64decode: Vec<Conversion>,
    /// Replace what is no text.
    pub valid_utf8: Vec<Conversion>,
}

/// One operation: on what, and what it needs to know.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Conversion {
    /// The key of a field whose value is changed; `*` for all.
    pub field: String,
    /// The key of a field that is changed itself; `*` for all.
    pub field_key: String,
    /// The key of a tag whose value is changed; `*` for all.
    pub tag: String,
    /// The key of a tag that is changed itself; `*` for all.
    pub tag_key: String,
    /// The name that is changed; `*` for all.
    pub measurement: String,
    /// The key that takes the changed value; empty for the same one.
    pub dest: String,
    /// Characters to cut off; empty for white space.
    pub cutset: String,
    /// An end to cut off.
    pub suffix: String,
    /// A beginning to cut off.
    pub prefix: String,
    /// What is replaced.
    pub old: String,
    /// What it is replaced by.
    pub new: String,
    /// The length to keep, in bytes.
    pub width: i64,
    /// What stands in place of invalid bytes.
    pub replacement: String,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let steps = operation::all(&self).map_err(BuildError::invalid)?;
        Ok(Box::new(Strings { steps }))
    }
}

/// An operation and what it is done to.
struct Step {
    operation: Operation,
    field: Option<Keys>,
    field_key: Option<Keys>,
    tag: Option<Keys>,
    tag_key: Option<Keys>,
    measurement: Option<Keys>,
    /// The key that takes the changed value of a single tag or field.
    dest: Option<CompactString>,
}

enum Keys {
    All,
    One(CompactString),
}

impl Keys {
    fn new(key: &str) -> Option<Keys> {
        match key {
            "" => None,
            "*" => Some(Keys::All),
            key => Some(Keys::One(key.into())),
        }
    }
}

impl Step {
    fn new(operation: Operation, conversion: &Conversion) -> Step {
        Step {
            operation,
            field: Keys::new(&conversion.field),
            field_key: Keys::new(&conversion.field_key),
            tag: Keys::new(&conversion.tag),
            tag_key: Keys::new(&conversion.tag_key),
            measurement: Keys::new(&conversion.measurement),
            dest: (!conversion.dest.is_empty()).then(|| conversion.dest.as_str().into()),
        }
    }

    fn apply(&self, metric: &mut Metric) {
        self.change_field(metric);
        self.change_field_key(metric);
        self.change_tag(metric);
        self.change_tag_key(metric);
        self.change_name(metric);
    }

    fn change_field(&self, metric: &mut Metric) {
        match &self.field {
            None => {}
            Some(Keys::All) => {
                for field in metric.fields_mut() {
                    if let Value::String(value) = &mut field.value {
                        self.change(value);
                    }
                }
            }
            Some(Keys::One(key)) => {
                let Some(Value::String(value)) = metric.field(key) else { return };
                let changed = self.operation.apply(value);
                if changed.is_some() || self.dest.is_some() {
                    let changed = changed.unwrap_or_else(|| value.clone());
                    metric.set_field(self.dest.as_ref().unwrap_or(key).clone(), changed);
                }
            }
        }
    }

    fn change_tag(&self, metric: &mut Metric) {
        match &self.tag {
            None => {}
            Some(Keys::All) => metric.tag_values_mut().for_each(|(_, value)| self.change(value)),
            Some(Keys::One(key)) => {
                let Some(value) = metric.tag(key) else { return };
                let changed = self.operation.apply(value);
                if changed.is_some() || self.dest.is_some() {
                    let changed = changed.unwrap_or_else(|| value.into());
                    metric.set_tag(self.dest.as_ref().unwrap_or(key).clone(), changed);
                }
            }
        }
    }

    fn change(&self, value: &mut CompactString) {
        if let Some(changed) = self.operation.apply(value) {
            *value = changed;
        }
    }

    fn change_field_key(&self, metric: &mut Metric) {
        let rename = |metric: &mut Metric, key: &str| {
            let new = self.operation.apply(key).unwrap_or_else(|| key.into());
            // A field without a key is none.
            if !new.is_empty()
                && let Some(value) = metric.remove_field(key)
            {
                metric.set_field(new, value);
            }
        };
        match &self.field_key {
            None => {}
            Some(Keys::One(key)) => rename(metric, key),
            Some(Keys::All) => {
                let keys = metric.fields().iter().map(|field| field.key.clone());
                keys.collect::<Vec<_>>().iter().for_each(|key| rename(metric, key));
            }
        }
    }

    fn change_tag_key(&self, metric: &mut Metric) {
        let rename = |metric: &mut Metric, key: &str| {
            if let Some(new) = self.operation.apply(key).filter(|new| !new.is_empty())
                && let Some(value) = metric.remove_tag(key)
            {
                metric.set_tag(new, value);
            }
        };
        match &self.tag_key {
            None => {}
            Some(Keys::One(key)) => rename(metric, key),
            Some(Keys::All) => {
                let keys = metric.tags().iter().map(|tag| tag.key.clone());
                keys.collect::<Vec<_>>().iter().for_each(|key| rename(metric, key));
            }
        }
    }

    fn change_name(&self, metric: &mut Metric) {
        let is_meant = match &self.measurement {
            None => false,
            Some(Keys::All) => true,
            Some(Keys::One(name)) => metric.name == *name,
        };
        if is_meant {
            self.change(&mut metric.name);
        }
    }
}

/// A processor that changes texts.
struct Strings {
    steps: Vec<Step>,
}

impl Processor for Strings {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            self.steps.iter().for_each(|step| step.apply(metric));
        }
        metrics
    }
}
