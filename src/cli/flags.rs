//! Command lines as tables: one list of self-describing flags per program, from which the parser,
//! `--help` and the README's reference come.
//!
//! Flags are taken with one dash or two, `--flag=value` or `--flag value`, and before or behind
//! the words that name a command, as programs written in Go take them. Switches also take a
//! value: `--test=false`. Where a flag comes again that counts once, the last one counts.

use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, StyledStr, TypedValueParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// A value, called so in the help.
    Value(&'static str),
    /// A value, called so in the help; all of them count.
    Values(&'static str),
    /// A whole number, called so in the help.
    Number(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One flag of a program.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// A single letter for it, with one dash.
    pub letter: Option<char>,
    /// What follows it.
    pub takes: Takes,
    /// What counts if it is left out, in the words of the help; empty if that needs no saying.
    pub default: &'static str,
    /// The heading it stands under.
    pub heading: &'static str,
    /// What it does: imperative, no period at the end.
    pub help: &'static str,
}

impl Flag {
    /// A flag without a letter of its own.
    pub const fn new(
        name: &'static str,
        takes: Takes,
        default: &'static str,
        heading: &'static str,
        help: &'static str,
    ) -> Flag {
        Flag { name, letter: None, takes, default, heading, help }
    }

    /// The flag with a letter, too.
    pub const fn with_letter(self, letter: char) -> Flag {
        Flag { letter: Some(letter), ..self }
    }
}

/// One command of a program: the words that name it and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// How it is called, such as `config check`.
    pub usage: &'static str,
    /// What it does: imperative, no period at the end.
    pub help: &'static str,
}

/// What a program takes beside flags.
#[derive(Debug, Clone, Copy)]
pub enum Words {
    /// Nothing.
    None,
    /// The words of one of these commands.
    Commands(&'static [Word]),
    /// Files, at least one.
    Files,
    /// Folders, at least one.
    Folders,
}

/// A program's command line.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The program's name.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// What may stand beside the flags.
    pub words: Words,
    /// Flags in the order of the help.
    pub flags: &'static [Flag],
    /// What stands below the flags in the help: examples, exit codes.
    pub after_help: &'static str,
}

/// A parsed command line.
#[derive(Debug)]
pub struct Parsed {
    matches: ArgMatches,
}

/// Why the program does not go on: help was asked for, or the command line is wrong.
#[derive(Debug)]
pub enum Stop {
    /// The help to print on standard output.
    Help(String),
    /// What is wrong, with the usage behind it.
    Wrong {
        /// What is wrong.
        message: String,
        /// How it is right.
        usage: String,
    },
}

const WORDS: &str = "WORDS";

impl Program {
    /// Parses the arguments behind the program's name.
    ///
    /// # Errors
    /// [`Stop`] if help was asked for or an argument is wrong.
    pub fn parse(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Stop> {
        let arguments = arguments.into_iter().map(|argument| self.with_two_dashes(argument));
        let mut command = self.command();
        let arguments = std::iter::once(OsString::from(self.name)).chain(arguments);
        match command.try_get_matches_from_mut(arguments) {
            Ok(matches) => Ok(Parsed { matches }),
            Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
                Err(Stop::Help(self.help()))
            }
            Err(error) => {
                let text = error.render().to_string();
                let message = text.lines().next().unwrap_or_default();
                let message = go_words(&error).unwrap_or_else(|| {
                    message.strip_prefix("error: ").unwrap_or(message).to_owned()
                });
                // A tip that names the nearest flag is worth more than clap's usage line; the one
                // about passing a flag as a value is not.
                let mut tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
                let tip = tips.find(|tip| !tip.starts_with("to pass "));
                let message = match tip {
                    Some(tip) => format!("{message}; {tip}"),
                    None => message,
                };
                Err(Stop::Wrong { message, usage: self.help() })
            }
        }
    }

    /// The text of `--help`.
    pub fn help(&self) -> String {
        self.command().render_help().to_string()
    }

    /// The flags as tables for the README, a heading each.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let mut heading = "";
        for flag in self.flags {
            if flag.heading != heading {
                heading = flag.heading;
                text.push_str(&format!(
                    "\n**{heading}**\n\n| flag | meaning | default |\n|---|---|---|\n"
                ));
            }
            let value = match flag.takes {
                Takes::Switch => String::new(),
                Takes::Value(name) | Takes::Values(name) | Takes::Number(name) => {
                    format!(" {name}")
                }
                Takes::Choice(words) => format!(" {}", words.join("\\|")),
            };
            let letter = flag.letter.map(|letter| format!("`-{letter}`, ")).unwrap_or_default();
            let default = match flag.default {
                "" => String::new(),
                default => format!("`{default}`"),
            };
            let help = flag.help.replace('|', "\\|");
            text.push_str(&format!("| {letter}`--{}{value}` | {help} | {default} |\n", flag.name));
        }
        text
    }

    /// Turns `-config` into `--config` for names in the table; letters and values stay.
    fn with_two_dashes(&self, argument: OsString) -> OsString {
        let Some(text) = argument.to_str() else { return argument };
        let Some(name) = text.strip_prefix('-') else { return argument };
        let name = name.split('=').next().unwrap_or_default();
        let is_long = name == "help" || self.flags.iter().any(|flag| flag.name == name);
        if name.len() > 1 && is_long { format!("-{text}").into() } else { argument }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.name)
            .about(self.about)
            .disable_version_flag(true)
            .disable_help_flag(true)
            .arg(
                Arg::new("help")
                    .long("help")
                    .short('h')
                    .action(ArgAction::Help)
                    .help("Show this help"),
            )
            .after_help(self.after_help);
        let words = Arg::new(WORDS).hide(true).value_parser(value_parser!(String));
        command = match self.words {
            Words::None => command,
            Words::Commands(commands) => command
                .override_usage(format!("{} [FLAGS] [COMMAND]", self.name))
                .before_help(commands_help(commands))
                .arg(words.num_args(0..)),
            Words::Files => command
                .override_usage(format!("{} [FLAGS] FILE…", self.name))
                .arg(words.num_args(1..).value_name("FILE").required(true)),
            Words::Folders => command
                .override_usage(format!("{} [FLAGS] DIR…", self.name))
                .arg(words.num_args(1..).value_name("DIR").required(true)),
        };
        command.args(self.flags.iter().map(argument))
    }
}

