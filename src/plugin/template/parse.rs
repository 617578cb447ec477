//! Making the tree of a template from its tokens.
//!
//! # References
//! Go's `text/template`, "Actions", "Pipelines" and "Variables".

mod pipeline;

use std::collections::HashMap;

use super::error::TemplateError;
use super::functions::Library;
use super::syntax::{Branches, Node};
use super::token::{ScanError, Span, Token, TokenKind, scan};

/// How deep parentheses and blocks may nest: far beyond any use, well before the stack ends.
const MAX_DEPTH: usize = 300;

/// A template's own tree, and those that it defines.
#[derive(Debug, Default)]
pub(super) struct Trees {
    pub(super) root: Vec<Node>,
    pub(super) defined: HashMap<String, Vec<Node>>,
}

pub(super) fn parse(name: &str, source: &str, library: Library) -> Result<Trees, TemplateError> {
    let error = |ScanError { at, reason }| TemplateError {
        name: name.to_owned(),
        line: source[..at].matches('\n').count() + 1,
        reason,
    };
    let tokens = scan(source).map_err(error)?;
    let mut parser = Parser {
        source,
        tokens,
        next: 0,
        library,
        variables: vec![String::new()],
        ranges: 0,
        depth: 0,
        defined: HashMap::new(),
    };
    let root = parser.template().map_err(error)?;
    Ok(Trees { root, defined: parser.defined })
}

type Parsed<T> = Result<T, ScanError>;

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    next: usize,
    library: Library,
    /// The names that are declared where the parser stands; the empty one is `$`.
    variables: Vec<String>,
    /// How many `range` are around.
    ranges: usize,
    depth: usize,
    defined: HashMap<String, Vec<Node>>,
}

/// What ended a list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    /// `{{else}}`
    Else,
    /// `{{else if …}}`, the parser standing at `if` or `with`.
    ElseAgain,
    /// The end of the template.
    Template,
}

/// Which action a pipeline stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Command,
    If,
    With,
    Range,
    Template,
    Block,
    Parentheses,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Command => "command",
            Place::If => "if",
            Place::With => "with",
            Place::Range => "range",
            Place::Template => "template clause",
            Place::Block => "block clause",
            Place::Parentheses => "parenthesized pipeline",
        }
    }
}

