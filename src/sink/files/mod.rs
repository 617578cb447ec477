//! Files that people can use: what they are called, when one ends and the next begins, and what
//! becomes of those that have ended.
//!
//! A file that is rotated is called `NAME.open` while records are appended to it. It gets its own
//! name, and its journal goes with it, once all that is in it is confirmed; from then on nobody
//! changes it but to compress or remove it.

pub mod escaping;
pub mod finisher;
pub mod keeping;
pub mod names;
pub mod packing;
pub mod period;
pub mod rotation;
pub mod template;

use jiff::tz::TimeZone;

use keeping::Keep;
use packing::Packing;
use rotation::Rotation;
use template::Template;

/// How files are called, when they end, and what becomes of them then.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// What they are called.
    pub template: Template,
    /// When they end.
    pub rotation: Rotation,
    /// The time zone in which days and hours begin.
    pub zone: TimeZone,
    /// How those that have ended are compressed, if they are.
    pub packing: Option<Packing>,
    /// Which of those that have ended stay.
    pub keep: Keep,
}

impl Default for FileSettings {
    fn default() -> FileSettings {
        FileSettings {
            template: Template::default(),
            rotation: Rotation::default(),
            zone: TimeZone::UTC,
            packing: None,
            keep: Keep::default(),
        }
    }
}
