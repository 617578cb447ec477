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
    files: Vec<PartFile>,
    /// In the order of the files.
    pub(super) sections: Vec<(Arc<str>, Sections)>,
}

/// A file of a configuration as it was read.
pub struct PartFile {
    /// Its path or address.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Loader<'_> {
    /// Finds and reads the whole configuration, and builds nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the text of all files.
    pub fn parts(&self, sources: &Sources) -> Result<Parts, ConfigErrors> {
        let mut files = Vec::new();
        let mut errors = Vec::new();
        let mut sections = Vec::new();
        let agent = AgentTable::new();
        for name in sources.find(self.environment)? {
            let file: Arc<str> = remote::shown(&name).into();
            let bytes = self.bytes(&name, &agent).map_err(|problem| vec![problem]);
            let read = bytes.and_then(|bytes| {
                let found = self.read(&file, &bytes, &mut errors)?;
                Ok((bytes, found))
            });
            match read {
                Ok((bytes, found)) => {
                    files.push(PartFile { name, bytes });
                    sections.push((file, found));
                }
                Err(problems) => {
                    errors.extend(problems.into_iter().map(|problem| problem.of(&file)));
                }
            }
        }
        if errors.is_empty() { Ok(Parts { files, sections }) } else { Err(ConfigErrors(errors)) }
    }
}

impl Parts {
    /// The files in their order, each with whether a section in it asks for the plugin, such as
    /// `outputs` and `file`.
    pub fn files_asking_for(
        &self,
        kind: &str,
        name: &str,
    ) -> impl Iterator<Item = (&PartFile, bool)> {
        let asks = move |sections: &Sections| {
            sections.plugins.iter().any(|each| each.role.plural() == kind && each.name == name)
        };
        self.files.iter().zip(&self.sections).map(move |(file, (_, found))| (file, asks(found)))
    }

    /// What hides the secrets that stand in the files or came into them from the environment.
    pub fn mask(&self) -> Mask {
        Mask::of(self.sections.iter().map(|(_, sections)| sections))
    }
}
