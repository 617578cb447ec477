//! Evaluates expressions.

use std::sync::Arc;

use super::super::failure::{Failure, Outcome, Place, fail};
use super::super::heap::Function;
use super::super::library::{Call, method};
use super::super::syntax::{Argument, Binding, Clause, Comprehension, Expression, Made, Variable};
use super::super::table::{Key, Table};
use super::super::text::Str;
use super::super::value::{Id, Value};
use super::{Frame, Machine};

/// The arguments of a call.
type Arguments = (Vec<Value>, Vec<(Str, Value)>);

impl Machine {
    /// Evaluates an expression.
    pub(super) fn evaluate(&mut self, expression: &Expression, frame: Frame) -> Outcome {
        match expression {
            Expression::Constant(value, _) => Ok(value.clone()),
            Expression::Variable(variable) => self.variable(variable, frame),
            Expression::Parenthesized(inner) => self.evaluate(inner, frame),
            Expression::Attribute(of, name, place) => {
                let of = self.evaluate(of, frame)?;
                self.attribute(&of, name).map_err(|failure| failure.at(*place))
            }
            Expression::Index(parts, place) => {
                let of = self.evaluate(&parts[0], frame)?;
                let index = self.evaluate(&parts[1], frame)?;
                self.index(&of, &index).map_err(|failure| failure.at(*place))
            }
            Expression::Binary(operator, parts, place) => {
                let left = match &parts[0] {
                    Expression::Binary(..) => self.chain(&parts[0], frame)?,
                    other => self.evaluate(other, frame)?,
                };
                let right = self.evaluate(&parts[1], frame)?;
                self.binary(*operator, &left, &right).map_err(|failure| failure.at(*place))
            }
            Expression::Call(call, place) => self.call_expression(&call.0, &call.1, *place, frame),
            Expression::Not(inner, _) => {
                let value = self.evaluate(inner, frame)?;
                Ok(Value::Bool(!self.is_true(&value)))
            }
            Expression::And(parts, _) => self.first(parts, false, frame),
            Expression::Or(parts, _) => self.first(parts, true, frame),
            Expression::Choice(parts) => {
                let condition = self.evaluate(&parts[1], frame)?;
                let chosen = if self.is_true(&condition) { &parts[0] } else { &parts[2] };
                self.evaluate(chosen, frame)
            }
            other => self.evaluate_rare(other, frame),
        }
    }

    /// Evaluates what is rare, apart so that the common way needs less of the stack.
    #[inline(never)]
    fn evaluate_rare(&mut self, expression: &Expression, frame: Frame) -> Outcome {
        match expression {
            Expression::Tuple(parts, _) => Ok(Value::tuple(self.all(parts, frame)?)),
            Expression::List(parts, _) => {
                let items = self.all(parts, frame)?;
                Ok(self.heap.new_list(items))
            }
            Expression::Dict(entries, _) => self.dict(entries, frame),
            Expression::Comprehension(comprehension) => self.comprehension(comprehension, frame),
            Expression::Function(made) => self.make_function(made, frame),
            Expression::Signed(sign, inner, place) => {
                let value = self.evaluate(inner, frame)?;
                self.unary(sign, &value).map_err(|failure| failure.at(*place))
            }
            Expression::Slice(parts, place) => {
                let of = self.evaluate(&parts.0, frame)?;
                let mut ends = [Value::None, Value::None, Value::None];
                for (value, end) in ends.iter_mut().zip(&parts.1) {
                    if let Some(end) = end {
                        *value = self.evaluate(end, frame)?;
                    }
                }
                self.slice(&of, &ends).map_err(|failure| failure.at(*place))
            }
            _ => Ok(Value::None),
        }
    }

    /// Evaluates operators in a row without going deeper with each.
    #[inline(never)]
    fn chain(&mut self, expression: &Expression, frame: Frame) -> Outcome {
        let mut links = Vec::new();
        let mut innermost = expression;
        while let Expression::Binary(operator, parts, place) = innermost {
            links.push((*operator, &parts[1], *place));
            innermost = &parts[0];
        }
        let mut left = self.evaluate(innermost, frame)?;
        for (operator, right, place) in links.into_iter().rev() {
            let right = self.evaluate(right, frame)?;
            left = self.binary(operator, &left, &right).map_err(|failure| failure.at(place))?;
        }
        Ok(left)
    }

