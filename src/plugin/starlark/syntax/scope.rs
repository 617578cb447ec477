//! The variables of a function while its names are bound.

use std::collections::HashMap;

use super::super::text::Str;
use super::tree::{Binding, Branch, Expression, Statement};

/// The variables of a function, or of the script's top level.
#[derive(Default)]
pub(super) struct Scope {
    /// Those of the function, then those of the comprehensions around, innermost last.
    pub(super) blocks: Vec<HashMap<Str, usize>>,
    pub(super) locals: Vec<Str>,
    pub(super) cells: Vec<usize>,
    pub(super) shared: Vec<Str>,
    /// Where the shared ones lie in the function around.
    pub(super) shares: Vec<Binding>,
    /// How many loops are around.
    pub(super) loops: usize,
}

impl Scope {
    /// Adds a variable to the innermost block.
    pub(super) fn add(&mut self, name: &Str) -> usize {
        if let Some(known) = self.blocks.last().and_then(|block| block.get(name)) {
            return *known;
        }
        let index = self.locals.len();
        self.locals.push(name.clone());
        if let Some(block) = self.blocks.last_mut() {
            block.insert(name.clone(), index);
        }
        index
    }

    /// Finds a variable of the function itself.
    pub(super) fn local(&self, name: &Str) -> Option<usize> {
        self.blocks.iter().rev().find_map(|block| block.get(name)).copied()
    }
}

/// Finds a variable of the innermost scope or one around it, which is then shared by all between.
pub(super) fn find(scopes: &mut [Scope], name: &Str) -> Option<Binding> {
    let (scope, around) = scopes.split_last_mut()?;
    if let Some(index) = scope.local(name) {
        return Some(Binding::Local(index));
    }
    if let Some(index) = scope.shared.iter().position(|shared| shared == name) {
        return Some(Binding::Shared(index));
    }
    let outer = find(around, name)?;
    if let (Binding::Local(index), Some(owner)) = (&outer, around.last_mut())
        && !owner.cells.contains(index)
    {
        owner.cells.push(*index);
    }
    scope.shared.push(name.clone());
    scope.shares.push(outer);
    Some(Binding::Shared(scope.shared.len() - 1))
}

/// Collects the names that statements assign to, in order.
pub(super) fn assigned(body: &[Statement], names: &mut Vec<Str>) {
    for statement in body {
        match statement {
            Statement::Assign { to, .. } | Statement::Update { to, .. } => targets(to, names),
            Statement::Define { name, .. } => names.push(name.name.clone()),
            Statement::If { branches, otherwise } => {
                branches.iter().for_each(|Branch { body, .. }| assigned(body, names));
                assigned(otherwise, names);
            }
            Statement::For { to, body, .. } => {
                targets(to, names);
                assigned(body, names);
            }
            Statement::Load { names: loaded, .. } => {
                names.extend(loaded.iter().map(|(_, variable)| variable.name.clone()));
            }
            _ => {}
        }
    }
}

/// Collects the names that are assigned to by `to = …`.
pub(super) fn targets(to: &Expression, names: &mut Vec<Str>) {
    match to {
        Expression::Variable(variable) => names.push(variable.name.clone()),
        Expression::Parenthesized(inner) => targets(inner, names),
        Expression::Tuple(parts, _) | Expression::List(parts, _) => {
            parts.iter().for_each(|part| targets(part, names));
        }
        _ => {}
    }
}
