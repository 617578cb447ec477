//! Binds the names of a script to variables, and checks what the grammar leaves open.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::failure::Place;
use super::super::library::nearest;
use super::super::text::Str;
use super::super::value::Value;
use super::error::SyntaxError;
use super::scope::{Scope, assigned, find, targets};
use super::tree::{
    Argument, Binding, Branch, Clause, Code, Comprehension, Expression, Made, Module, Parameter,
    ParameterKind, Program, Statement, Variable,
};

/// What a script finds without having made it, by name.
pub(crate) type Globals = HashMap<Str, Value>;

/// Binds all names of a script.
///
/// # Errors
/// The first name that is not there, or statement that is out of place.
pub(crate) fn resolve(module: Module, predeclared: &Globals) -> Result<Program, SyntaxError> {
    let mut names = Vec::new();
    assigned(&module.body, &mut names);
    let mut globals: Vec<Str> = Vec::new();
    let mut global_indexes = HashMap::new();
    for name in names {
        global_indexes.entry(name).or_insert_with_key(|name| {
            globals.push(name.clone());
            globals.len() - 1
        });
    }
    let mut resolver = Resolver {
        predeclared,
        global_indexes,
        seen: HashSet::new(),
        scopes: vec![Scope::default()],
        errors: Vec::new(),
        undefined: Vec::new(),
    };
    let mut body = module.body;
    resolver.statements(&mut body);
    // What is not defined is found last, as it takes the whole script.
    let errors = resolver.errors.into_iter().chain(resolver.undefined);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let scope = resolver.scopes.pop().unwrap_or_default();
    let top = Code {
        name: "<toplevel>".into(),
        body,
        locals: scope.locals,
        cells: scope.cells,
        is_plain: true,
        ..Code::default()
    };
    Ok(Program { top: Arc::new(top), globals })
}

struct Resolver<'p> {
    predeclared: &'p Globals,
    global_indexes: HashMap<Str, usize>,
    /// The global variables assigned to so far; the top level only sees those.
    seen: HashSet<Str>,
    /// The functions around, the top level first.
    scopes: Vec<Scope>,
    errors: Vec<SyntaxError>,
    undefined: Vec<SyntaxError>,
}