    /// The first value that is as true as wanted, or the last.
    fn first(&mut self, parts: &[Expression], wanted: bool, frame: Frame) -> Outcome {
        let mut value = Value::None;
        for part in parts {
            value = self.evaluate(part, frame)?;
            if self.is_true(&value) == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn all(&mut self, parts: &[Expression], frame: Frame) -> Outcome<Vec<Value>> {
        parts.iter().map(|part| self.evaluate(part, frame)).collect()
    }

    fn variable(&self, variable: &Variable, frame: Frame) -> Outcome {
        let (value, kind) = match &variable.binding {
            Binding::Local(at) => (&self.stack[frame.base + at], "local"),
            Binding::Global(at) => (&self.globals[*at], "global"),
            Binding::Constant(value) => return Ok(value.clone()),
            Binding::Shared(at) => {
                let shared = frame.function.map(|id| self.heap.functions.get(id).shared[*at]);
                match shared.and_then(|cell| self.heap.cells.get(cell).as_ref()) {
                    Some(value) => return Ok(value.clone()),
                    None => (&Value::Unset, "local"),
                }
            }
            Binding::Unbound => (&Value::Unset, "local"),
        };
        match value {
            Value::Unset => {}
            Value::Cell(cell) => {
                if let Some(value) = self.heap.cells.get(*cell) {
                    return Ok(value.clone());
                }
            }
            value => return Ok(value.clone()),
        }
        let words = format!("{kind} variable {} referenced before assignment", variable.name);
        Err(Failure::new(words).at(variable.place))
    }

    fn dict(&mut self, entries: &[(Expression, Expression, Place)], frame: Frame) -> Outcome {
        let mut table = Table::default();
        for (key, value, place) in entries {
            let key = self.evaluate(key, frame)?;
            let value = self.evaluate(value, frame)?;
            let hashed = Key::new(&key).map_err(|failure| failure.at(*place))?;
            if !table.insert(hashed, value) {
                let words = format!("duplicate key: {}", self.repr(&key));
                return Err(Failure::new(words).at(*place));
            }
        }
        Ok(self.heap.new_dict(table))
    }

    fn make_function(&mut self, made: &Made, frame: Frame) -> Outcome {
        let defaults = self.all(&made.defaults, frame)?;
        let shared: Vec<Id> = made
            .shares
            .iter()
            .filter_map(|binding| match binding {
                Binding::Local(at) => match self.stack[frame.base + at] {
                    Value::Cell(cell) => Some(cell),
                    _ => None,
                },
                Binding::Shared(at) => {
                    frame.function.map(|id| self.heap.functions.get(id).shared[*at])
                }
                _ => None,
            })
            .collect();
        let code = Arc::clone(&made.code);
        Ok(self.heap.new_function(Function { code, defaults, shared }))
    }

    #[inline(never)]
    fn comprehension(&mut self, comprehension: &Comprehension, frame: Frame) -> Outcome {
        if comprehension.value.is_some() {
            let mut table = Table::default();
            self.clauses(&comprehension.clauses, frame, &mut |machine| {
                let key = machine.evaluate(&comprehension.element, frame)?;
                let value = match &comprehension.value {
                    Some(value) => machine.evaluate(value, frame)?,
                    None => Value::None,
                };
                let key = Key::new(&key).map_err(|failure| failure.at(comprehension.place))?;
                table.insert(key, value);
                Ok(())
            })?;
            return Ok(self.heap.new_dict(table));
        }
        let mut items = Vec::new();
        self.clauses(&comprehension.clauses, frame, &mut |machine| {
            items.push(machine.evaluate(&comprehension.element, frame)?);
            Ok(())
        })?;
        Ok(self.heap.new_list(items))
    }

    fn clauses(
        &mut self,
        clauses: &[Clause],
        frame: Frame,
        add: &mut dyn FnMut(&mut Machine) -> Outcome<()>,
    ) -> Outcome<()> {
        let Some((clause, inner)) = clauses.split_first() else { return add(self) };
        match clause {
            Clause::If(condition) => {
                let condition = self.evaluate(condition, frame)?;
                if self.is_true(&condition) {
                    self.clauses(inner, frame, add)?;
                }
                Ok(())
            }
            Clause::For { to, over, place } => {
                let over = self.evaluate(over, frame)?;
                let mut steps = self.steps(&over).map_err(|failure| failure.at(*place))?;
                let mut result = Ok(());
                while let Some(value) = self.next(&mut steps) {
                    result = self
                        .assign(to, value, *place, frame)
                        .and_then(|()| self.clauses(inner, frame, add));
                    if result.is_err() {
                        break;
                    }
                }
                self.end(&steps);
                result
            }
        }
    }

    fn call_expression(
        &mut self,
        function: &Expression,
        arguments: &[Argument],
        place: Place,
        frame: Frame,
    ) -> Outcome {
        // A method that is called at once needs no value of its own.
        if let Expression::Attribute(of, name, dot) = function {
            let receiver = self.evaluate(of, frame)?;
            if let Some(builtin) = method(&receiver, name) {
                return self.with_arguments(
                    arguments,
                    frame,
                    place,
                    |machine, positional, named| {
                        let call =
                            Call { name: builtin.name, receiver: &receiver, positional, named };
                        (builtin.run)(machine, call)
                            .map_err(|failure| failure.leaving_builtin(builtin.name))
                    },
                );
            }
            let function = self.attribute(&receiver, name).map_err(|failure| failure.at(*dot))?;
            return self.with_arguments(arguments, frame, place, |machine, positional, named| {
                machine.call(&function, positional, named)
            });
        }
        let function = self.evaluate(function, frame)?;
        let is_simple = |it: &Argument| matches!(it, Argument::Positional(_));
        if let (Value::Function(id), true) = (&function, arguments.iter().all(is_simple)) {
            return self.call_on_stack(*id, arguments, place, frame);
        }
        self.with_arguments(arguments, frame, place, |machine, positional, named| {
            machine.call(&function, positional, named)
        })
    }

    /// Calls a function of the script, whose arguments are evaluated to where they are wanted.
    fn call_on_stack(
        &mut self,
        id: Id,
        arguments: &[Argument],
        place: Place,
        frame: Frame,
    ) -> Outcome {
        let base = self.stack.len();
        for argument in arguments {
            if let Argument::Positional(value) = argument {
                match self.evaluate(value, frame) {
                    Ok(value) => self.stack.push(value),
                    Err(failure) => {
                        self.stack.truncate(base);
                        return Err(failure);
                    }
                }
            }
        }
        let result = self.bind(id, base, &[]).and_then(|()| self.run(id, base));
        result.map_err(|failure| failure.at(place))
    }

    /// Evaluates the arguments of a call and hands them over.
    fn with_arguments(
        &mut self,
        arguments: &[Argument],
        frame: Frame,
        place: Place,
        call: impl FnOnce(&mut Machine, &[Value], &[(Str, Value)]) -> Outcome,
    ) -> Outcome {
        let result = match arguments {
            [] => call(self, &[], &[]),
            [Argument::Positional(only)] => {
                let only = [self.evaluate(only, frame)?];
                call(self, &only, &[])
            }
            [Argument::Positional(first), Argument::Positional(second)] => {
                let both = [self.evaluate(first, frame)?, self.evaluate(second, frame)?];
                call(self, &both, &[])
            }
            _ => {
                let (positional, named) = self.arguments(arguments, place, frame)?;
                call(self, &positional, &named)
            }
        };
        result.map_err(|failure| failure.at(place))
    }

    #[inline(never)]
    fn arguments(
        &mut self,
        arguments: &[Argument],
        place: Place,
        frame: Frame,
    ) -> Outcome<Arguments> {
        let (mut positional, mut named) = (Vec::with_capacity(arguments.len()), Vec::new());
        for argument in arguments {
            match argument {
                Argument::Positional(value) => positional.push(self.evaluate(value, frame)?),
                Argument::Named(name, value, _) => {
                    named.push((name.clone(), self.evaluate(value, frame)?));
                }
                Argument::Spread(values, _) => {
                    let values = self.evaluate(values, frame)?;
                    self.spread(&values, &mut positional).map_err(|it| it.at(place))?;
                }
                Argument::SpreadByName(values, _) => {
                    let values = self.evaluate(values, frame)?;
                    self.spread_by_name(&values, &mut named).map_err(|it| it.at(place))?;
                }
            }
        }
        Ok((positional, named))
    }

    fn spread(&mut self, values: &Value, positional: &mut Vec<Value>) -> Outcome<()> {
        if !self.is_iterable(values) {
            fail!("argument after * must be iterable, not {}", values.type_name())
        }
        positional.extend(self.elements(values)?);
        Ok(())
    }

    fn spread_by_name(&mut self, values: &Value, named: &mut Vec<(Str, Value)>) -> Outcome<()> {
        let Some(entries) = self.entries(values) else {
            fail!("argument after ** must be a mapping, not {}", values.type_name())
        };
        for (key, value) in entries {
            match key {
                Value::Str(key) => named.push((key, value)),
                other => fail!("keywords must be strings, not {}", other.type_name()),
            }
        }
        Ok(())
    }
}
