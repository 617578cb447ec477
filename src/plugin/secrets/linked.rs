//! Secrets whose references have found their stores.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::reference::{References, near_misses};
use super::{Lifetime, SecretStore, SecretStores};
use crate::http::Headers;
use crate::plugin::settings::SecretOption;
use crate::plugin::{BuildError, PluginError, PluginLog};
use crate::system::Secret;

/// Why a secret cannot be had. The words are Telegraf's; no secret stands in them.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is asked from a store that nobody has defined.
    #[error("unknown secret store for \"{reference}\"")]
    UnknownStore {
        /// The reference, such as `@{store:key}`.
        reference: String,
    },
    /// The store cannot get ready.
    #[error("retrieving resolver for \"{reference}\" failed: {source}")]
    Store {
        /// The reference.
        reference: String,
        /// Why not.
        source: PluginError,
    },
    /// The store does not have it when it is first asked.
    #[error("retrieving resolver failed: linking secrets failed: {}", joined(.0))]
    Link(Vec<ResolveError>),
    /// The store does not have it any more.
    #[error("replacing secrets failed: {}", joined(.0))]
    Replace(Vec<ResolveError>),
}

/// Why a reference has no secret.
#[derive(Debug, thiserror::Error)]
#[error("resolving \"{reference}\" failed: {source}")]
pub struct ResolveError {
    /// The reference.
    reference: Arc<str>,
    /// What the store says.
    source: PluginError,
}

fn joined(errors: &[ResolveError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(";")
}

/// A secret that a plugin can use: a text, or the way to one that may be another each time.
#[derive(Clone, Default)]
pub struct LinkedSecret {
    content: Content,
    is_set: bool,
}

#[derive(Clone)]
enum Content {
    Fixed(Secret),
    /// Put together at each use.
    Live(Vec<Part>),
}

#[derive(Clone)]
enum Part {
    Text(Secret),
    Reference { text: Arc<str>, store: Arc<dyn SecretStore>, key: Box<str> },
}

impl Default for Content {
    fn default() -> Content {
        Content::Fixed(Secret::default())
    }
}

impl LinkedSecret {
    /// Finds the stores that an option refers to, and puts in its place what does not change.
    pub(in crate::plugin) fn link(
        option: &SecretOption,
        stores: &SecretStores,
        log: &PluginLog,
    ) -> Result<LinkedSecret, SecretError> {
        let is_set = !option.is_empty();
        let written = option.written();
        if !written.expose().contains("@{") {
            return Ok(LinkedSecret { content: Content::Fixed(written.clone()), is_set });
        }
        for text in near_misses(written.expose()) {
            log.warn(format_args!(
                "Secret \"{text}\" contains invalid character(s), only letters, digits and \
                 underscores are allowed."
            ));
        }
        let content = Content::link(written.expose(), stores)?;
        Ok(LinkedSecret { content, is_set })
    }

    /// Whether the option is left out or empty; what a store has under a key may be empty and
    /// counts as set.
    pub fn is_empty(&self) -> bool {
        !self.is_set
    }

    /// The secret as it is now.
    ///
    /// # Errors
    /// If it may change and its store does not have it any more.
    pub fn get(&self) -> Result<Cow<'_, Secret>, SecretError> {
        match &self.content {
            Content::Fixed(secret) => Ok(Cow::Borrowed(secret)),
            Content::Live(parts) => assemble(parts).map(Cow::Owned).map_err(SecretError::Replace),
        }
    }
}

impl Content {
    fn link(written: &str, stores: &SecretStores) -> Result<Content, SecretError> {
        let mut parts = Vec::new();
        let mut is_fixed = true;
        let mut failed = Vec::new();
        let mut end = 0;
        for found in References::of(written) {
            parts.push(Part::Text(Secret::new(&written[end..found.range.start])));
            end = found.range.end;
            let reference = || found.text.to_owned();
            let Some(store) = stores.get(found.store) else {
                return Err(SecretError::UnknownStore { reference: reference() });
            };
            store
                .prepare()
                .map_err(|source| SecretError::Store { reference: reference(), source })?;
            // Asked for once even if it may change, so that a wrong key is found at the start.
            match (store.get(found.key), store.lifetime()) {
                (Ok(secret), Lifetime::Static) => parts.push(Part::Text(secret)),
                (Ok(_), Lifetime::Dynamic) => {
                    is_fixed = false;
                    let (store, key) = (store.clone(), found.key.into());
                    parts.push(Part::Reference { text: found.text.into(), store, key });
                }
                (Err(source), _) => {
                    failed.push(ResolveError { reference: found.text.into(), source });
                }
            }
        }
        if !failed.is_empty() {
            return Err(SecretError::Link(failed));
        }
        parts.push(Part::Text(Secret::new(&written[end..])));
        match is_fixed {
            true => assemble(&parts).map(Content::Fixed).map_err(SecretError::Link),
            false => Ok(Content::Live(parts)),
        }
    }
}

