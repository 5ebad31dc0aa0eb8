//! The least that anybody must do who asks the agent: a frame out, a frame in.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
pub struct Client {
    stream: UnixStream,
}

impl Client {
    pub fn open(socket: &Path) -> Result<Client> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("connecting to {}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream })
    }

    /// Asks for the signature of an image, and waits for it.
    pub fn sign(&mut self, key: &str, image: &[u8]) -> Result<()> {
        let message = json!({ "operation": "authenticode", "key": key, "hash": "sha256" });
        let header = json!({ "id": 1, "size": image.len(), "message": message }).to_string();
        let length = u32::try_from(header.len())?.to_be_bytes();
        self.stream
            .write_all(&[&length, header.as_bytes(), image].concat())?;
        let answer = self.read()?;
        match answer.pointer("/message/status").and_then(Value::as_str) {
            Some("done") => Ok(()),
            _ => bail!("the agent refused: {answer}"),
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut header = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        self.stream.read_exact(&mut header)?;
        let header: Value = serde_json::from_slice(&header)?;
        let size = header.get("size").and_then(Value::as_u64).unwrap_or(0);
        let mut payload = vec![0; usize::try_from(size)?];
        self.stream.read_exact(&mut payload)?;
        Ok(header)
    }
}
