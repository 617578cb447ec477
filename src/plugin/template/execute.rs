//! Carrying a template out.

use super::data::{Data, Dict};
use super::error::{Fault, Reason};
use super::functions::{Call, Function, Run, World};
use super::method;
use super::parse::Trees;
use super::print::{push_value, shown};
use super::syntax::{Branches, Command, Node, Operand, Pipeline, Setting, Term, Variables};
use super::token::Span;

/// How deep templates may call each other.
const MAX_DEPTH: usize = 200;

/// One carrying out of a template.
pub(super) struct Execution<'a, 'o> {
    trees: &'a Trees,
    source: &'a str,
    world: &'o World,
    out: &'o mut String,
    variables: Vec<(&'a str, Data<'a>)>,
    depth: usize,
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Evaluated<'a> = Result<Data<'a>, Fault>;

impl<'a, 'o> Execution<'a, 'o> {
    pub(super) fn new(
        trees: &'a Trees,
        source: &'a str,
        world: &'o World,
        out: &'o mut String,
    ) -> Execution<'a, 'o> {
        Execution { trees, source, world, out, variables: Vec::new(), depth: 0 }
    }

    pub(super) fn run(&mut self, dot: &Data<'a>) -> Result<(), Fault> {
        self.variables.push(("", dot.clone()));
        let trees = self.trees;
        self.walk(&trees.root, dot).map(drop)
    }

