//! What is done with the files that a spool finds when it starts.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::cursor::{self, Cursor};
use super::record::{self, Parsed};
use super::segment::{DAMAGED, SEGMENT_HEADER, Segment, header};
use super::{Done, Notice, Spool, SpoolOptions, Staged};
use crate::system::{Clock, DataFiles};

/// Opens a spool.
pub(super) fn open(
    mut files: Box<dyn DataFiles>,
    options: SpoolOptions,
    clock: Arc<dyn Clock>,
) -> io::Result<Spool> {
    let mut notices = Vec::new();
    let listed = files.list()?;
    let (segments, set_aside) = segments(files.as_mut(), &listed, &mut notices)?;
    let mut cursors = cursors(files.as_ref(), &listed, &mut notices)?;
    let oldest = segments.front().map(|first| first.first);
    for cursor in &mut cursors {
        for range in &set_aside {
            cursor.lost.damaged += cursor.mark(range.clone());
        }
        // Segments are deleted once everybody is done with them, whatever a file says.
        cursor.mark(0..oldest.unwrap_or(0));
    }
    // A number is never given twice, even if records were lost that a reader had done with.
    let known = cursors.iter().map(|cursor| cursor.done.end());
    let next = known.chain(segments.back().map(|last| last.end)).max().unwrap_or(0);
    let mut spool = Spool {
        files,
        clock,
        options,
        segments,
        is_open: false,
        staged: Staged::new(next),
        cursors,
        notices,
        is_in_memory: false,
        is_unable_to_save: false,
        unsynced_since: None,
        buffer: Vec::new(),
    };
    spool.sweep();
    Ok(spool)
}

/// The segments that there are. All but the last were complete, and are looked into when they are
/// read, so that a start takes no longer for a large spool. Files that are no segments are set
/// aside; the records that they should have held come second.
fn segments(
    files: &mut dyn DataFiles,
    listed: &[(String, u64)],
    notices: &mut Vec<Notice>,
) -> io::Result<(VecDeque<Segment>, Vec<Range<u64>>)> {
    let mut set_aside = Vec::new();
    let mut found: Vec<(u64, u64)> =
        listed.iter().filter_map(|(name, size)| Some((Segment::first_of(name)?, *size))).collect();
    found.sort_unstable();
    let mut segments: VecDeque<Segment> = VecDeque::with_capacity(found.len());
    for (at, &(first, size)) in found.iter().enumerate() {
        let following = found.get(at + 1).map(|(following, _)| *following);
        let name = Segment::name_of(first);
        let mut start = Vec::with_capacity(SEGMENT_HEADER);
        files.read(&name, 0, SEGMENT_HEADER, &mut start)?;
        if start.len() < SEGMENT_HEADER && following.is_none() {
            // It was begun, and power was lost before that was on the disk.
            files.remove(&name)?;
        } else if start != header(first) {
            let file = format!("{name}{DAMAGED}");
            files.rename(&name, &file)?;
            notices.push(Notice::SetAside { file });
            set_aside.push(first..following.unwrap_or(first));
        } else {
            let end = following.unwrap_or(first);
            let mut segment = Segment { first, end, size, is_damaged: false };
            if following.is_none() {
                mend(files, &mut segment, notices)?;
            }
            segments.push_back(segment);
        }
    }
    Ok((segments, set_aside))
}

/// Cuts the last segment at its first bad record.
fn mend(
    files: &mut dyn DataFiles,
    segment: &mut Segment,
    notices: &mut Vec<Notice>,
) -> io::Result<()> {
    let name = segment.name();
    let mut bytes = Vec::new();
    files.read(&name, 0, usize::try_from(segment.size).unwrap_or(usize::MAX), &mut bytes)?;
    let mut end = SEGMENT_HEADER;
    let rest = loop {
        match record::parse(&bytes, end, segment.end) {
            Parsed::Record { payload, .. } => {
                end = payload.end;
                segment.end += 1;
            }
            rest => break rest,
        }
    };
    let cut = (bytes.len() - end) as u64;
    if cut > 0 {
        // What a stopped writer leaves is the beginning of a record, or zeros that a file system
        // had made room with. Anything else has been changed, and may hold more that is good.
        let is_torn =
            matches!(rest, Parsed::Incomplete(_)) || bytes[end..].iter().all(|byte| *byte == 0);
        notices.push(if is_torn {
            Notice::Torn { file: name.clone(), bytes: cut }
        } else {
            let copy = format!("{name}{DAMAGED}");
            // On a full disk there may be no room for it; the records before it count for more.
            let copy = files.replace(&copy, &bytes).is_ok().then_some(copy);
            Notice::Cut { file: name.clone(), bytes: cut, copy }
        });
        files.cut(&name, end as u64)?;
    }
    segment.size = end as u64;
    Ok(())
}

/// The readers that there are.
fn cursors(
    files: &dyn DataFiles,
    listed: &[(String, u64)],
    notices: &mut Vec<Notice>,
) -> io::Result<Vec<Cursor>> {
    let mut cursors = Vec::new();
    for (file, size) in listed {
        let Some(name) = Cursor::name_of(file) else { continue };
        let mut bytes = Vec::new();
        files.read(file, 0, usize::try_from(*size).unwrap_or(usize::MAX), &mut bytes)?;
        let done = cursor::decode(&bytes).unwrap_or_else(|| {
            notices.push(Notice::CursorLost { file: file.clone() });
            Done::default()
        });
        cursors.push(Cursor::new(name, done));
    }
    Ok(cursors)
}
