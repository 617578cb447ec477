//! `metric-agent config check`: whether a configuration is well, what it comes to, and how much of
//! that of an existing Telegraf there is here.

use std::fmt::Write as _;

use serde_json::json;

use super::load::Look;
use super::{CliError, list};
use crate::cli::flags::Parsed;
use crate::config::Defaults;
use crate::config::coverage::{Coverage, CoveredSection, Gap, Verdict};
use crate::config::sources::Sources;

/// Checks what was asked for; `files` are those named behind the command.
///
/// # Errors
/// Everything that is wrong, or that something is not covered.
pub(super) fn run(parsed: &Parsed, files: &[&str], look: &Look<'_>) -> Result<(), CliError> {
    let installation = parsed.values("telegraf");
    if !installation.is_empty() {
        let files = files.iter().map(|file| (*file).to_owned());
        let paths: Vec<String> = installation.into_iter().chain(files).collect();
        return coverage(&paths, parsed, look);
    }
    if parsed.is_on("effective") {
        let defaults = match parsed.is_on("defaults") {
            true => Defaults::Shown,
            false => Defaults::Hidden,
        };
        return Ok(list::print(&look.effective(defaults)?)?);
    }
    look.check()
}

fn coverage(paths: &[String], parsed: &Parsed, look: &Look<'_>) -> Result<(), CliError> {
    let (directories, files) =
        paths.iter().cloned().partition(|path| std::path::Path::new(path).is_dir());
    let coverage = look.coverage(Sources { files, directories })?;
    let text = match parsed.value("format") {
        Some("json") => format!("{:#}\n", as_json(&coverage)),
        _ => as_text(&coverage),
    };
    list::print(&text)?;
    match coverage.count(Verdict::NotCovered) {
        0 => Ok(()),
        sections => Err(CliError::NotCovered(sections)),
    }
}

/// A line for each section, and below it what there is to know.
fn as_text(coverage: &Coverage) -> String {
    let mut text = String::new();
    let place = |section: &CoveredSection| format!("{}:{}", section.file, section.line);
    let sections = || coverage.sections.iter();
    let width = sections().map(|section| place(section).chars().count()).max().unwrap_or(0);
    let name_width = sections().map(|section| section.name.chars().count()).max().unwrap_or(0);
    for section in sections() {
        let verdict = section.verdict().words();
        let line = format!("{:width$}  {:name_width$}  {verdict}", place(section), section.name);
        let _ = writeln!(text, "{line}");
        for Gap { line, kind, option, message } in &section.gaps {
            let kind = kind.words();
            let option = option.as_ref().map(|option| format!(" `{option}`")).unwrap_or_default();
            let _ = writeln!(text, "    line {line}: {kind}{option}: {message}");
        }
        for difference in &section.differences {
            let _ = writeln!(text, "    differs: {difference}");
        }
    }
    let count = |verdict| format!("{} {}", coverage.count(verdict), verdict.words());
    let _ = writeln!(
        text,
        "\n{} sections in {} files: {}, {}, {}",
        coverage.sections.len(),
        coverage.files.len(),
        count(Verdict::Covered),
        count(Verdict::Differs),
        count(Verdict::NotCovered)
    );
    text
}

fn as_json(coverage: &Coverage) -> serde_json::Value {
    let gap = |gap: &Gap| {
        json!({
            "line": gap.line,
            "kind": gap.kind.words(),
            "option": gap.option,
            "message": gap.message,
        })
    };
    let section = |section: &CoveredSection| {
        json!({
            "file": &*section.file,
            "line": section.line,
            "plugin": section.name,
            "verdict": section.verdict().words(),
            "gaps": section.gaps.iter().map(gap).collect::<Vec<_>>(),
            "differences": section.differences,
        })
    };
    json!({
        "files": coverage.files,
        "sections": coverage.sections.iter().map(section).collect::<Vec<_>>(),
        "covered": coverage.count(Verdict::Covered),
        "covered_with_differences": coverage.count(Verdict::Differs),
        "not_covered": coverage.count(Verdict::NotCovered),
    })
}