fn commands_help(commands: &[Word]) -> StyledStr {
    let width = commands.iter().map(|word| word.usage.len()).max().unwrap_or(0);
    let lines: Vec<_> =
        commands.iter().map(|word| format!("  {:width$}  {}", word.usage, word.help)).collect();
    format!("Commands:\n{}", lines.join("\n")).into()
}

fn argument(flag: &'static Flag) -> Arg {
    let help = match flag.default {
        "" => flag.help.to_owned(),
        default => format!("{} [default: {default}]", flag.help),
    };
    let argument = Arg::new(flag.name).long(flag.name).help(help).help_heading(flag.heading);
    let argument = match flag.letter {
        Some(letter) => argument.short(letter),
        None => argument,
    };
    match flag.takes {
        Takes::Switch => argument
            .action(ArgAction::Set)
            .overrides_with(flag.name)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true)
            .value_name("BOOL")
            .value_parser(switch_parser()),
        Takes::Value(name) => {
            argument.action(ArgAction::Set).value_name(name).overrides_with(flag.name)
        }
        Takes::Values(name) => argument.action(ArgAction::Append).value_name(name),
        Takes::Number(name) => argument
            .action(ArgAction::Set)
            .overrides_with(flag.name)
            .value_name(name)
            .allow_negative_numbers(true)
            .value_parser(value_parser!(i64)),
        Takes::Choice(words) => argument
            .action(ArgAction::Set)
            .overrides_with(flag.name)
            .value_parser(PossibleValuesParser::new(words))
            .value_name("WORD"),
    }
}

/// The error in the words of Go's `flag`, where it has any.
fn go_words(error: &clap::Error) -> Option<String> {
    if error.kind() == ErrorKind::MissingRequiredArgument {
        let is_folder = error.to_string().contains("<DIR>");
        let what = if is_folder { "folder" } else { "file" };
        return Some(format!("no {what} is named"));
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg)?;
    // As `--flag <VALUE>` or `--flag[=<BOOL>]`.
    let name = argument.trim_start_matches('-').split([' ', '[', '=', '<']).next()?;
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    Some(match error.kind() {
        ErrorKind::UnknownArgument => format!("flag provided but not defined: -{name}"),
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: -{name}"),
        ErrorKind::InvalidValue if argument.ends_with("[=<BOOL>]") => {
            format!("invalid boolean value {value:?} for -{name}: parse error")
        }
        ErrorKind::InvalidValue => {
            let known = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(values)) => {
                    format!("; it takes one of {}", values.join(", "))
                }
                _ => String::new(),
            };
            format!("invalid value {value:?} for flag -{name}{known}")
        }
        ErrorKind::ValueValidation => {
            format!("invalid value {value:?} for flag -{name}: parse error")
        }
        _ => return None,
    })
}

/// The spellings of Go's `strconv.ParseBool`.
fn switch_parser() -> ValueParser {
    let spellings =
        ["true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False"];
    PossibleValuesParser::new(spellings)
        .map(|word| matches!(word.as_str(), "true" | "1" | "t" | "T" | "TRUE" | "True"))
        .into()
}

impl Parsed {
    /// The words that name a command and its arguments, or the files.
    pub fn words(&self) -> Vec<&str> {
        match self.matches.try_get_many::<String>(WORDS) {
            Ok(Some(words)) => words.map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.one::<bool>(name).copied().unwrap_or(false)
    }

    /// The value of a flag, if it was given.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.one::<String>(name).map(String::as_str)
    }

    /// All values of a flag, in the order they were given.
    pub fn values(&self, name: &str) -> Vec<String> {
        let values = self.matches.try_get_many::<String>(name).ok().flatten();
        values.into_iter().flatten().cloned().collect()
    }

