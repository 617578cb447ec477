//! Reads the lines of a text.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cursor::{Cursor, Read};
use super::families::{Family, Kind, Labels, Measured};
use super::fault::{Fault, TextError};
use crate::plugin::go::{parse_float, parse_integer};

/// Reads a text; what has no samples is left out.
pub(super) fn read(text: &str) -> Result<Vec<Family<'_>>, TextError> {
    let mut reader =
        Reader { cursor: Cursor::new(text), families: Vec::new(), places: HashMap::new() };
    while !reader.cursor.is_at_end() {
        reader.line()?;
    }
    reader.families.retain(|family| !family.series.is_empty());
    Ok(reader.families)
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    families: Vec<Family<'t>>,
    places: HashMap<&'t str, usize>,
}

/// What a name stands for: the family, and what of it.
#[derive(Clone, Copy)]
struct Named {
    family: usize,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Itself,
    Count,
    Sum,
}

/// The labels of a sample, without the one that tells points of a distribution apart.
struct Labelled<'t> {
    labels: Labels<'t>,
    point: Option<f64>,
}

impl<'t> Reader<'t> {
    fn line(&mut self) -> Read<()> {
        self.cursor.skip_blanks();
        if self.cursor.is_at_end() {
            return Ok(());
        }
        match self.cursor.byte()? {
            b'#' => {
                self.cursor.advance();
                self.comment()?;
            }
            b'\n' => {}
            b'{' => {
                self.cursor.advance();
                let (named, labelled) = self.labels(None)?;
                self.sample(named, labelled)?;
            }
            _ => {
                let Some(name) = self.name()? else {
                    return Err(self.cursor.error(Fault::NoName));
                };
                let named = self.sampled(name)?;
                self.cursor.skip_blanks();
                if self.cursor.byte()? == b'{' {
                    self.cursor.advance();
                    let (named, labelled) = self.labels(Some(named))?;
                    self.sample(named, labelled)?;
                } else {
                    self.sample(named, Labelled { labels: Vec::new(), point: None })?;
                }
            }
        }
        self.cursor.byte()?;
        self.cursor.end_line();
        Ok(())
    }

    /// Reads a comment up to the end of its line.
    fn comment(&mut self) -> Read<()> {
        self.cursor.skip_blanks();
        let keyword = self.cursor.take_word();
        if keyword != "HELP" && keyword != "TYPE" {
            self.cursor.take_line();
            return Ok(());
        }
        self.cursor.skip_blanks();
        if self.cursor.byte()? == b'\n' {
            return Ok(());
        }
        let name = self.name()?;
        let after = self.cursor.byte()?;
        if after == b'\n' && name.is_some() {
            return Ok(());
        }
        let (Some(name), b' ' | b'\t') = (name, after) else {
            return Err(self.cursor.error(Fault::NameInComment));
        };
        let family = self.named(name)?.family;
        self.cursor.skip_blanks();
        if self.cursor.byte()? == b'\n' {
            return Ok(());
        }
        let family = &mut self.families[family];
        if keyword == "HELP" {
            if family.has_help {
                return Err(self.cursor.error(Fault::SecondHelp(family.name.into())));
            }
            family.has_help = true;
            let help = self.cursor.take_line();
            return check_escapes(help).map_err(|fault| self.cursor.error(fault));
        }
        if family.kind.is_some() {
            return Err(self.cursor.error(Fault::SecondType(family.name.into())));
        }
        let kind = self.cursor.take_line();
        family.kind =
            Some(Kind::named(kind).ok_or_else(|| self.cursor.error(Fault::Type(kind.into())))?);
        Ok(())
    }

