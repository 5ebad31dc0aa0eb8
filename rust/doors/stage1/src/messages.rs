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
    write_to("/dev/console", &format!("{line}\r\n"));
}

/// A line in the kernel's log, with the facility of a daemon.
pub fn kernel_log(severity: Severity, line: &str) {
    let daemon = 3 << 3;
    let level = match severity {
        Severity::Critical => 2,
        Severity::Info => 6,
    };
    let mut line = format!("<{}>{line}", daemon | level);
    line.truncate(line.floor_char_boundary(KERNEL_LINE));
    write_to("/dev/kmsg", &format!("{line}\n"));
}

/// In one write: the kernel's log takes one for one line.
fn write_to(device: &str, text: &str) {
    let file = OpenOptions::new().write(true).open(device);
    let _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
}

/// Plymouth, where it runs.
#[derive(Debug)]
pub struct Plymouth {
    socket: OwnedFd,
}

impl Plymouth {
    /// The running plymouth; none where there is none.
    pub fn connect() -> Option<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
        let address = SocketAddrUnix::new_abstract_name(b"/org/freedesktop/plymouthd").ok()?;
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
        let end = text.floor_char_boundary(254);
        let text = text.get(..end).unwrap_or_default();
        // With the NUL at its end.
        let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
        let mut request = vec![kind, 2, length];
        request.extend(text.bytes().filter(|byte| *byte != 0));
        request.push(0);
        let _ = send(&self.socket, &request, SendFlags::NOSIGNAL);
    }
}

/// Leaves plymouth time to show what it was told.
pub fn let_it_be_seen() {
    std::thread::sleep(Duration::from_millis(300));
}