/// Puts a secret together; every part that is not to be had is named.
fn assemble(parts: &[Part]) -> Result<Secret, Vec<ResolveError>> {
    let mut text = SecretText::default();
    let mut failed = Vec::new();
    for part in parts {
        match part {
            Part::Text(secret) => text.push(secret),
            Part::Reference { text: reference, store, key } => match store.get(key) {
                Ok(secret) => text.push(&secret),
                Err(source) => failed.push(ResolveError { reference: reference.clone(), source }),
            },
        }
    }
    if failed.is_empty() { Ok(text.0) } else { Err(failed) }
}

/// A secret that grows; what it leaves behind in memory is overwritten.
#[derive(Default)]
struct SecretText(Secret);

impl SecretText {
    fn push(&mut self, more: &Secret) {
        self.0 = Secret::new([self.0.expose(), more.expose()].concat());
    }
}

impl fmt::Debug for LinkedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkedSecret(…)")
    }
}

/// The fields of a header whose values are secrets.
#[derive(Debug, Clone, Default)]
pub struct LinkedHeaders(Vec<(String, LinkedSecret)>);

impl LinkedHeaders {
    /// Finds the stores that the values refer to.
    pub(in crate::plugin) fn link(
        options: &BTreeMap<String, SecretOption>,
        mut link: impl FnMut(&SecretOption) -> Result<LinkedSecret, BuildError>,
    ) -> Result<LinkedHeaders, BuildError> {
        let fields = options.iter().map(|(name, value)| Ok((name.clone(), link(value)?)));
        fields.collect::<Result<_, _>>().map(LinkedHeaders)
    }

    /// Whether a field of that name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// Sets the fields as they are now.
    ///
    /// # Errors
    /// If one of them is not to be had any more.
    pub fn set_on(&self, headers: &mut Headers) -> Result<(), SecretError> {
        self.0.iter().try_for_each(|(name, value)| {
            headers.set(name, value.get()?.expose());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A store whose secrets can be taken away.
    struct Store {
        lifetime: Lifetime,
        value: Mutex<Option<&'static str>>,
    }

    impl SecretStore for Arc<Store> {
        fn prepare(&self) -> Result<(), PluginError> {
            Ok(())
        }

        fn get(&self, key: &str) -> Result<Secret, PluginError> {
            let value = self.value.lock().unwrap().filter(|_| key == "key");
            value.map(Secret::new).ok_or_else(|| "not found".into())
        }

        fn list(&self) -> Result<Vec<String>, PluginError> {
            Ok(vec!["key".to_owned()])
        }

        fn lifetime(&self) -> Lifetime {
            self.lifetime
        }
    }

    fn store(lifetime: Lifetime) -> (Arc<Store>, SecretStores) {
        let store = Arc::new(Store { lifetime, value: Mutex::new(Some("hush")) });
        let mut stores = SecretStores::default();
        assert!(stores.add("s", Box::new(store.clone())).is_ok());
        assert!(stores.add("s", Box::new(store.clone())).is_err());
        (store, stores)
    }

    fn link(text: &str, stores: &SecretStores) -> Result<LinkedSecret, String> {
        let log = PluginLog::new("outputs.test");
        LinkedSecret::link(&text.into(), stores, &log).map_err(|error| error.to_string())
    }

    fn get(secret: &LinkedSecret) -> Result<String, String> {
        let secret = secret.get().map_err(|error| error.to_string())?;
        Ok(secret.expose().to_owned())
    }

    #[test]
    fn what_does_not_change_is_put_in_once() {
        let (store, stores) = store(Lifetime::Static);
        let secret = link("a @{s:key} b@{s:key}", &stores).unwrap();
        *store.value.lock().unwrap() = None;
        assert_eq!(get(&secret).unwrap(), "a hush bhush");
        assert!(!secret.is_empty() && !format!("{secret:?}").contains("hush"));
    }

    #[test]
    fn what_may_change_is_asked_for_at_each_use() {
        let (store, stores) = store(Lifetime::Dynamic);
        let secret = link("<@{s:key}>", &stores).unwrap();
        assert_eq!(get(&secret).unwrap(), "<hush>");
        *store.value.lock().unwrap() = Some("@{s:key}");
        assert_eq!(get(&secret).unwrap(), "<@{s:key}>");
        *store.value.lock().unwrap() = None;
        let expected = "replacing secrets failed: resolving \"@{s:key}\" failed: not found";
        assert_eq!(get(&secret).unwrap_err(), expected);
    }

    #[test]
    fn stores_and_keys_that_there_are_not_are_named() {
        for lifetime in [Lifetime::Static, Lifetime::Dynamic] {
            let (_, stores) = store(lifetime);
            let cases = [
                ("x@{t:key}", "unknown secret store for \"@{t:key}\""),
                (
                    "x@{s:a}@{s:key}@{s:b}",
                    "retrieving resolver failed: linking secrets failed: resolving \"@{s:a}\" \
                     failed: not found;resolving \"@{s:b}\" failed: not found",
                ),
            ];
            for (text, expected) in cases {
                assert_eq!(link(text, &stores).unwrap_err(), expected);
            }
        }
    }

    #[test]
    fn a_text_without_references_is_itself() {
        for text in ["", "plain", "@{no-word:x}", "@{a"] {
            let secret = link(text, &SecretStores::default()).unwrap();
            assert_eq!(
                (get(&secret).unwrap().as_str(), secret.is_empty()),
                (text, text.is_empty())
            );
        }
    }
}