    /// Reads the name of a metric, in quotes or not; none if there is none here.
    fn name(&mut self) -> Read<Option<Cow<'t, str>>> {
        Ok(match self.cursor.byte()? {
            b'"' => {
                self.cursor.advance();
                Some(self.cursor.take_quoted(Fault::NameWithNewline)?)
            }
            b'0'..=b'9' => None,
            _ => {
                let is_part =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
                Some(self.cursor.take_while(is_part)).filter(|name| !name.is_empty()).map(Cow::from)
            }
        })
    }

    /// Finds what a name stands for, or makes a family for it.
    fn named(&mut self, name: Cow<'t, str>) -> Read<Named> {
        let name = match name {
            Cow::Borrowed(name) if is_name(name) => name,
            // What needed escapes is no name either.
            name => return Err(self.cursor.error(Fault::Name(name.into_owned()))),
        };
        if let Some(family) = self.places.get(name).copied() {
            return Ok(Named { family, part: Part::Itself });
        }
        for (suffix, part) in
            [("_count", Part::Count), ("_sum", Part::Sum), ("_bucket", Part::Itself)]
        {
            let Some(start) = name.strip_suffix(suffix).filter(|start| !start.is_empty()) else {
                continue;
            };
            let Some(family) = self.places.get(start).copied() else { continue };
            let is_of_it = match self.families[family].kind {
                Some(Kind::Summary) => suffix != "_bucket",
                Some(Kind::Histogram | Kind::GaugeHistogram) => true,
                _ => false,
            };
            if is_of_it {
                return Ok(Named { family, part });
            }
        }
        let family = self.families.len();
        self.families.push(Family::new(name));
        self.places.insert(name, family);
        Ok(Named { family, part: Part::Itself })
    }

    /// The same for a name that a sample follows.
    fn sampled(&mut self, name: Cow<'t, str>) -> Read<Named> {
        let named = self.named(name)?;
        self.families[named.family].kind.get_or_insert(Kind::Untyped);
        Ok(named)
    }

    /// Reads labels from behind the opening brace to what follows the closing one; the name may
    /// stand among them.
    fn labels(&mut self, mut named: Option<Named>) -> Read<(Named, Labelled<'t>)> {
        let is_name_inside = named.is_none();
        let mut labelled = Labelled { labels: Vec::new(), point: None };
        loop {
            self.cursor.skip_blanks();
            if self.cursor.byte()? == b'}' {
                self.cursor.advance();
                self.cursor.skip_blanks();
                self.cursor.byte()?;
                let named = named.ok_or_else(|| self.cursor.error(Fault::NoName))?;
                return Ok((named, labelled));
            }
            let Some(label) = self.name()? else {
                return Err(self.cursor.error(Fault::NoLabelName(self.name_of(named))));
            };
            self.cursor.skip_blanks();
            let after = self.cursor.byte()?;
            if after == b'=' {
                self.cursor.advance();
                self.label(named, label, &mut labelled)?;
            } else if !is_name_inside {
                return Err(self.cursor.error(Fault::NoEquals(self.cursor.char())));
            } else if named.is_some() {
                return Err(self.cursor.error(Fault::SecondName(self.name_of(named))));
            } else if matches!(after, b',' | b'}') {
                named = Some(self.sampled(label)?);
            } else {
                return Err(self.cursor.error(Fault::AfterName(self.cursor.char())));
            }
            if self.cursor.byte()? == b',' {
                self.cursor.advance();
            }
        }
    }

    /// Reads a label from behind its equals sign to the comma or brace behind it.
    fn label(
        &mut self,
        named: Option<Named>,
        label: Cow<'t, str>,
        labelled: &mut Labelled<'t>,
    ) -> Read<()> {
        let label = match label {
            label if label == "__name__" => return Err(self.cursor.error(Fault::ReservedLabel)),
            Cow::Borrowed(label) if is_name(label) && !label.contains(':') => label,
            label => return Err(self.cursor.error(Fault::LabelName(label.into_owned()))),
        };
        let kind = named.and_then(|named| self.families[named.family].kind);
        let point_label = kind.and_then(Kind::point_label).filter(|point| *point == label);
        if labelled.labels.iter().any(|(known, _)| *known == label) {
            return Err(self.cursor.error(Fault::DoubleLabel(self.name_of(named))));
        }
        self.cursor.skip_blanks();
        if self.cursor.byte()? != b'"' {
            return Err(self.cursor.error(Fault::NoQuote(self.cursor.char())));
        }
        self.cursor.advance();
        let value = self.cursor.take_quoted(Fault::LabelValueWithNewline)?;
        if let Some(label) = point_label {
            let point = number(&value).ok_or_else(|| {
                self.cursor.error(Fault::Point { label, value: value.clone().into_owned() })
            })?;
            labelled.point = Some(point).filter(|point| !point.is_nan());
        }
        self.cursor.skip_blanks();
        if !matches!(self.cursor.byte()?, b',' | b'}') {
            return Err(self.cursor.error(Fault::AfterLabelValue(value.into_owned())));
        }
        if point_label.is_none() {
            labelled.labels.push((label, value));
        }
        Ok(())
    }

    /// Reads value and time up to the end of the line.
    fn sample(&mut self, named: Named, labelled: Labelled<'t>) -> Read<()> {
        let word = self.cursor.take_word();
        self.cursor.byte()?;
        let value = number(word).ok_or_else(|| self.cursor.error(Fault::Value(word.to_owned())))?;
        let family = &mut self.families[named.family];
        let series = match family.kind.and_then(Kind::point_label) {
            None => family.add_single(labelled.labels, value),
            Some(label) => {
                let is_histogram = label == "le";
                let name = family.name;
                let series = family.distribution(labelled.labels).0;
                let Measured::Distribution(distribution) = &mut series.measured else {
                    return Ok(());
                };
                match (named.part, labelled.point) {
                    (Part::Count, _) if is_histogram && value < 0.0 => {
                        return Err(self.cursor.error(Fault::NegativeCount(name.into())));
                    }
                    (Part::Count, _) if is_histogram => distribution.count = value,
                    // A summary counts in whole numbers.
                    (Part::Count, _) => distribution.count = value as u64 as f64,
                    (Part::Sum, _) => distribution.sum = value,
                    (Part::Itself, Some(_)) if is_histogram && value < 0.0 => {
                        return Err(self.cursor.error(Fault::NegativeBucket(name.into())));
                    }
                    (Part::Itself, Some(point)) => distribution.points.push((point, value)),
                    (Part::Itself, None) => {}
                }
                series
            }
        };
        if self.cursor.byte()? == b'\n' {
            return Ok(());
        }
        self.cursor.skip_blanks();
        self.cursor.byte()?;
        let word = self.cursor.take_word();
        self.cursor.byte()?;
        let time = parse_integer(word, 10);
        series.time_ms = Some(time.map_err(|_| self.cursor.error(Fault::Time(word.to_owned())))?);
        match self.cursor.take_line() {
            "" => Ok(()),
            rest => Err(self.cursor.error(Fault::AfterTime(rest.to_owned()))),
        }
    }

    fn name_of(&self, named: Option<Named>) -> String {
        named.map(|named| self.families[named.family].name.to_owned()).unwrap_or_default()
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    text.bytes().all(is_part) && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

fn number(text: &str) -> Option<f64> {
    if text.contains(['p', 'P', '_']) { None } else { parse_float(text).ok() }
}

/// Whether backslashes stand only before what they may stand before.
fn check_escapes(text: &str) -> Result<(), Fault> {
    let mut rest = text;
    while let Some((_, escaped)) = rest.split_once('\\') {
        match escaped.chars().next() {
            Some('\\' | 'n' | '"') => rest = &escaped[1..],
            Some(c) => return Err(Fault::Escape(c)),
            None => return Err(Fault::Escape('\n')),
        }
    }
    Ok(())
}
