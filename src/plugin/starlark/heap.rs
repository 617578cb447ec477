//! Where everything lies that a script can change.
//!
//! Values name what lies here by number. Nothing is counted or freed while a script runs; between
//! two runs [`Heap::collect`] frees what nothing names any more.

use std::sync::Arc;

use super::failure::{Outcome, fail};
use super::syntax::Code;
use super::table::Table;
use super::value::{Id, Value};
use crate::metric::{Metric, Timestamp};

/// This many objects are made before it is worth looking for those no longer in use.
const MANY: usize = 256;

/// A list.
#[derive(Default, Debug)]
pub(crate) struct List {
    pub(crate) items: Vec<Value>,
    pub(crate) guard: Guard,
}

/// A dict or a set.
#[derive(Default, Debug)]
pub(crate) struct Hashed {
    pub(crate) table: Table,
    pub(crate) guard: Guard,
}

/// Whether something may be changed now.
#[derive(Default, Debug)]
pub(crate) struct Guard {
    /// How many loops go through it.
    pub(crate) iterations: u32,
    /// Whether it never changes again.
    pub(crate) is_frozen: bool,
}

impl Guard {
    /// Checks that a list or table may be changed.
    ///
    /// # Errors
    /// If it is frozen or a loop goes through it; `change` and `what` are the words for it.
    pub(crate) fn check(&self, change: &str, what: &str) -> Outcome<()> {
        if self.is_frozen {
            fail!("cannot {change} frozen {what}")
        }
        if self.iterations > 0 {
            fail!("cannot {change} {what} during iteration")
        }
        Ok(())
    }
}

/// A function of the script with what it took from where it was made.
#[derive(Default, Debug)]
pub(crate) struct Function {
    pub(crate) code: Arc<Code>,
    pub(crate) defaults: Vec<Value>,
    /// The cells of the variables that it shares with the functions around it.
    pub(crate) shared: Vec<Id>,
}

/// A metric in the hands of a script.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) metric: Metric,
    pub(crate) tag_iterations: u32,
    pub(crate) field_iterations: u32,
    pub(crate) is_frozen: bool,
}

impl Default for Held {
    fn default() -> Held {
        Held::new(Metric::new("", Timestamp::EPOCH))
    }
}

impl Held {
    /// Hands a metric over.
    pub(crate) fn new(metric: Metric) -> Held {
        Held { metric, tag_iterations: 0, field_iterations: 0, is_frozen: false }
    }
}

/// All objects of one kind.
#[derive(Debug, Default)]
pub(crate) struct Arena<T> {
    objects: Vec<T>,
    uses: Vec<Use>,
    free: Vec<Id>,
}

/// What is known of the use of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    /// In use as far as is known.
    Live,
    /// Found while looking for what is in use.
    Found,
}

impl<T: Default> Arena<T> {
    fn add(&mut self, object: T) -> Id {
        match self.free.pop() {
            Some(id) => {
                self.objects[id as usize] = object;
                self.uses[id as usize] = Use::Live;
                id
            }
            None => {
                self.objects.push(object);
                self.uses.push(Use::Live);
                (self.objects.len() - 1) as Id
            }
        }
    }

    /// Marks an object as found and tells whether it was not before.
    fn mark(&mut self, id: Id) -> bool {
        std::mem::replace(&mut self.uses[id as usize], Use::Found) != Use::Found
    }

    /// Frees what was not found.
    fn sweep(&mut self) {
        for (id, (object, used)) in self.objects.iter_mut().zip(&mut self.uses).enumerate() {
            match used {
                Use::Free => {}
                Use::Found => *used = Use::Live,
                Use::Live => {
                    *object = T::default();
                    *used = Use::Free;
                    self.free.push(id as Id);
                }
            }
        }
    }

    /// How many there are.
    pub(crate) fn in_use(&self) -> usize {
        self.objects.len() - self.free.len()
    }

    /// The object of a number.
    pub(crate) fn get(&self, id: Id) -> &T {
        &self.objects[id as usize]
    }

    /// The object of a number, for changing it.
    pub(crate) fn get_mut(&mut self, id: Id) -> &mut T {
        &mut self.objects[id as usize]
    }
}

/// All that a script can change.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    pub(crate) lists: Arena<List>,
    pub(crate) dicts: Arena<Hashed>,
    pub(crate) sets: Arena<Hashed>,
    pub(crate) functions: Arena<Function>,
    pub(crate) cells: Arena<Option<Value>>,
    pub(crate) metrics: Arena<Held>,
    /// How many objects there may be before the next look for those no longer in use.
    limit: usize,
}

