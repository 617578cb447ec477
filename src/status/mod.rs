//! What a running program tells of itself at a socket, as far as it is the same for both programs:
//! listening, asking, and tables for people.

mod ask;
mod columns;
mod socket;

pub use ask::{AskError, Place, Question, ask};
pub use columns::{Span, UNKNOWN, columns};
pub use socket::{SocketError, listen_at};
