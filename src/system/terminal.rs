//! Asking a person at the terminal for a secret.

use std::io::{self, Write};

use rustix::fd::BorrowedFd;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::Secret;

const INTERRUPT: u8 = 3;
const END_OF_INPUT: u8 = 4;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;

/// Prints a prompt on standard output and reads a line from the terminal that is standard input,
/// which does not show what is typed.
///
/// # Errors
/// If standard input is no terminal, or the person gives up.
pub fn ask_hidden(prompt: &str) -> io::Result<Secret> {
    let mut out = io::stdout().lock();
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    let secret = {
        let silence = Silence::begin()?;
        read_line(|| {
            let mut byte = [0];
            match rustix::io::read(silence.terminal, &mut byte)? {
                0 => Ok(None),
                _ => Ok(Some(byte[0])),
            }
        })
    };
    out.write_all(b"\n")?;
    secret
}

/// A terminal that shows nothing and hands every key over, until this is dropped.
struct Silence {
    terminal: BorrowedFd<'static>,
    before: Termios,
}

impl Silence {
    fn begin() -> io::Result<Silence> {
        let terminal = rustix::stdio::stdin();
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        // Signals are not made either: the key would end the program and leave the terminal mute.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        silent.input_modes.insert(InputModes::ICRNL);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Now, &silent)?;
        Ok(Silence { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Whoever cannot be asked to show keys again cannot be told so either.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Puts keys together to a line.
fn read_line(mut next: impl FnMut() -> io::Result<Option<u8>>) -> io::Result<Secret> {
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    loop {
        match next()? {
            Some(b'\n' | b'\r') => break,
            None | Some(END_OF_INPUT) if line.is_empty() => return Err(io::Error::other("EOF")),
            None | Some(END_OF_INPUT) => break,
            Some(INTERRUPT) => return Err(io::Error::other("interrupted")),
            Some(BACKSPACE | DELETE) => {
                // All bytes of a character but its first begin with the bits 10.
                while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
            }
            Some(byte) => line.push(byte),
        }
    }
    match std::str::from_utf8(&line) {
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err(io::Error::other("what was typed is not UTF-8 text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Result<String, String> {
        let mut keys = keys.iter();
        let line = read_line(|| Ok(keys.next().copied())).map_err(|error| error.to_string())?;
        Ok(line.expose().to_owned())
    }

    #[test]
    fn a_line_ends_where_its_key_or_the_input_ends_it() {
        assert_eq!(typed(b"hush\nmore").unwrap(), "hush");
        assert_eq!(typed(b"hush\r").unwrap(), "hush");
        assert_eq!(typed(b"hush").unwrap(), "hush");
        assert_eq!(typed(b"hush\x04").unwrap(), "hush");
        assert_eq!(typed(b"\n").unwrap(), "");
        assert_eq!(typed(b"").unwrap_err(), "EOF");
        assert_eq!(typed(b"\x04").unwrap_err(), "EOF");
    }

    #[test]
    fn characters_can_be_taken_back_and_the_line_given_up() {
        assert_eq!(typed("ha\u{e4}\x7f\x08ush\n".as_bytes()).unwrap(), "hush");
        assert_eq!(typed(b"\x7f\x7fa\n").unwrap(), "a");
        assert_eq!(typed(b"hu\x03").unwrap_err(), "interrupted");
        assert_eq!(typed(b"\xff\n").unwrap_err(), "what was typed is not UTF-8 text");
    }
}
