//! Names of files, made from a template and read back.
//!
//! `consumer-thread-{thread}`, `{topic}-{partition}.{first}-{last}.jsonl`, `{date}`: what stands in
//! braces is replaced. What follows the last dot behind the last brace is the extension, `.csv`
//! where there is none. Names that would be equal are told apart by a number before the extension:
//! `2020-06-19.csv`, `2020-06-19+2.csv`.

use std::fmt::Write;

use regex::Regex;

use super::escaping::escaped;

const EXTENSION: &str = ".csv";

/// What can stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// The number of the consumer thread.
    Thread,
    /// The topic.
    Topic,
    /// The number of the partition.
    Partition,
    /// What rows of CSV are measurements of.
    Measurement,
    /// The offset of the first record.
    First,
    /// The offset of the last record.
    Last,
    /// The day on which the file's time begins, as `2020-06-19`.
    Date,
    /// The time of day at which it begins, as `150405`.
    Time,
    /// The year in which it begins.
    Year,
    /// The month in which it begins, as `06`.
    Month,
    /// The day of the month on which it begins.
    Day,
    /// The hour in which it begins.
    Hour,
    /// The minute in which it begins.
    Minute,
}

impl Variable {
    /// All that there are.
    pub const ALL: [Variable; 13] = [
        Variable::Thread,
        Variable::Topic,
        Variable::Partition,
        Variable::Measurement,
        Variable::First,
        Variable::Last,
        Variable::Date,
        Variable::Time,
        Variable::Year,
        Variable::Month,
        Variable::Day,
        Variable::Hour,
        Variable::Minute,
    ];

    /// What it is called in a template.
    pub fn word(self) -> &'static str {
        match self {
            Variable::Thread => "thread",
            Variable::Topic => "topic",
            Variable::Partition => "partition",
            Variable::Measurement => "measurement",
            Variable::First => "first",
            Variable::Last => "last",
            Variable::Date => "date",
            Variable::Time => "time",
            Variable::Year => "year",
            Variable::Month => "month",
            Variable::Day => "day",
            Variable::Hour => "hour",
            Variable::Minute => "minute",
        }
    }

    /// Whether it tells when a file has begun.
    pub fn is_of_time(self) -> bool {
        use Variable::{Date, Day, Hour, Minute, Month, Time, Year};
        matches!(self, Date | Time | Year | Month | Day | Hour | Minute)
    }

    /// What a text for it looks like.
    fn form(self) -> &'static str {
        match self {
            Variable::Thread | Variable::Partition => "[0-9]+",
            Variable::Topic => "%2E[A-Za-z0-9._-]*|[A-Za-z0-9._-]+",
            Variable::Measurement => "[A-Za-z0-9._%~-]+",
            Variable::First | Variable::Last => "[0-9]+|_",
            Variable::Date => "-?[0-9]+-[0-9]{2}-[0-9]{2}",
            Variable::Time => "[0-9]{6}",
            Variable::Year => "-?[0-9]+",
            Variable::Month | Variable::Day | Variable::Hour | Variable::Minute => "[0-9]{2}",
        }
    }
}

/// Stands for what is not known yet, or what there is none of.
const NOTHING: &str = "_";

/// What stands for the variables in one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values([Option<String>; Variable::ALL.len()]);

impl Values {
    /// The same with a text for a variable.
    #[must_use]
    pub fn with(mut self, variable: Variable, text: impl Into<String>) -> Values {
        self.set(variable, text);
        self
    }

    /// Puts a text in the place of a variable.
    pub fn set(&mut self, variable: Variable, text: impl Into<String>) {
        self.0[variable as usize] = Some(text.into());
    }

