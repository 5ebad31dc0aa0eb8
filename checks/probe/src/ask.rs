//! A builder that asks the signing agent for what it should not get, in words of its own: frames are made here by hand, so that a client
//! that keeps the rules stands in nobody's way.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// How long an answer, or the sign to go on, may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The attributes of `mode = "ask"`.
#[derive(Deserialize)]
pub struct Attributes {
    /// The agent's socket, as the sandbox shows it.
    socket: PathBuf,
    /// What is asked, in this order, each by a connection of its own.
    asks: Vec<Ask>,
    /// A folder in which the host says when to go on.
    #[serde(default)]
    meeting: Option<PathBuf>,
}

/// One thing to ask.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    /// How its answer is called.
    name: String,
    /// The header of the frame; `size` is added.
    #[serde(default)]
    header: Option<Value>,
    /// The file behind the header.
    #[serde(default)]
    payload: Option<PathBuf>,
    /// A file that is sent as it is, in the place of a frame.
    #[serde(default)]
    raw: Option<PathBuf>,
}

/// What came back.
enum Said {
    /// A frame: its header and what stood behind it.
    Answer(Value, Vec<u8>),
    /// Nothing: there is no such socket, or the agent ended the connection.
    Nothing(String),
}

/// Asks, and writes for each name `NAME.json` with `NAME.payload`, or `NAME.nothing`; and `sees`, what the folder of the socket shows. When there is a
/// meeting it is after the first answer: `arrived` is made there, and the rest waits for `go`.
pub fn build(work: &Attributes, out: &Path) -> Result<()> {
    fs::create_dir(out).with_context(|| format!("making {}", out.display()))?;
    fs::write(out.join("sees"), sees(&work.socket).join("\n"))?;
    for (number, ask) in work.asks.iter().enumerate() {
        let file = |kind: &str| out.join(format!("{}.{kind}", ask.name));
        match ask.of(&work.socket)? {
            Said::Answer(header, payload) => {
                fs::write(file("json"), header.to_string())?;
                fs::write(file("payload"), payload)?;
            }
            Said::Nothing(why) => fs::write(file("nothing"), why)?,
        }
        if let (0, Some(meeting)) = (number, &work.meeting) {
            meet(meeting)?;
        }
    }
    Ok(())
}

/// What the folder of the socket shows, sorted; the reason where it cannot be read.
fn sees(socket: &Path) -> Vec<String> {
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![format!("nothing: {error}")],
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn meet(meeting: &Path) -> Result<()> {
    fs::write(meeting.join("arrived"), "")?;
    let begun = Instant::now();
    while !meeting.join("go").exists() {
        if begun.elapsed() > PATIENCE {
            bail!("nobody said `go` in {}", meeting.display());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Ask {
    fn of(&self, socket: &Path) -> Result<Said> {
        let bytes = self.bytes()?;
        let mut stream = match UnixStream::connect(socket) {
            Ok(stream) => stream,
            Err(error) => return Ok(Said::Nothing(format!("no socket: {error}"))),
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // Whoever is refused early may find the connection closed before all is sent; the answer counts.
        match stream.write_all(&bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("{}: {error}", self.name),
            _ => read(&mut stream),
        }
    }

    /// What is sent.
    fn bytes(&self) -> Result<Vec<u8>> {
        let read = |path: &PathBuf| {
            fs::read(path).with_context(|| format!("{}: reading {}", self.name, path.display()))
        };
        if let Some(raw) = &self.raw {
            return read(raw);
        }
        let payload = self.payload.as_ref().map(read).transpose()?;
        let mut header = self.header.clone().context("an ask without a header")?;
        if let (Some(payload), Some(fields)) = (&payload, header.as_object_mut()) {
            fields.insert("size".to_owned(), payload.len().into());
        }
        let header = header.to_string().into_bytes();
        let mut bytes = u32::try_from(header.len())?.to_be_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(payload.unwrap_or_default());
        Ok(bytes)
    }
}

/// One frame; nothing when the connection ends before it is whole.
fn read(stream: &mut UnixStream) -> Result<Said> {
    let mut length = [0; 4];
    if let Err(error) = stream.read_exact(&mut length) {
        return ended(error);
    }
    let mut header = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    if let Err(error) = stream.read_exact(&mut header) {
        return ended(error);
    }
    let header: Value = serde_json::from_slice(&header).context("the answer is no JSON")?;
    let size = header.get("size").and_then(Value::as_u64).unwrap_or(0);
    let mut payload = vec![0; usize::try_from(size)?];
    match stream.read_exact(&mut payload) {
        Ok(()) => Ok(Said::Answer(header, payload)),
        Err(error) => ended(error),
    }
}

/// An end of the connection says something; silence is a failure of the test.
fn ended(error: std::io::Error) -> Result<Said> {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            Ok(Said::Nothing(format!("the connection ended: {error}")))
        }
        _ => Err(error).context("waiting for the answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    use serde_json::json;

    /// Builds beside somebody who answers as `answer` says, once for each ask; the answer is what was written.
    fn written(asks: Value, answer: &[u8]) -> (tempfile::TempDir, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let count = asks.as_array().unwrap().len();
        let answer = answer.to_owned();
        let agent = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for _ in 0..count {
                let mut stream = listener.accept().unwrap().0;
                let mut bytes = vec![0; 4096];
                let read = stream.read(&mut bytes).unwrap();
                bytes.truncate(read);
                heard.push(bytes);
                stream.write_all(&answer).unwrap();
            }
            heard
        });
        let work = json!({ "socket": socket, "asks": asks });
        build(
            &serde_json::from_value(work).unwrap(),
            &folder.path().join("out"),
        )
        .unwrap();
        (folder, agent.join().unwrap())
    }

    #[test]
    fn sends_a_frame_and_writes_down_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let payload = folder.path().join("payload");
        fs::write(&payload, "abc").unwrap();
        let ask = json!([{ "name": "n", "header": { "a": 1 }, "payload": payload }]);
        let (folder, heard) = written(ask, b"\0\0\0\x0a{\"size\":2}xy");
        assert_eq!(heard, [b"\0\0\0\x10{\"a\":1,\"size\":3}abc".to_vec()]);
        let out = folder.path().join("out");
        assert_eq!(
            fs::read_to_string(out.join("n.json")).unwrap(),
            "{\"size\":2}"
        );
        assert_eq!(fs::read(out.join("n.payload")).unwrap(), b"xy");
        assert_eq!(fs::read_to_string(out.join("sees")).unwrap(), "out\nsocket");
    }

    #[test]
    fn sends_raw_bytes_and_takes_an_end_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("raw");
        fs::write(&raw, "bytes").unwrap();
        let (folder, heard) = written(json!([{ "name": "n", "raw": raw }]), b"\0\0");
        assert_eq!(heard, [b"bytes".to_vec()]);
        assert!(folder.path().join("out/n.nothing").exists());
    }

    #[test]
    fn a_socket_that_is_not_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let work = json!({ "socket": folder.path().join("no/socket"), "asks": [{ "name": "n", "header": {} }] });
        let out = folder.path().join("out");
        build(&serde_json::from_value(work).unwrap(), &out).unwrap();
        let nothing = fs::read_to_string(out.join("n.nothing")).unwrap();
        assert!(nothing.starts_with("no socket: "), "{nothing}");
        assert!(
            fs::read_to_string(out.join("sees"))
                .unwrap()
                .starts_with("nothing: ")
        );
    }
}
