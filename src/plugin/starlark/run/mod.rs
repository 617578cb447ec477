//! Runs the tree of a script.

mod access;
mod arguments;
mod attribute;
mod compare;
mod expression;
mod interpolate;
mod iterate;
mod operator;
mod show;
mod statement;

use std::sync::Arc;

pub(crate) use access::{ends, whole};

use super::failure::{Failure, Outcome, fail};
use super::heap::Heap;
use super::library::{Call, Surroundings};
use super::syntax::Program;
use super::text::Str;
use super::value::{Id, Value};

/// This deep calls may lie in each other, so that none runs out of the thread's stack.
const DEEPEST: usize = 120;

/// Runs one script: all that it has made, and where it is.
pub(crate) struct Machine {
    pub(crate) heap: Heap,
    pub(crate) surroundings: Surroundings,
    globals: Vec<Value>,
    global_names: Vec<Str>,
    /// The variables of all functions that run, those of the innermost last.
    stack: Vec<Value>,
    depth: usize,
}

/// A function that runs.
#[derive(Clone, Copy)]
struct Frame {
    /// Where its variables begin on the stack.
    base: usize,
    /// The function; nothing at the top level.
    function: Option<Id>,
}

/// How a statement ends.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl Machine {
    /// Makes a machine that has run nothing yet.
    pub(crate) fn new(surroundings: Surroundings) -> Machine {
        Machine {
            heap: Heap::default(),
            surroundings,
            globals: Vec::new(),
            global_names: Vec::new(),
            stack: Vec::new(),
            depth: 0,
        }
    }

    /// Runs the top level of a script, and freezes what it has made.
    ///
    /// # Errors
    /// If the script fails.
    pub(crate) fn load(&mut self, program: &Program) -> Outcome<()> {
        self.global_names = program.globals.clone();
        self.globals = vec![Value::Unset; program.globals.len()];
        self.stack.clear();
        self.depth = 0;
        let top = Arc::clone(&program.top);
        self.make_variables(&top, 0);
        let frame = Frame { base: 0, function: None };
        let result = self.block(&top.body, frame);
        self.stack.clear();
        result.map_err(|failure| failure.leaving(&top.name))?;
        for (name, value) in self.global_names.iter().zip(&self.globals) {
            // What a script calls its state is for changing.
            if &**name != "state" {
                self.heap.freeze(value);
            }
        }
        Ok(())
    }

    /// The value of a global variable.
    pub(crate) fn global(&self, name: &str) -> Option<&Value> {
        let at = self.global_names.iter().position(|global| &**global == name)?;
        self.globals.get(at).filter(|value| !matches!(value, Value::Unset))
    }

    /// The global variables, all of which are in use.
    pub(crate) fn globals(&self) -> &[Value] {
        &self.globals
    }

    /// Calls anything that can be called.
    ///
    /// # Errors
    /// If it cannot be called, does not take these arguments, or fails.
    pub(crate) fn call(
        &mut self,
        function: &Value,
        positional: &[Value],
        named: &[(Str, Value)],
    ) -> Outcome {
        match function {
            Value::Function(id) => {
                let base = self.stack.len();
                self.stack.extend_from_slice(positional);
                self.bind(*id, base, named)?;
                self.run(*id, base)
            }
            Value::Builtin(builtin) => {
                let none = Value::None;
                let call = Call { name: builtin.name, receiver: &none, positional, named };
                (builtin.run)(self, call).map_err(|failure| failure.leaving_builtin(builtin.name))
            }
            Value::Method(method) => {
                let builtin = method.builtin;
                let receiver = &method.receiver;
                let call = Call { name: builtin.name, receiver, positional, named };
                (builtin.run)(self, call).map_err(|failure| failure.leaving_builtin(builtin.name))
            }
            other => fail!("invalid call of non-function ({})", other.type_name()),
        }
    }

    /// Runs a function whose parameters lie on the stack from `base` on.
    fn run(&mut self, id: Id, base: usize) -> Outcome {
        if self.depth == DEEPEST {
            self.stack.truncate(base);
            return Err(Failure::new("Starlark stack overflow"));
        }
        let code = Arc::clone(&self.heap.functions.get(id).code);
        self.make_variables(&code, base);
        self.depth += 1;
        let result = self.block(&code.body, Frame { base, function: Some(id) });
        self.depth -= 1;
        self.stack.truncate(base);
        match result {
            Ok(Flow::Return(value)) => Ok(value),
            Ok(_) => Ok(Value::None),
            Err(failure) => Err(failure.leaving(&code.name)),
        }
    }

    fn make_variables(&mut self, code: &super::syntax::Code, base: usize) {
        self.stack.resize(base + code.locals.len(), Value::Unset);
        for at in &code.cells {
            let cell = self.heap.new_cell();
            let held = std::mem::replace(&mut self.stack[base + at], Value::Cell(cell));
            if !matches!(held, Value::Unset) {
                *self.heap.cells.get_mut(cell) = Some(held);
            }
        }
    }
}