    /// The text for a variable.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.0[variable as usize].as_deref()
    }

    /// Leaves out what a name cannot be known by before it is seen: when the file began, and its
    /// offsets.
    #[must_use]
    pub fn known_before(mut self) -> Values {
        for variable in Variable::ALL {
            let is_offset = matches!(variable, Variable::First | Variable::Last);
            if is_offset || variable.is_of_time() {
                self.0[variable as usize] = None;
            }
        }
        self
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is nothing in it.
    #[error("a file needs a name")]
    Empty,
    /// It would lead to another folder.
    #[error("{0:?} names a folder; all files are in the output folder")]
    Folder(String),
    /// Files that begin with a dot are the sink's own.
    #[error("{0:?} begins with a dot, as the sink's own files do")]
    Hidden(String),
    /// It ends as files do that are open or compressed.
    #[error("{0:?} ends in {1}, which the sink adds itself")]
    Ending(String, &'static str),
    /// A brace has no other.
    #[error("{0:?} has a brace without the other")]
    Brace(String),
    /// A variable would have to be the same in two places for a name to be read back.
    #[error("{{{0}}} stands twice in it")]
    Twice(&'static str),
    /// What stands in braces is unknown.
    #[error("{{{0}}} is unknown; there are {words}", words = words())]
    Unknown(String),
}

fn words() -> String {
    Variable::ALL.map(|variable| format!("{{{}}}", variable.word())).join(", ")
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

/// What files are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    extension: String,
}

impl Default for Template {
    fn default() -> Template {
        Template {
            pieces: vec![
                Piece::Text("consumer-thread-".to_owned()),
                Piece::Variable(Variable::Thread),
            ],
            extension: EXTENSION.to_owned(),
        }
    }
}

impl Template {
    /// Takes a template apart.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let whole = || text.to_owned();
        match text {
            "" => return Err(TemplateError::Empty),
            _ if text.contains(['/', '\0']) => return Err(TemplateError::Folder(whole())),
            _ if text.starts_with('.') => return Err(TemplateError::Hidden(whole())),
            _ => {}
        }
        let endings = super::names::ENDINGS;
        if let Some(ending) = endings.into_iter().find(|ending| text.ends_with(ending)) {
            return Err(TemplateError::Ending(whole(), ending));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            let inner = from.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (word, behind) = inner.ok_or_else(|| TemplateError::Brace(whole()))?;
            if word.contains('{') {
                return Err(TemplateError::Brace(whole()));
            }
            let variable = Variable::ALL.into_iter().find(|variable| variable.word() == word);
            let variable = variable.ok_or_else(|| TemplateError::Unknown(word.to_owned()))?;
            if pieces.contains(&Piece::Variable(variable)) {
                return Err(TemplateError::Twice(variable.word()));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Variable(variable));
            rest = behind;
        }
        let (text, extension) = match rest.rfind('.') {
            Some(dot) if dot + 1 < rest.len() && !(pieces.is_empty() && dot == 0) => {
                rest.split_at(dot)
            }
            _ => (rest, EXTENSION),
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        Ok(Template { pieces, extension: extension.to_owned() })
    }

    /// Whether a variable is in it.
    pub fn has(&self, variable: Variable) -> bool {
        self.pieces.contains(&Piece::Variable(variable))
    }

    /// The first variable in it of which `is_it` holds.
    pub fn find(&self, is_it: impl Fn(Variable) -> bool) -> Option<Variable> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Variable(variable) if is_it(*variable) => Some(*variable),
            _ => None,
        })
    }

    /// Whether each thread writes to one file only.
    pub fn has_one_file_a_thread(&self) -> bool {
        use Variable::{Measurement, Partition, Topic};
        self.find(|variable| matches!(variable, Topic | Partition | Measurement)).is_none()
    }

    /// The same with the measurement, behind a dot if it is not in it yet.
    #[must_use]
    pub fn with_measurement(mut self) -> Template {
        if !self.has(Variable::Measurement) {
            self.pieces.push(Piece::Text(".".to_owned()));
            self.pieces.push(Piece::Variable(Variable::Measurement));
        }
        self
    }

    /// The name with these values; what is not known is `_`.
    pub fn name(&self, values: &Values, number: u32) -> String {
        let mut name = String::new();
        for piece in &self.pieces {
            name.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Variable(variable) => values.get(*variable).unwrap_or(NOTHING),
            });
        }
        if number > 1 {
            // Writing to a string never fails.
            let _ = write!(name, "+{number}");
        }
        name.push_str(&self.extension);
        name
    }

    /// What names with these values look like, whatever stands for the other variables.
    pub fn pattern(&self, known: &Values) -> NamePattern {
        let mut text = "^".to_owned();
        let mut variables = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(&regex::escape(literal)),
                Piece::Variable(variable) => {
                    let form = known.get(*variable).map(regex::escape);
                    let form = form.as_deref().unwrap_or(variable.form());
                    let _ = write!(text, "({form})");
                    variables.push(*variable);
                }
            }
        }
        let _ = write!(text, r"(?:\+([1-9][0-9]{{0,8}}))?{}$", regex::escape(&self.extension));
        // It is made of escaped texts and of forms that are right.
        NamePattern { regex: Regex::new(&text).ok(), variables }
    }
}

/// What names look like.
#[derive(Debug, Clone)]
pub struct NamePattern {
    regex: Option<Regex>,
    variables: Vec<Variable>,
}

/// What a name tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadName {
    /// What stands for the variables.
    pub values: Values,
    /// The number that tells it from equal names, from 1.
    pub number: u32,
}

impl NamePattern {
    /// Takes a name apart; none if it is another.
    pub fn read(&self, name: &str) -> Option<ReadName> {
        let found = self.regex.as_ref()?.captures(name)?;
        let mut values = Values::default();
        for (at, variable) in self.variables.iter().enumerate() {
            values.set(*variable, found.get(at + 1)?.as_str());
        }
        let number = match found.get(self.variables.len() + 1) {
            None => 1,
            // Only as it is written here, so that no two names are of one number.
            Some(digits) => digits.as_str().parse().ok().filter(|number| *number > 1)?,
        };
        Some(ReadName { values, number })
    }
}

/// A topic as a part of a name.
pub fn of_topic(topic: &str) -> String {
    match topic.strip_prefix('.') {
        // Names that begin with a dot are the sink's own.
        Some(rest) => format!("%2E{rest}"),
        None => topic.to_owned(),
    }
}

/// A measurement as a part of a name.
pub fn of_measurement(measurement: &str) -> String {
    escaped(measurement)
}

#[cfg(test)]
mod tests;
