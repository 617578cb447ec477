//! What processors share that keep metrics of a span of event time until the span is over.
//!
//! Such a processor keeps what it has made of metrics in memory only. What makes it safe is that
//! the metrics can be read again from their [`Origin`](crate::metric::Origin): as long as a span is
//! not done with, the companion of the first metric in it is held, so that the input does not count
//! that metric as done with and nothing behind it is forgotten. [`Ledger`] is the book that is kept
//! of that for one origin. [`Outbox`] hands out many results at once no faster than outputs take
//! them.
//!
//! # Why each result is complete, and repeated only identically
//!
//! Say that an agent ends at any moment, and another one reads on at the offset that was committed
//! last, `C`, with the marks as they were then.
//!
//! 1. *Spans at or below the mark have been delivered*, all of them: the mark moves on in the order
//!    of the spans' ends, and only once the last copy of each result has been dropped by outputs
//!    that are done with it. What is read again of them is ignored.
//! 2. *Of a span above the mark everything is read again*: its first metric was held when `C` was
//!    committed, because it is let go only after the mark was set, and an input looks at the marks
//!    after it has found out how far it may commit. So `C` is not behind the first metric; and the
//!    others come later in the origin.
//! 3. *The verdict on each metric is the same*, which is whether the span was over when it came.
//!    A span is over once the stream time, the highest time that was seen, is beyond its end and
//!    the grace. The second run has not seen what lies before `C`, so that its stream time may be
//!    too low at first. Let `q` be the metric before `C` with the highest time. It was let go, hence
//!    its span was done with, and the mark is at or above the end of that span, which is behind `q`'s
//!    time. Whatever `q` made late belongs to a span that ends at or before `q`'s time, hence at or
//!    below the mark. So above the mark no verdict depends on what lies before `C`. (It is needed
//!    that a metric which does not go into any span does not move the stream time.)
//! 4. *Results are made in the same way*: metrics of an origin come in its order, so that sums of
//!    floats, too, come out equal to the last digit.
//!
//! For spans at or below the mark the verdict does not matter, unless late metrics are passed on:
//! one that was late the first time has to be passed on again if it was not delivered, and one that
//! was not must not. That is why two more marks are kept together with the first: the position of
//! the earliest metric that is held or being passed on, and the stream time before it. Everything
//! before the position is done with and is ignored. What comes from there on meets exactly the
//! stream time that it met the first time.

mod ledger;
mod outbox;

pub use ledger::{Completion, Known, Ledger, Moment};
pub use outbox::Outbox;
