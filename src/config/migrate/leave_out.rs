//! Taking plugins out of a configuration, for those who run it with something else in their place.

use toml::de::DeTable;

use super::section::{Patches, Section};
use crate::config::text;
use crate::config::toml::parse;

/// A name that no plugin has; filters by name pass over its sections.
const NOBODY: &str = "left_out";

/// The text of a configuration in which nothing asks for the plugin, such as `outputs` and `file`,
/// any more: its sections carry a name that no plugin has. Comments are gone, and all else, the
/// number of lines too, is as it was.
///
/// None if the text is no configuration by itself, or if a section has no header of its own.
pub fn leave_out(configuration: &[u8], kind: &str, name: &str) -> Option<String> {
    let text = text::from_bytes(configuration).ok()?;
    parse("", &text).ok()?;
    let (document, _) = DeTable::parse_recoverable(&text);
    let root = Section::new(&text, document.get_ref(), 0);
    let mut patches = Patches::default();
    let plugins = root.below(kind);
    let plugins = plugins.iter().flat_map(Section::entries).filter(|entry| entry.key() == name);
    for section in plugins.flat_map(|plugin| plugin.sections()) {
        if !section.has_header() {
            return None;
        }
        patches.rename_plugin(&section, NOBODY);
    }
    Some(patches.apply(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_file(text: &str) -> Option<String> {
        leave_out(text.as_bytes(), "outputs", "file")
    }

    #[test]
    fn sections_lose_their_names_and_nothing_else() {
        let text = "# [[outputs.file]]\r\n[[inputs.file]]\n[[ outputs . file ]] # x\n  files = \
                    ['''\n[[outputs.file]]''']\n  [outputs.file.tagpass]\n    a = ['b']\n\
                    [[outputs.kafka]]\n[[outputs.\"file\"]]\n";
        assert_eq!(
            without_file(text).unwrap(),
            "\r\n[[inputs.file]]\n[[ outputs . left_out ]] \n  files = \
             ['''\n[[outputs.file]]''']\n  [outputs.left_out.tagpass]\n    a = ['b']\n\
             [[outputs.kafka]]\n[[outputs.left_out]]\n"
        );
        let single = without_file("[outputs.file]\nfiles = ['a']").unwrap();
        assert_eq!(single, "[outputs.left_out]\nfiles = ['a']");
    }

    #[test]
    fn what_has_no_header_cannot_be_left_out() {
        for text in ["[outputs]\nfile = [{ files = ['a'] }]", "outputs.file.files = ['a']", "[x"] {
            assert_eq!(without_file(text), None, "{text}");
        }
    }
}