impl Resolver<'_> {
    fn error(&mut self, place: Place, message: impl Into<String>) {
        self.errors.push(SyntaxError::new(place, message));
    }

    fn is_in_function(&self) -> bool {
        self.scopes.len() > 1
    }

    /// Whether names are those of the top level itself, not of a comprehension in it.
    fn is_at_top(&self) -> bool {
        matches!(self.scopes.as_slice(), [top] if top.blocks.is_empty())
    }

    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Binds a name that is assigned to.
    fn bind(&mut self, variable: &mut Variable) {
        if self.is_at_top() {
            self.seen.insert(variable.name.clone());
        }
        self.look_up(variable);
    }

    fn look_up(&mut self, variable: &mut Variable) {
        let name = &variable.name;
        if let Some(binding) = find(&mut self.scopes, name) {
            variable.binding = binding;
            return;
        }
        let is_visible = !self.is_at_top() || self.seen.contains(name);
        variable.binding = if let Some(index) = self.global_indexes.get(name).filter(|_| is_visible)
        {
            Binding::Global(*index)
        } else if let Some(value) = self.predeclared.get(name) {
            Binding::Constant(value.clone())
        } else if let Some(value) = super::super::library::universal(name) {
            Binding::Constant(value)
        } else {
            let hint = self.hint(name);
            let error = SyntaxError::new(variable.place, format!("undefined: {name}{hint}"));
            if self.is_at_top() {
                self.errors.push(error);
            } else {
                self.undefined.push(error);
            }
            Binding::Unbound
        };
    }

    fn hint(&self, name: &str) -> String {
        let locals = self.scopes.iter().flat_map(|scope| &scope.locals);
        let mut names: Vec<&str> =
            locals.chain(self.global_indexes.keys()).map(|name| &**name).collect();
        names.sort_unstable();
        match nearest(name, names) {
            Some(nearest) => format!(" (did you mean {nearest}?)"),
            None => String::new(),
        }
    }

    fn statements(&mut self, body: &mut [Statement]) {
        body.iter_mut().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &mut Statement) {
        match statement {
            Statement::Expression(expression) => self.expression(expression),
            Statement::Assign { to, value, .. } => {
                self.expression(value);
                self.assign(to);
            }
            Statement::Update { to, value, .. } => {
                self.expression(value);
                let kind = match to {
                    Expression::Tuple(..) => Some("tuple"),
                    Expression::List(..) => Some("list"),
                    _ => None,
                };
                if let Some(kind) = kind {
                    let message = format!("can't use {kind} expression in augmented assignment");
                    self.error(to.start(), message);
                }
                self.assign(to);
            }
            Statement::Define { name, function } => {
                self.bind(name);
                self.expression(function);
            }
            Statement::If { branches, otherwise } => self.branches(branches, otherwise),
            Statement::For { to, over, body, place } => {
                if !self.is_in_function() {
                    self.error(*place, "for loop not within a function");
                }
                self.expression(over);
                self.assign(to);
                self.scope().loops += 1;
                self.statements(body);
                self.scope().loops -= 1;
            }
            Statement::While { place } => {
                self.error(*place, "this Starlark dialect does not support while loops");
            }
            Statement::Return { value, place } => {
                if !self.is_in_function() {
                    self.error(*place, "return statement not within a function");
                }
                if let Some(value) = value {
                    self.expression(value);
                }
            }
            Statement::Break { place } => self.in_loop("break", *place),
            Statement::Continue { place } => self.in_loop("continue", *place),
            Statement::Load { names, place, .. } => self.load(names, *place),
            Statement::Pass => {}
        }
    }

    fn branches(&mut self, branches: &mut [Branch], otherwise: &mut [Statement]) {
        for Branch { condition, body, place } in branches {
            if !self.is_in_function() {
                self.error(*place, "if statement not within a function");
            }
            self.expression(condition);
            self.statements(body);
        }
        self.statements(otherwise);
    }

    fn in_loop(&mut self, word: &str, place: Place) {
        if self.scope().loops == 0 {
            self.error(place, format!("{word} not in a loop"));
        }
    }

    fn load(&mut self, names: &mut [(Str, Variable)], place: Place) {
        if self.is_in_function() {
            self.error(place, "load statement within a function");
        }
        for (name, variable) in names {
            if name.is_empty() {
                self.error(variable.place, "load: empty identifier");
            } else if name.starts_with('_') {
                let message =
                    format!("load: names with leading underscores are not exported: {name}");
                self.error(variable.place, message);
            }
            self.bind(variable);
        }
    }

    fn assign(&mut self, to: &mut Expression) {
        let kind = match to {
            Expression::Variable(variable) => return self.bind(variable),
            Expression::Parenthesized(inner) => return self.assign(inner),
            Expression::Tuple(parts, _) | Expression::List(parts, _) => {
                return parts.iter_mut().for_each(|part| self.assign(part));
            }
            Expression::Index(parts, _) => {
                return parts.iter_mut().for_each(|part| self.expression(part));
            }
            Expression::Attribute(inner, _, _) => return self.expression(inner),
            Expression::Constant(..) => "literal",
            Expression::Dict(..) => "dictexpr",
            Expression::Comprehension(_) => "comprehension",
            Expression::Choice(_) => "condexpr",
            Expression::Function(_) => "lambdaexpr",
            Expression::Not(..) | Expression::Signed(..) => "unaryexpr",
            Expression::And(..) | Expression::Or(..) | Expression::Binary(..) => "binaryexpr",
            Expression::Slice(..) => "sliceexpr",
            Expression::Call(..) => "callexpr",
        };
        self.error(to.start(), format!("can't assign to {kind}"));
    }

    fn expression(&mut self, expression: &mut Expression) {
        match expression {
            Expression::Constant(..) => {}
            Expression::Variable(variable) => self.look_up(variable),
            Expression::Parenthesized(inner)
            | Expression::Not(inner, _)
            | Expression::Signed(_, inner, _)
            | Expression::Attribute(inner, _, _) => self.expression(inner),
            Expression::Tuple(parts, _)
            | Expression::List(parts, _)
            | Expression::And(parts, _)
            | Expression::Or(parts, _) => parts.iter_mut().for_each(|part| self.expression(part)),
            Expression::Dict(entries, _) => entries.iter_mut().for_each(|(key, value, _)| {
                self.expression(key);
                self.expression(value);
            }),
            Expression::Choice(parts) => {
                parts.iter_mut().for_each(|part| self.expression(part));
            }
            Expression::Index(parts, _) | Expression::Binary(_, parts, _) => {
                parts.iter_mut().for_each(|part| self.expression(part));
            }
            Expression::Slice(parts, _) => {
                self.expression(&mut parts.0);
                parts.1.iter_mut().flatten().for_each(|part| self.expression(part));
            }
            Expression::Call(call, _) => {
                self.expression(&mut call.0);
                self.arguments(&mut call.1);
            }
            Expression::Comprehension(comprehension) => self.comprehension(comprehension),
            Expression::Function(made) => self.function(made),
        }
    }

    fn arguments(&mut self, arguments: &mut [Argument]) {
        let (mut spread, mut by_name) = (false, false);
        let mut named: Vec<Str> = Vec::new();
        for argument in arguments {
            let wrong = match argument {
                Argument::Positional(value) => {
                    let place = value.start();
                    self.expression(value);
                    let wrong = if spread {
                        Some("positional argument may not follow *args")
                    } else if by_name {
                        Some("positional argument may not follow **kwargs")
                    } else if !named.is_empty() {
                        Some("positional argument may not follow named")
                    } else {
                        None
                    };
                    wrong.map(|message| (place, message.to_owned()))
                }
                Argument::Named(name, value, place) => {
                    self.expression(value);
                    let message = if by_name {
                        Some("keyword argument may not follow **kwargs".to_owned())
                    } else if spread {
                        Some("keyword argument may not follow *args".to_owned())
                    } else if named.contains(name) {
                        Some(format!("keyword argument \"{name}\" is repeated"))
                    } else {
                        None
                    };
                    named.push(name.clone());
                    message.map(|message| (*place, message))
                }
                Argument::Spread(value, place) => {
                    self.expression(value);
                    let message = if by_name {
                        Some("*args may not follow **kwargs")
                    } else if spread {
                        Some("multiple *args not allowed")
                    } else {
                        None
                    };
                    spread = true;
                    message.map(|message| (*place, message.to_owned()))
                }
                Argument::SpreadByName(value, place) => {
                    self.expression(value);
                    let message = by_name.then(|| "multiple **kwargs not allowed".to_owned());
                    by_name = true;
                    message.map(|message| (*place, message))
                }
            };
            if let Some((place, message)) = wrong {
                self.error(place, message);
            }
        }
    }

    fn comprehension(&mut self, comprehension: &mut Comprehension) {
        let Comprehension { clauses, element, value, .. } = comprehension;
        let mut is_open = false;
        for clause in clauses {
            match clause {
                Clause::For { to, over, .. } => {
                    // The first is gone through where the comprehension stands.
                    self.expression(over);
                    if !is_open {
                        self.scope().blocks.push(HashMap::new());
                        is_open = true;
                    }
                    let mut names = Vec::new();
                    targets(to, &mut names);
                    for name in &names {
                        self.scope().add(name);
                    }
                    self.assign(to);
                }
                Clause::If(condition) => self.expression(condition),
            }
        }
        self.expression(element);
        if let Some(value) = value {
            self.expression(value);
        }
        self.scope().blocks.pop();
    }

    fn function(&mut self, made: &mut Made) {
        made.defaults.iter_mut().for_each(|value| self.expression(value));
        // Nothing else holds the code before the script runs.
        let Some(code) = Arc::get_mut(&mut made.code) else { return };
        self.check_parameters(&code.parameters);
        let mut scope = Scope { blocks: vec![HashMap::new()], ..Scope::default() };
        for parameter in &code.parameters {
            scope.add(&parameter.name);
        }
        let mut names = Vec::new();
        assigned(&code.body, &mut names);
        for name in &names {
            scope.add(name);
        }
        self.scopes.push(scope);
        self.statements(&mut code.body);
        let scope = self.scopes.pop().unwrap_or_default();
        code.locals = scope.locals;
        code.cells = scope.cells;
        code.shared = scope.shared;
        made.shares = scope.shares;
    }

    fn check_parameters(&mut self, parameters: &[Parameter]) {
        let mut seen: Vec<&Str> = Vec::new();
        let mut before: Option<&Parameter> = None;
        for parameter in parameters {
            let Parameter { name, place, kind } = parameter;
            if seen.contains(&name) {
                self.error(*place, format!("duplicate parameter: {name}"));
            }
            seen.push(name);
            if let Some(Parameter { name: rest, kind: ParameterKind::RestByName, .. }) = before {
                let what = match kind {
                    ParameterKind::Required | ParameterKind::RequiredByName => "required",
                    ParameterKind::Optional | ParameterKind::OptionalByName => "optional",
                    ParameterKind::Rest => "*",
                    ParameterKind::RestByName => "**",
                };
                let message = match kind {
                    ParameterKind::RestByName => "multiple ** parameters not allowed".to_owned(),
                    _ => format!("{what} parameter may not follow **{rest}"),
                };
                self.error(*place, message);
            } else if *kind == ParameterKind::Required
                && before.is_some_and(|before| before.kind == ParameterKind::Optional)
            {
                self.error(*place, "required parameter may not follow optional");
            }
            before = Some(parameter);
        }
    }
}
