//! A configuration that was read and not built: what its files say, for those who look at it
//! without running it.

use std::sync::Arc;

use super::agent_table::AgentTable;
use super::errors::ConfigErrors;
use super::load::Loader;
use super::remote;
use super::secrets::Mask;
use super::sections::Sections;
use super::sources::Sources;

/// What all files say.
pub struct Parts {
    files: Vec<String>,
    /// In the order of the files.
    pub(super) sections: Vec<(Arc<str>, Sections)>,
}

impl Loader<'_> {
    /// Finds and reads the whole configuration, and builds nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the text of all files.
    pub fn parts(&self, sources: &Sources) -> Result<Parts, ConfigErrors> {
        let files = sources.find(self.environment)?;
        let mut errors = Vec::new();
        let mut sections = Vec::new();
        let agent = AgentTable::new();
        for name in &files {
            let file: Arc<str> = remote::shown(name).into();
            let bytes = self.bytes(name, &agent).map_err(|problem| vec![problem]);
            match bytes.and_then(|bytes| self.read(&file, &bytes, &mut errors)) {
                Ok(found) => sections.push((file, found)),
                Err(problems) => {
                    errors.extend(problems.into_iter().map(|problem| problem.of(&file)));
                }
            }
        }
        if errors.is_empty() { Ok(Parts { files, sections }) } else { Err(ConfigErrors(errors)) }
    }
}

impl Parts {
    /// The files, in their order.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Whether some section asks for a plugin, such as `outputs` and `file`.
    pub fn has_plugin(&self, kind: &str, name: &str) -> bool {
        let sections = self.sections.iter().flat_map(|(_, sections)| &sections.plugins);
        sections.into_iter().any(|each| each.role.plural() == kind && each.name == name)
    }

    /// What hides the secrets that stand in the files or came into them from the environment.
    pub fn mask(&self) -> Mask {
        Mask::of(self.sections.iter().map(|(_, sections)| sections))
    }
}