    fn walk(&mut self, nodes: &'a [Node], dot: &Data<'a>) -> Result<Flow, Fault> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::On
                }
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_none() {
                        match value {
                            Data::Nil => self.out.push_str("<no value>"),
                            value => push_value(self.out, &value),
                        }
                    }
                    Flow::On
                }
                Node::If(branches) => self.branch(branches, dot, |_, dot| dot)?,
                Node::With(branches) => self.branch(branches, dot, |value, _| value)?,
                Node::Range(branches) => self.range(branches, dot)?,
                Node::Template { name, argument, at } => {
                    self.template(name, argument.as_ref(), *at, dot)?;
                    Flow::On
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    /// Walks one of two branches, its dot chosen from the condition and the dot around it.
    fn branch(
        &mut self,
        branches: &'a Branches,
        dot: &Data<'a>,
        choose: impl FnOnce(Data<'a>, Data<'a>) -> Data<'a>,
    ) -> Result<Flow, Fault> {
        let declared = self.variables.len();
        let value = self.pipeline(&branches.pipeline, dot)?;
        let flow = if value.is_true() {
            self.walk(&branches.then, &choose(value, dot.clone()))?
        } else {
            self.walk(&branches.otherwise, dot)?
        };
        self.variables.truncate(declared);
        Ok(flow)
    }

    fn range(&mut self, branches: &'a Branches, dot: &Data<'a>) -> Result<Flow, Fault> {
        let declared = self.variables.len();
        let at = branches.pipeline.at;
        let value = self.evaluate(&branches.pipeline, dot)?;
        let variables = branches.pipeline.variables.as_ref();
        let pairs: Vec<(Data<'a>, Data<'a>)> = match &value {
            Data::Nil => Vec::new(),
            Data::Dict(dict) => {
                dict.entries().into_iter().map(|(key, value)| (Data::Text(key), value)).collect()
            }
            Data::Int(_) | Data::Integer(_) | Data::Unsigned(_) | Data::Byte(_) => {
                if variables.is_some_and(|variables| variables.names.len() > 1) {
                    return Err(Reason::RangeVariables(shown(&value)).at(at));
                }
                return self.count(branches, &value, dot);
            }
            _ => match value.as_list() {
                Some(items) => {
                    (0..).map(Data::Int).zip(items).collect::<Vec<(Data<'a>, Data<'a>)>>()
                }
                None => return Err(Reason::Range(shown(&value)).at(at)),
            },
        };
        if pairs.is_empty() {
            let flow = self.walk(&branches.otherwise, dot)?;
            self.variables.truncate(declared);
            return Ok(flow);
        }
        for (key, value) in pairs {
            let flow = self.round(branches, key, value)?;
            self.variables.truncate(declared);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    /// A `range` over a number, which makes no list of as many.
    fn count(
        &mut self,
        branches: &'a Branches,
        number: &Data<'a>,
        dot: &Data<'a>,
    ) -> Result<Flow, Fault> {
        let declared = self.variables.len();
        let end = number.as_integer().unwrap_or(0);
        if end <= 0 {
            let flow = self.walk(&branches.otherwise, dot)?;
            self.variables.truncate(declared);
            return Ok(flow);
        }
        for at in 0..i64::try_from(end).unwrap_or(i64::MAX) {
            let value = match number {
                Data::Integer(_) => Data::Integer(at),
                Data::Unsigned(_) => Data::Unsigned(at.unsigned_abs()),
                _ => Data::Int(at),
            };
            let flow = self.round(branches, Data::Nil, value)?;
            self.variables.truncate(declared);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    /// One round of a `range`.
    fn round(
        &mut self,
        branches: &'a Branches,
        key: Data<'a>,
        value: Data<'a>,
    ) -> Result<Flow, Fault> {
        if let Some(variables) = &branches.pipeline.variables {
            let values = match variables.names.len() {
                2 => vec![key, value.clone()],
                _ => vec![value.clone()],
            };
            for (name, value) in variables.names.iter().zip(values) {
                self.set(variables.setting, name, value);
            }
        }
        self.walk(&branches.then, &value)
    }

    fn template(
        &mut self,
        name: &'a str,
        argument: Option<&'a Pipeline>,
        at: Span,
        dot: &Data<'a>,
    ) -> Result<(), Fault> {
        let trees = self.trees;
        let Some(nodes) = trees.defined.get(name) else {
            return Err(Reason::NoTemplate(name.to_owned()).at(at));
        };
        if self.depth == MAX_DEPTH {
            return Err(Reason::TooDeep(MAX_DEPTH).at(at));
        }
        let dot = match argument {
            Some(argument) => self.pipeline(argument, dot)?,
            None => Data::Nil,
        };
        // What is called sees none of the variables around it.
        let around = std::mem::replace(&mut self.variables, vec![("", dot.clone())]);
        self.depth += 1;
        let walked = self.walk(nodes, &dot);
        self.depth -= 1;
        self.variables = around;
        walked.map(drop)
    }

    fn set(&mut self, setting: Setting, name: &'a str, value: Data<'a>) {
        let known = match setting {
            Setting::Declare => None,
            Setting::Assign => self.variables.iter_mut().rev().find(|(known, _)| *known == name),
        };
        match known {
            Some((_, known)) => *known = value,
            None => self.variables.push((name, value)),
        }
    }

    /// Evaluates a pipeline and sets its variables.
    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Data<'a>) -> Evaluated<'a> {
        let mut value = self.evaluate(pipeline, dot)?;
        if let Some(Variables { setting, names }) = &pipeline.variables {
            if let Data::Dict(dict) = &value
                && !dict.is_of_texts()
            {
                // What a variable holds may be changed by `set`, and then shows the change.
                value = Data::Dict(Dict::Any(dict.changeable()));
            }
            for name in names {
                self.set(*setting, name, value.clone());
            }
        }
        Ok(value)
    }

    fn evaluate(&mut self, pipeline: &'a Pipeline, dot: &Data<'a>) -> Evaluated<'a> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value, dot)?);
        }
        Ok(value.unwrap_or(Data::Nil))
    }

    fn command(
        &mut self,
        command: &'a Command,
        last: Option<Data<'a>>,
        dot: &Data<'a>,
    ) -> Evaluated<'a> {
        let Command { first, arguments, at } = command;
        let has_arguments = !arguments.is_empty() || last.is_some();
        match &first.term {
            Term::Function(function) => {
                return self.call(function, arguments, last, *at, dot);
            }
            Term::Fields(fields) => {
                return self.fields(dot.clone(), fields, arguments, last, *at, dot);
            }
            Term::Variable(name, fields) if !fields.is_empty() => {
                let value = self.variable(name);
                return self.fields(value, fields, arguments, last, *at, dot);
            }
            Term::Chain(inner, fields) => {
                let value = self.operand(inner, dot)?;
                return self.fields(value, fields, arguments, last, *at, dot);
            }
            _ => {}
        }
        if has_arguments {
            let shown = self.source.get(first.at.start..first.at.end).unwrap_or_default();
            return Err(Reason::NoFunction(shown.to_owned()).at(first.at));
        }
        match first.term {
            Term::Nil => Err(Reason::Nil.at(first.at)),
            _ => self.operand(first, dot),
        }
    }

    fn variable(&self, name: &str) -> Data<'a> {
        let found = self.variables.iter().rev().find(|(known, _)| *known == name);
        found.map_or(Data::Nil, |(_, value)| value.clone())
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Data<'a>) -> Evaluated<'a> {
        Ok(match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => Data::Nil,
            Term::Boolean(value) => Data::Boolean(*value),
            Term::Integer(value) => Data::Int(*value),
            Term::Float(value) => Data::Float(*value),
            Term::Text(text) => Data::text(text.as_str()),
            Term::Fields(fields) => self.fields(dot.clone(), fields, &[], None, operand.at, dot)?,
            Term::Variable(name, fields) => {
                let value = self.variable(name);
                self.fields(value, fields, &[], None, operand.at, dot)?
            }
            Term::Function(function) => self.call(function, &[], None, operand.at, dot)?,
            Term::Group(pipeline) => self.pipeline(pipeline, dot)?,
            Term::Chain(inner, fields) => {
                let value = self.operand(inner, dot)?;
                self.fields(value, fields, &[], None, operand.at, dot)?
            }
        })
    }

    /// Goes along `.A.B.C`, the last of which may be a method with arguments.
    fn fields(
        &mut self,
        mut value: Data<'a>,
        fields: &'a [String],
        arguments: &'a [Operand],
        last: Option<Data<'a>>,
        at: Span,
        dot: &Data<'a>,
    ) -> Evaluated<'a> {
        let Some((name, before)) = fields.split_last() else { return Ok(value) };
        for field in before {
            value = method::field(&value, field, &[]).map_err(|reason| reason.at(at))?;
        }
        if arguments.is_empty() && last.is_none() {
            return method::field(&value, name, &[]).map_err(|reason| reason.at(at));
        }
        if let ([argument], None) = (arguments, &last) {
            // `.Tag "key"` is by far the most frequent call.
            let argument = [self.operand(argument, dot)?];
            return method::field(&value, name, &argument).map_err(|reason| reason.at(at));
        }
        let values = self.arguments(arguments, last, dot)?;
        method::field(&value, name, &values).map_err(|reason| reason.at(at))
    }

    fn arguments(
        &mut self,
        arguments: &'a [Operand],
        last: Option<Data<'a>>,
        dot: &Data<'a>,
    ) -> Result<Vec<Data<'a>>, Fault> {
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            values.push(self.operand(argument, dot)?);
        }
        values.extend(last);
        Ok(values)
    }

    fn call(
        &mut self,
        function: &'static Function,
        arguments: &'a [Operand],
        last: Option<Data<'a>>,
        at: Span,
        dot: &Data<'a>,
    ) -> Evaluated<'a> {
        let got = arguments.len() + usize::from(last.is_some());
        function.check_count(got).map_err(|reason| reason.at(at))?;
        let stops_at = match function.run {
            Run::Eager(run) => {
                let values = self.arguments(arguments, last, dot)?;
                let call = Call::new(function.name, &values, self.world);
                return run(&call).map_err(|reason| reason.at(at));
            }
            Run::And => false,
            Run::Or => true,
        };
        let mut value = Data::Nil;
        for argument in arguments {
            value = self.operand(argument, dot)?;
            if value.is_true() == stops_at {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}
