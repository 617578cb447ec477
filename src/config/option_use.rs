//! What becomes of a section's options beside the plugin that is built of them: which of them nobody
//! would have read, and which are old.

use super::build::Builder;
use super::errors::Problem;
use super::general;
use super::sections::Section;
use crate::plugin::settings::{Data, Table};
use crate::plugin::{Declaration, DeprecatedOption, Formats};

impl Builder<'_> {
    /// Reports the options of a plugin that could not be built and that it would not have read had
    /// it come to that.
    pub(super) fn report_unknown_options<P: ?Sized>(
        &mut self,
        section: &Section,
        declaration: &Declaration<P>,
    ) {
        let table = &section.table;
        if declaration.sample_config.contains("data_format") && !self.read_format_options(table) {
            return;
        }
        // Only what is read counts; what is wrong with it has been said or comes to light once the
        // plugin can be built.
        let _ = (declaration.read_settings)(table);
        general::accept(table);
        let plugin = format!("{}.{}", section.role.plural(), section.name);
        for error in table.unknown() {
            self.report(section, Problem::Unknown { plugin: plugin.clone(), error });
        }
    }

    /// Reads the options of the format that a section names; false if there is no such format, so
    /// that nobody can tell what its options are.
    fn read_format_options(&self, table: &Table) -> bool {
        let Formats { parsers, serializers } = self.plugins.formats;
        let parsers = parsers.iter().map(|each| (each.name, each.read_settings));
        let serializers = serializers.iter().map(|each| (each.name, each.read_settings));
        let named = table.get("data_format").map(|entry| match &entry.value.data {
            Data::String { text, .. } => text.as_str(),
            _ => "",
        });
        let mut is_known = false;
        for (name, read) in parsers.chain(serializers) {
            // Which one it is where none is named only the plugin knows.
            if named.is_none_or(|named| named == name) {
                is_known = true;
                let _ = read(table);
            }
        }
        is_known
    }

    /// Counts the deprecated options that a section sets.
    pub(super) fn count_deprecated_options(
        &mut self,
        section: &Section,
        deprecated: &[DeprecatedOption],
    ) {
        let count = deprecated.iter().map(|option| option.n_uses(&section.table)).sum::<usize>();
        *self.built.deprecated_options.entry(section.role.plural()).or_default() += count;
    }
}
