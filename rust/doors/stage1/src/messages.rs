//! What a person gets to see: on the console, in the kernel's log (and from there in the journal), and on plymouth's screen.
//!
//! Nothing here fails: where there is no console, no log or no plymouth, there is nobody to tell.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

/// What every message begins with.
pub const PREFIX: &str = "touchstone-stage1: ";
/// The most bytes of a message in the kernel's log: it refuses lines of a kilobyte and more.
const KERNEL_LINE: usize = 900;

/// How much a line of the kernel's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The boot ends here.
    Critical,
    /// Worth keeping.
    Info,
}

/// Says it on the console and in the kernel's log.
pub fn say(severity: Severity, text: &str) {
    let text = format!("{PREFIX}{text}");
    kernel_log(severity, &text);
    console(&text);
}

/// A line on the console.
pub fn console(line: &str) {
    write_to("/dev/console", &format!("{}\r\n", plain(line)));
}

/// A line in the kernel's log, with the facility of a daemon.
pub fn kernel_log(severity: Severity, line: &str) {
    let daemon = 3 << 3;
    let level = match severity {
        Severity::Critical => 2,
        Severity::Info => 6,
    };
    let mut line = format!("<{}>{}", daemon | level, plain(line));
    line.truncate(line.floor_char_boundary(KERNEL_LINE));
    write_to("/dev/kmsg", &format!("{line}\n"));
}

/// In one line of printable ASCII: names of files are an attacker's to choose, and must neither move the cursor nor begin a line of their own.
fn plain(text: &str) -> String {
    let shown = |letter| match letter {
        ' '..='~' => letter,
        _ => '?',
    };
    text.chars().map(shown).collect()
}

/// In one write: the kernel's log takes one for one line.
fn write_to(device: &str, text: &str) {
    let file = OpenOptions::new().write(true).open(device);
    let _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
}

/// Where plymouth listens, in the abstract name space.
const PLYMOUTH: &[u8] = b"/org/freedesktop/plymouthd";
/// The most bytes of a text for plymouth: its length, with a NUL at its end, is one byte.
const PLYMOUTH_TEXT: usize = 254;

/// Plymouth, where it runs.
#[derive(Debug)]
pub struct Plymouth {
    socket: OwnedFd,
}

impl Plymouth {
    /// The running plymouth; none where there is none.
    pub fn connect() -> Option<Self> {
        Self::at(PLYMOUTH)
    }

    /// Whoever listens at this name.
    fn at(name: &[u8]) -> Option<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
        let address = SocketAddrUnix::new_abstract_name(name).ok()?;
        connect(&socket, &address).ok()?;
        Some(Self { socket })
    }

    /// Shows a message that stays.
    pub fn message(&self, text: &str) {
        self.request(b'M', text);
    }

    /// Says how far things are: the line that replaces the one before it.
    pub fn status(&self, text: &str) {
        self.request(b'U', text);
    }

    /// One request with one argument. Source: plymouth, `ply-boot-protocol.h`.
    fn request(&self, kind: u8, text: &str) {
        let mut text = plain(text);
        text.truncate(text.floor_char_boundary(PLYMOUTH_TEXT));
        let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
        let mut request = vec![kind, 2, length];
        request.extend(text.bytes());
        request.push(0);
        let _ = send(&self.socket, &request, SendFlags::NOSIGNAL);
    }
}

/// Leaves plymouth time to show what it was told.
pub fn let_it_be_seen() {
    std::thread::sleep(Duration::from_millis(300));
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    use super::*;

    /// What somebody at this name is told.
    fn told(name: &str, tell: impl FnOnce(&Plymouth)) -> Vec<u8> {
        let name = format!("touchstone-stage1-{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let plymouth = Plymouth::at(name.as_bytes()).unwrap();
        let (mut connection, _) = listener.accept().unwrap();
        tell(&plymouth);
        drop(plymouth);
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn plymouth_is_told_in_its_own_words() {
        let told = told("words", |plymouth| {
            plymouth.message("no");
            plymouth.status("12 of 30");
        });
        assert_eq!(told, b"M\x02\x03no\0U\x02\x0912 of 30\0");
    }

    #[test]
    fn what_is_too_long_for_plymouth_is_cut() {
        let told = told("long", |plymouth| {
            plymouth.message(&format!("a\0b{}", "ü".repeat(400)));
        });
        let text = &told[3..told.len() - 1];
        assert_eq!(usize::from(told[2]), text.len() + 1);
        assert_eq!(text, format!("a?b{}", "?".repeat(251)).as_bytes());
    }

    #[test]
    fn names_of_an_attacker_are_shown_without_their_tricks() {
        assert_eq!(
            plain("/nix/\u{1b}[2J\r\nall is well ü"),
            "/nix/?[2J??all is well ?"
        );
        let long = "x".repeat(5000);
        assert_eq!(plain(&long), long);
        let told = told("tricks", |plymouth| plymouth.status("a\u{1b}\n~"));
        assert_eq!(told, b"U\x02\x05a??~\0");
    }

    #[test]
    fn without_plymouth_nobody_is_told() {
        assert!(Plymouth::at(b"touchstone-stage1-nobody").is_none());
    }
}
