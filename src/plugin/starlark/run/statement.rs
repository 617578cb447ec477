//! Runs statements.

use super::super::failure::{Failure, Outcome, Place, fail};
use super::super::library;
use super::super::syntax::{Binding, Expression, Operator, Statement, Variable};
use super::super::text::Str;
use super::super::value::Value;
use super::{Flow, Frame, Machine};

impl Machine {
    /// Runs statements one after the other.
    pub(super) fn block(&mut self, body: &[Statement], frame: Frame) -> Outcome<Flow> {
        for statement in body {
            match self.statement(statement, frame)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement, frame: Frame) -> Outcome<Flow> {
        match statement {
            Statement::Expression(expression) => {
                self.evaluate(expression, frame)?;
            }
            Statement::Assign { to, value, place } => {
                let value = self.evaluate(value, frame)?;
                self.assign(to, value, *place, frame)?;
            }
            Statement::Update { to, operator, value, place } => {
                self.update(to, *operator, value, *place, frame)?;
            }
            Statement::Define { name, function } => {
                let function = self.evaluate(function, frame)?;
                self.set_variable(name, function, frame);
            }
            Statement::If { branches, otherwise } => {
                for branch in branches {
                    let condition = self.evaluate(&branch.condition, frame)?;
                    if self.is_true(&condition) {
                        return self.block(&branch.body, frame);
                    }
                }
                return self.block(otherwise, frame);
            }
            Statement::For { to, over, body, place } => {
                let over = self.evaluate(over, frame)?;
                return self.for_loop(to, &over, body, *place, frame);
            }
            Statement::Return { value, .. } => {
                return Ok(Flow::Return(match value {
                    Some(value) => self.evaluate(value, frame)?,
                    None => Value::None,
                }));
            }
            Statement::Break { .. } => return Ok(Flow::Break),
            Statement::Continue { .. } => return Ok(Flow::Continue),
            Statement::Load { module, names, place } => {
                self.load_names(module, names, frame).map_err(|failure| failure.at(*place))?;
            }
            // A script with such a loop is refused before it runs.
            Statement::While { .. } | Statement::Pass => {}
        }
        Ok(Flow::Next)
    }

    fn for_loop(
        &mut self,
        to: &Expression,
        over: &Value,
        body: &[Statement],
        place: Place,
        frame: Frame,
    ) -> Outcome<Flow> {
        let mut steps = self.steps(over).map_err(|failure| failure.at(place))?;
        let result = loop {
            let Some(value) = self.next(&mut steps) else { break Ok(Flow::Next) };
            let done = self.assign(to, value, place, frame).and_then(|()| self.block(body, frame));
            match done {
                Ok(Flow::Next | Flow::Continue) => {}
                Ok(Flow::Break) => break Ok(Flow::Next),
                other => break other,
            }
        };
        self.end(&steps);
        result
    }

    fn load_names(&mut self, module: &Str, names: &[(Str, Variable)], frame: Frame) -> Outcome<()> {
        let member = library::module(module)
            .map_err(|error| Failure::new(format!("cannot load {module}: {}", error.message())))?;
        for (name, variable) in names {
            if &**name != member.name {
                let hint = library::nearest_hint(name, [member.name], "");
                fail!("load: name {name} not found in module {module}{hint}")
            }
            self.set_variable(variable, Value::Module(member), frame);
        }
        Ok(())
    }

    pub(super) fn set_variable(&mut self, variable: &Variable, value: Value, frame: Frame) {
        let cell = match &variable.binding {
            Binding::Local(at) => {
                let slot = &mut self.stack[frame.base + at];
                match slot {
                    Value::Cell(cell) => *cell,
                    _ => {
                        *slot = value;
                        return;
                    }
                }
            }
            Binding::Global(at) => {
                self.globals[*at] = value;
                return;
            }
            Binding::Shared(at) => match frame.function {
                Some(id) => self.heap.functions.get(id).shared[*at],
                None => return,
            },
            Binding::Unbound | Binding::Constant(_) => return,
        };
        *self.heap.cells.get_mut(cell) = Some(value);
    }

    /// Assigns a value to whatever stands to the left of `=`.
    pub(super) fn assign(
        &mut self,
        to: &Expression,
        value: Value,
        place: Place,
        frame: Frame,
    ) -> Outcome<()> {
        match to {
            Expression::Variable(variable) => self.set_variable(variable, value, frame),
            Expression::Parenthesized(inner) => self.assign(inner, value, place, frame)?,
            Expression::Tuple(parts, _) | Expression::List(parts, _) => {
                let values = self.unpacked(&value, parts.len());
                let values = values.map_err(|failure| failure.at(place))?;
                for (part, value) in parts.iter().zip(values) {
                    self.assign(part, value, place, frame)?;
                }
            }
            Expression::Index(parts, bracket) => {
                let of = self.evaluate(&parts[0], frame)?;
                let index = self.evaluate(&parts[1], frame)?;
                self.set_index(&of, &index, value).map_err(|failure| failure.at(*bracket))?;
            }
            Expression::Attribute(of, name, dot) => {
                let of = self.evaluate(of, frame)?;
                self.set_attribute(&of, name, &value).map_err(|failure| failure.at(*dot))?;
            }
            // Nothing else gets by the check of the script.
            _ => {}
        }
        Ok(())
    }

    fn unpacked(&mut self, value: &Value, wanted: usize) -> Outcome<Vec<Value>> {
        let Ok(values) = self.elements(value) else {
            fail!("got {} in sequence assignment", value.type_name())
        };
        let got = values.len();
        if got > wanted {
            fail!("too many values to unpack (got {got}, want {wanted})")
        }
        if got < wanted {
            fail!("too few values to unpack (got {got}, want {wanted})")
        }
        Ok(values)
    }

    fn update(
        &mut self,
        to: &Expression,
        operator: Operator,
        value: &Expression,
        place: Place,
        frame: Frame,
    ) -> Outcome<()> {
        match to {
            Expression::Parenthesized(inner) => self.update(inner, operator, value, place, frame),
            Expression::Index(parts, bracket) => {
                let of = self.evaluate(&parts[0], frame)?;
                let index = self.evaluate(&parts[1], frame)?;
                let old = self.index(&of, &index).map_err(|failure| failure.at(*bracket))?;
                let by = self.evaluate(value, frame)?;
                let new = self.updated(operator, old, by).map_err(|failure| failure.at(place))?;
                self.set_index(&of, &index, new).map_err(|failure| failure.at(*bracket))
            }
            Expression::Attribute(of, name, dot) => {
                let of = self.evaluate(of, frame)?;
                let old = self.attribute(&of, name).map_err(|failure| failure.at(*dot))?;
                let by = self.evaluate(value, frame)?;
                let new = self.updated(operator, old, by).map_err(|failure| failure.at(place))?;
                self.set_attribute(&of, name, &new).map_err(|failure| failure.at(*dot))
            }
            _ => {
                let old = self.evaluate(to, frame)?;
                let by = self.evaluate(value, frame)?;
                let new = self.updated(operator, old, by).map_err(|failure| failure.at(place))?;
                self.assign(to, new, place, frame)
            }
        }
    }

    /// What an assignment such as `+=` assigns; lists and dicts are changed in place.
    fn updated(&mut self, operator: Operator, old: Value, by: Value) -> Outcome {
        match (operator, &old, &by) {
            (Operator::Plus, Value::List(id), _) if self.is_iterable(&by) => {
                self.heap.lists.get(*id).guard.check("apply += to", "list")?;
                let added = self.elements(&by)?;
                self.heap.lists.get_mut(*id).items.extend(added);
                Ok(old)
            }
            (Operator::Or, Value::Dict(id), Value::Dict(from)) => {
                self.heap.dicts.get(*id).guard.check("apply |= to", "hash table")?;
                self.merge_dicts(*id, *from)?;
                Ok(old)
            }
            _ => self.binary(operator, &old, &by),
        }
    }
}
