//! Writes metrics as a template says.
//!
//! # References
//! Telegraf's `template` serializer.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::template::{FillError, Library, Template};
use crate::plugin::{
    Build, BuildError, Context, Declaration, PluginError, PluginLog, Rejection, Serializer,
};

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("template", include_str!("sample.conf"));

/// The options beside `data_format = "template"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// What is written for a metric.
    pub template: String,
    /// What is written for a batch; empty for the template above for each metric.
    pub batch_template: String,
}

impl Build<dyn Serializer> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        let compile = |name: &str, source: &str, what: &str| {
            Template::new(name, source, Library::Sprig, &context.system)
                .map_err(|error| BuildError::invalid(format!("creating {what} failed: {error}")))
        };
        let metric = compile("template", &self.template, "template")?;
        let batch = match self.batch_template.as_str() {
            "" => format!("{{{{range .}}}}{}{{{{end}}}}", self.template),
            batch => batch.to_owned(),
        };
        Ok(Box::new(TemplateSerializer {
            metric: (!self.template.is_empty()).then_some(metric),
            batch: compile("batch template", &batch, "batch template")?,
            text: String::new(),
            log: context.log.clone(),
        }))
    }
}

/// A serializer that fills templates.
struct TemplateSerializer {
    /// None where single metrics are batches of one.
    metric: Option<Template>,
    batch: Template,
    /// Kept for its memory.
    text: String,
    log: PluginLog,
}

impl TemplateSerializer {
    /// Appends what was filled, or logs why nothing was: the metrics count as written all the
    /// same, as they do in the original.
    fn finish(&mut self, filled: Result<(), FillError>, what: &str, out: &mut Vec<u8>) {
        match filled {
            Ok(()) => out.extend_from_slice(self.text.as_bytes()),
            Err(error) => self.log.error(format_args!("failed to execute {what}: {error}")),
        }
        self.text.clear();
    }
}

impl Serializer for TemplateSerializer {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        let Some(template) = &self.metric else {
            return self.serialize_batch(std::slice::from_ref(metric), out).map(drop);
        };
        let filled = template.fill(metric, &mut self.text);
        self.finish(filled, "template", out);
        Ok(())
    }

    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        let filled = self.batch.fill_all(metrics, &mut self.text);
        self.finish(filled, "batch template", out);
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::tests::{metrics, serialized, serializer};

    const LINES: &str = "cpu,host=a usage=1.5,n=2i 1500000000\nmem,host=b free=3i 0\n";

    fn one_by_one(options: &str) -> String {
        let mut serializer = serializer(&PLUGIN, options).unwrap();
        let mut out = Vec::new();
        for metric in metrics(LINES) {
            serializer.serialize(&metric, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn metrics_fill_the_template() {
        let options = r#"template = '{{ .Name | upper }} {{ .Tag "host" }}{{ range $k, $v := .Fields }} {{ $k }}={{ $v }}{{ end }}{{ "\n" }}'"#;
        let text = "CPU a n=2 usage=1.5\nMEM b free=3\n";
        assert_eq!(one_by_one(options), text);
        assert_eq!(serialized(&PLUGIN, options, LINES).unwrap(), text);
    }

    #[test]
    fn batches_may_have_a_template_of_their_own() {
        let options = "batch_template = '{{ len . }}:{{ range . }}{{ .Name }},{{ end }}'";
        assert_eq!(one_by_one(options), "1:cpu,1:mem,");
        assert_eq!(serialized(&PLUGIN, options, LINES).unwrap(), "2:cpu,mem,");
        assert_eq!(one_by_one(""), "");
    }

    #[test]
    fn a_metric_that_does_not_fit_is_left_out() {
        let options = "template = '{{ .Name }}{{ .Nosuch }}'";
        assert_eq!(one_by_one(options), "");
        let error = serialized(&PLUGIN, "template = '{{ .Name '", LINES).unwrap_err();
        assert!(error.starts_with("creating template failed: "), "{error}");
    }
}