impl Heap {
    /// Makes a list.
    pub(crate) fn new_list(&mut self, items: Vec<Value>) -> Value {
        Value::List(self.lists.add(List { items, guard: Guard::default() }))
    }

    /// Makes a dict.
    pub(crate) fn new_dict(&mut self, table: Table) -> Value {
        Value::Dict(self.dicts.add(Hashed { table, guard: Guard::default() }))
    }

    /// Makes a set.
    pub(crate) fn new_set(&mut self, table: Table) -> Value {
        Value::Set(self.sets.add(Hashed { table, guard: Guard::default() }))
    }

    /// Makes a function.
    pub(crate) fn new_function(&mut self, function: Function) -> Value {
        Value::Function(self.functions.add(function))
    }

    /// Makes room for a variable that functions share.
    pub(crate) fn new_cell(&mut self) -> Id {
        self.cells.add(None)
    }

    /// Takes a metric in.
    pub(crate) fn new_metric(&mut self, metric: Metric) -> Id {
        self.metrics.add(Held::new(metric))
    }

    /// Freezes a value and all that can be reached from it.
    pub(crate) fn freeze(&mut self, value: &Value) {
        let mut left = vec![value.clone()];
        while let Some(value) = left.pop() {
            match value {
                Value::List(id) => {
                    let list = self.lists.get_mut(id);
                    if !std::mem::replace(&mut list.guard.is_frozen, true) {
                        left.extend_from_slice(&list.items);
                    }
                }
                Value::Dict(id) | Value::Set(id) => {
                    let hashed = match value {
                        Value::Dict(_) => self.dicts.get_mut(id),
                        _ => self.sets.get_mut(id),
                    };
                    if !std::mem::replace(&mut hashed.guard.is_frozen, true) {
                        left.extend(hashed.table.iter().flat_map(|(k, v)| [k.clone(), v.clone()]));
                    }
                }
                Value::Tuple(values) => left.extend_from_slice(&values),
                Value::Method(method) => left.push(method.receiver.clone()),
                Value::Function(id) => {
                    let function = self.functions.get(id);
                    left.extend_from_slice(&function.defaults);
                    for shared in function.shared.clone() {
                        // A function that is its own variable would go round for ever.
                        let held = self.cells.get(shared).clone().unwrap_or(Value::Unset);
                        if !matches!(held, Value::Function(_)) {
                            left.push(held);
                        }
                    }
                }
                Value::Metric(id) | Value::Tags(id) | Value::Fields(id) => {
                    self.metrics.get_mut(id).is_frozen = true;
                }
                _ => {}
            }
        }
    }

    /// Frees what cannot be reached from `roots`, once enough has been made for it to be worth it.
    pub(crate) fn collect<'v>(&mut self, roots: impl Iterator<Item = &'v Value>) {
        if self.in_use() < self.limit.max(MANY) {
            return;
        }
        let mut left: Vec<Value> = roots.cloned().collect();
        while let Some(value) = left.pop() {
            self.mark(&value, &mut left);
        }
        self.lists.sweep();
        self.dicts.sweep();
        self.sets.sweep();
        self.functions.sweep();
        self.cells.sweep();
        self.metrics.sweep();
        self.limit = 2 * self.in_use();
    }

    /// How many objects there are.
    pub(crate) fn in_use(&self) -> usize {
        self.lists.in_use()
            + self.dicts.in_use()
            + self.sets.in_use()
            + self.functions.in_use()
            + self.cells.in_use()
            + self.metrics.in_use()
    }

    fn mark(&mut self, value: &Value, left: &mut Vec<Value>) {
        match value {
            Value::List(id) if self.lists.mark(*id) => {
                left.extend_from_slice(&self.lists.get(*id).items);
            }
            Value::Dict(id) if self.dicts.mark(*id) => {
                let table = &self.dicts.get(*id).table;
                left.extend(table.iter().flat_map(|(k, v)| [k.clone(), v.clone()]));
            }
            Value::Set(id) if self.sets.mark(*id) => {
                left.extend(self.sets.get(*id).table.iter().map(|(key, _)| key.clone()));
            }
            Value::Function(id) if self.functions.mark(*id) => {
                let function = self.functions.get(*id);
                left.extend_from_slice(&function.defaults);
                left.extend(function.shared.iter().map(|id| Value::Cell(*id)));
            }
            Value::Cell(id) if self.cells.mark(*id) => {
                left.extend(self.cells.get(*id).clone());
            }
            Value::Metric(id) | Value::Tags(id) | Value::Fields(id) => {
                self.metrics.mark(*id);
            }
            Value::Tuple(values) => left.extend_from_slice(values),
            Value::Method(method) => left.push(method.receiver.clone()),
            _ => {}
        }
    }
}
