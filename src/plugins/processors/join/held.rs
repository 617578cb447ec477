//! What is held until the results of buckets have been delivered.

use std::sync::{Arc, Mutex, PoisonError};

use crate::metric::{Accompany, Companion, Origin};
use crate::plugin::event_time::Completion;

/// What all results of a bucket hold: none of its metrics is done with before all of them are.
#[derive(Default)]
pub(super) struct Token(Mutex<Vec<(usize, Arc<Completion>)>>);

impl Token {
    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Completion>> {
        let completions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        completions.iter().map(|(_, completion)| completion.clone()).collect()
    }

    /// Whether there is one of a source.
    pub(super) fn has(&self, source: usize) -> bool {
        let completions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        completions.iter().any(|(of, _)| *of == source)
    }

    /// Adds that of a source.
    pub(super) fn add(&self, source: usize, completion: Arc<Completion>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((source, completion));
    }

    /// Leaves behind what is held of a source that was given up.
    pub(super) fn forget(&self, source: usize) {
        let mut forgotten = Vec::new();
        {
            let mut completions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            completions.retain(|(of, completion)| {
                let is_it = *of == source;
                if is_it {
                    forgotten.push(completion.clone());
                }
                !is_it
            });
        }
        forgotten.iter().for_each(|completion| completion.leave_behind());
    }
}

/// What goes along with results: the tokens of the buckets that they are made of.
pub(super) struct OfBuckets {
    tokens: Vec<Arc<Token>>,
    /// The metric that brought the result, for which the input waits.
    of: Companion,
    /// One of those that the result comes from.
    origin: Option<Arc<Origin>>,
}

impl OfBuckets {
    /// A companion for results, if there is anything to be held for them.
    pub(super) fn held(tokens: Vec<Arc<Token>>, of: Companion) -> Companion {
        let completion = tokens.iter().find_map(|token| token.all().into_iter().next());
        let origin = completion.and_then(|completion| completion.origin().cloned());
        if origin.is_none() && of.is_none() {
            return of;
        }
        Companion::new(Arc::new(OfBuckets { tokens, of, origin }))
    }
}

impl Accompany for OfBuckets {
    fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    fn leave_behind(&self) {
        let completions = self.tokens.iter().flat_map(|token| token.all());
        completions.for_each(|completion| completion.leave_behind());
        self.of.leave_behind();
    }
}