    /// The number of a flag, if it was given.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.one::<i64>(name).copied()
    }

    /// What was given for a flag; nothing for one that this program does not have, so that several
    /// programs can be asked for what some of them have in common.
    fn one<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<&T> {
        self.matches.try_get_one(name).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        name: "prog",
        about: "Does things.",
        words: Words::Commands(&[Word { usage: "config check", help: "Check it" }]),
        flags: &[
            Flag {
                name: "config",
                letter: None,
                takes: Takes::Values("FILE"),
                default: "",
                heading: "Configuration",
                help: "Read this file",
            },
            Flag {
                name: "test",
                letter: None,
                takes: Takes::Switch,
                default: "",
                heading: "Running",
                help: "Only test",
            },
            Flag {
                name: "test-wait",
                letter: Some('w'),
                takes: Takes::Number("SECONDS"),
                default: "0",
                heading: "Running",
                help: "Wait",
            },
            Flag {
                name: "format",
                letter: None,
                takes: Takes::Choice(&["raw", "csv"]),
                default: "raw",
                heading: "Running",
                help: "Write so",
            },
        ],
        after_help: "",
    };

    fn parse(arguments: &[&str]) -> Result<Parsed, Stop> {
        PROGRAM.parse(arguments.iter().map(OsString::from))
    }

    fn wrong(arguments: &[&str]) -> String {
        match parse(arguments) {
            Err(Stop::Wrong { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_dash_and_two_and_both_ways_of_giving_a_value_are_taken() {
        for arguments in [
            ["--config", "a", "--config", "b"].as_slice(),
            &["-config", "a", "-config=b"],
            &["--config=a", "config", "check", "--config=b"],
        ] {
            assert_eq!(parse(arguments).unwrap().values("config"), ["a", "b"], "{arguments:?}");
        }
    }

    #[test]
    fn switches_take_a_value_only_behind_an_equals_sign() {
        assert!(parse(&["-test"]).unwrap().is_on("test"));
        assert!(!parse(&["--test=false"]).unwrap().is_on("test"));
        assert!(!parse(&[]).unwrap().is_on("test"));
        let parsed = parse(&["--test", "config"]).unwrap();
        assert_eq!((parsed.is_on("test"), parsed.words()), (true, vec!["config"]));
    }

    #[test]
    fn a_program_for_files_wants_one_at_least() {
        let program = Program { words: Words::Files, ..PROGRAM };
        let parse = |arguments: &[&str]| program.parse(arguments.iter().map(OsString::from));
        assert_eq!(parse(&["a", "--test", "b"]).unwrap().words(), ["a", "b"]);
        let Err(Stop::Wrong { message, usage }) = parse(&["--test"]) else { panic!("taken") };
        assert_eq!(message, "no file is named");
        assert!(usage.contains("prog [FLAGS] FILE…"), "{usage}");
        let program = Program { words: Words::Folders, ..PROGRAM };
        let Err(Stop::Wrong { message, usage }) = program.parse([]) else { panic!("taken") };
        assert_eq!(message, "no folder is named");
        assert!(usage.contains("prog [FLAGS] DIR…"), "{usage}");
    }

    #[test]
    fn numbers_and_letters_are_read() {
        assert_eq!(parse(&["-w", "5"]).unwrap().number("test-wait"), Some(5));
        assert_eq!(parse(&["-test-wait", "-1"]).unwrap().number("test-wait"), Some(-1));
        assert!(wrong(&["--test-wait", "five"]).contains("five"));
    }

    #[test]
    fn of_a_flag_that_counts_once_the_last_one_counts() {
        let parsed = parse(&["-w", "5", "--test", "--format=csv", "-w=6", "--test=false"]).unwrap();
        assert_eq!((parsed.number("test-wait"), parsed.is_on("test")), (Some(6), false));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_right_thing() {
        let message = wrong(&["--confg", "x"]);
        assert!(message.starts_with("flag provided but not defined: -confg; "), "{message}");
        assert!(message.contains("'--config'"), "{message}");
        for (arguments, message) in [
            (
                &["--format", "cvs"][..],
                "invalid value \"cvs\" for flag -format; it takes one of raw, csv",
            ),
            (&["--test-wait=x"], "invalid value \"x\" for flag -test-wait: parse error"),
            (&["-test=maybe"], "invalid boolean value \"maybe\" for -test: parse error"),
            (&["--config"], "flag needs an argument: -config"),
        ] {
            let found = wrong(arguments);
            assert!(found.starts_with(message), "{found}");
        }
    }

    #[test]
    fn the_help_names_every_flag_and_command() {
        let Err(Stop::Help(help)) = parse(&["-h"]) else { panic!("no help") };
        for part in
            ["--config <FILE>", "config check", "[default: raw]", "Running:", "Does things."]
        {
            assert!(help.contains(part), "{part} in {help}");
        }
        assert!(matches!(parse(&["-help"]), Err(Stop::Help(_))));
    }
}