impl Parser<'_> {
    fn template(&mut self) -> Parsed<Vec<Node>> {
        let (nodes, ending) = self.nodes()?;
        match ending {
            Ending::Template => Ok(nodes),
            Ending::End => Err(self.error("unexpected {{end}}")),
            Ending::Else | Ending::ElseAgain => Err(self.error("unexpected {{else}}")),
        }
    }

    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.next).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn at(&self) -> Span {
        self.tokens.get(self.next).map_or(Span::default(), |token| token.at)
    }

    fn is_apart(&self) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.is_apart)
    }

    fn text(&self, at: Span) -> String {
        self.source[at.start..at.end].to_owned()
    }

    /// The word here, if it is one.
    fn word(&self) -> Option<&str> {
        let at = self.at();
        (*self.peek() == TokenKind::Word).then(|| &self.source[at.start..at.end])
    }

    fn take(&mut self) -> Token {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token.unwrap_or(Token { kind: TokenKind::End, at: Span::default(), is_apart: true })
    }

    fn error(&self, reason: impl Into<String>) -> ScanError {
        let at = self.at().start.min(self.source.len());
        ScanError { at, reason: reason.into() }
    }

    fn unexpected(&self, place: &str) -> ScanError {
        if *self.peek() == TokenKind::End {
            return self.error("unexpected EOF");
        }
        let at = self.at();
        self.error(format!("unexpected {:?} in {place}", &self.source[at.start..at.end]))
    }

    fn close(&mut self, place: &str) -> Parsed<()> {
        if *self.peek() != TokenKind::Close {
            return Err(self.unexpected(place));
        }
        self.next += 1;
        Ok(())
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("max expression depth exceeded"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn nodes(&mut self) -> Parsed<(Vec<Node>, Ending)> {
        let mut nodes = Vec::new();
        loop {
            match self.peek() {
                TokenKind::End => return Ok((nodes, Ending::Template)),
                TokenKind::Text => {
                    let at = self.take().at;
                    nodes.push(Node::Text(self.text(at)));
                    continue;
                }
                _ => self.next += 1,
            }
            // Behind the opening braces.
            match self.word() {
                Some("end") => {
                    self.next += 1;
                    self.close("end")?;
                    return Ok((nodes, Ending::End));
                }
                Some("else") => {
                    self.next += 1;
                    if matches!(self.word(), Some("if" | "with")) {
                        return Ok((nodes, Ending::ElseAgain));
                    }
                    self.close("else")?;
                    return Ok((nodes, Ending::Else));
                }
                Some("define") => self.define()?,
                _ => {
                    let node = self.action()?;
                    nodes.push(node);
                }
            }
        }
    }

    fn action(&mut self) -> Parsed<Node> {
        let place = match self.word() {
            Some("if") => Place::If,
            Some("with") => Place::With,
            Some("range") => Place::Range,
            Some("template") => Place::Template,
            Some("block") => Place::Block,
            Some("break" | "continue") => return self.jump(),
            _ => {
                let pipeline = self.pipeline(Place::Command)?;
                return Ok(Node::Action(pipeline));
            }
        };
        self.next += 1;
        match place {
            Place::If => Ok(Node::If(self.deeper(|parser| parser.branches(place))?)),
            Place::With => Ok(Node::With(self.deeper(|parser| parser.branches(place))?)),
            Place::Range => Ok(Node::Range(self.deeper(|parser| parser.branches(place))?)),
            Place::Block => self.block(),
            Place::Template | Place::Command | Place::Parentheses => self.call_template(),
        }
    }

    fn jump(&mut self) -> Parsed<Node> {
        let (node, name) = match self.word() {
            Some("break") => (Node::Break, "{{break}}"),
            _ => (Node::Continue, "{{continue}}"),
        };
        self.next += 1;
        self.close(name)?;
        if self.ranges == 0 {
            return Err(self.error(format!("{name} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    fn branches(&mut self, place: Place) -> Parsed<Branches> {
        let declared = self.variables.len();
        let pipeline = self.pipeline(place)?;
        self.ranges += usize::from(place == Place::Range);
        let (then, ending) = self.nodes()?;
        self.ranges -= usize::from(place == Place::Range);
        let again = match (ending, place, self.word()) {
            (Ending::ElseAgain, Place::If, Some("if"))
            | (Ending::ElseAgain, Place::With, Some("with")) => true,
            (Ending::ElseAgain, ..) => return Err(self.unexpected("else")),
            _ => false,
        };
        let otherwise = match ending {
            Ending::End => Vec::new(),
            Ending::Template => return Err(self.error("unexpected EOF")),
            // The one `{{end}}` ends both.
            Ending::Else | Ending::ElseAgain if again => vec![self.action()?],
            Ending::Else | Ending::ElseAgain => {
                let (otherwise, ending) = self.nodes()?;
                match ending {
                    Ending::End => otherwise,
                    Ending::Template => return Err(self.error("unexpected EOF")),
                    _ => return Err(self.error("expected end; found {{else}}")),
                }
            }
        };
        self.variables.truncate(declared);
        Ok(Branches { pipeline, then, otherwise })
    }

    fn define(&mut self) -> Parsed<()> {
        self.next += 1;
        if self.depth > 0 {
            return Err(self.unexpected("command"));
        }
        let name = self.literal("define clause")?;
        self.close("define clause")?;
        self.body(name, "define clause")
    }

    fn literal(&mut self, place: &str) -> Parsed<String> {
        match self.peek() {
            TokenKind::Literal(text) => {
                let text = text.clone();
                self.next += 1;
                Ok(text)
            }
            _ => Err(self.unexpected(place)),
        }
    }

    /// Reads the nodes of a template of its own; variables around it are not seen in it.
    fn body(&mut self, name: String, place: &str) -> Parsed<()> {
        let variables = std::mem::replace(&mut self.variables, vec![String::new()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, ending) = self.deeper(Parser::nodes)?;
        if ending != Ending::End {
            return Err(self.unexpected(place));
        }
        (self.variables, self.ranges) = (variables, ranges);
        let is_empty = |nodes: &[Node]| {
            nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        match self.defined.get(&name) {
            Some(before) if !is_empty(before) => {
                if !is_empty(&nodes) {
                    let reason = format!("template: multiple definition of template {name:?}");
                    return Err(self.error(reason));
                }
            }
            _ => {
                self.defined.insert(name, nodes);
            }
        }
        Ok(())
    }

    fn block(&mut self) -> Parsed<Node> {
        let at = self.at();
        let name = self.literal(Place::Block.name())?;
        let argument = self.pipeline(Place::Block)?;
        self.body(name.clone(), Place::Block.name())?;
        Ok(Node::Template { name, argument: Some(argument), at })
    }

    fn call_template(&mut self) -> Parsed<Node> {
        let at = self.at();
        let name = self.literal(Place::Template.name())?;
        let argument = if *self.peek() == TokenKind::Close {
            self.next += 1;
            None
        } else {
            Some(self.pipeline(Place::Template)?)
        };
        Ok(Node::Template { name, argument, at })
    }
}
