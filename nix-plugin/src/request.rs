//! A request, written while the evaluator's values are walked: what is wrong is said of the attribute that it is wrong with.

use std::io::{self, Write};

use touchstone_operations::REQUEST_LIMIT;

use crate::functions::Function;
use crate::shape::Shape;

/// How deep sets and lists may lie in each other: what serde_json reads.
const DEPTH: usize = 127;

/// Why a value cannot be part of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Where in a set or a list the walk is.
enum Step {
    Attribute(String),
    Item(usize),
}

/// A set or a list that is not closed yet.
struct Open {
    step: Option<Step>,
    empty: bool,
    close: u8,
    shape: &'static Shape,
}

/// A request that is being written, as JSON.
///
/// The calls come as the values lie: [`Request::attribute`] or [`Request::item`], then the value that is there. An attribute of the
/// outermost set that is null is left out.
pub struct Request {
    json: Vec<u8>,
    open: Vec<Open>,
    shape: &'static Shape,
}

impl Request {
    /// A request to the operation of `function`.
    pub fn new(function: &'static Function) -> Self {
        Self {
            json: Vec::new(),
            open: Vec::new(),
            shape: function.shape(),
        }
        .naming(function.operation)
    }

    fn naming(mut self, operation: &str) -> Self {
        self.json
            .extend_from_slice(format!("{{\"operation\":\"{operation}\"").as_bytes());
        self.open.push(Open {
            step: None,
            empty: false,
            close: b'}',
            shape: self.shape,
        });
        self
    }

    /// Whether the present set may have an attribute of that name, before its value is looked at.
    pub fn admit(&self, name: &[u8]) -> Result<(), Refusal> {
        let name = std::str::from_utf8(name)
            .map_err(|_| self.refused("has an attribute whose name is not UTF-8"))?;
        if self.open.len() == 1 && name == "output" {
            return Err(Refusal(OUTPUT.to_owned()));
        }
        let shape = self.open.last().map_or(self.shape, |open| open.shape);
        match shape.unknown(name) {
            None => Ok(()),
            Some(known) => Err(self.refused(&format!(
                "has no attribute `{}`; there are {}",
                shown(name),
                known.join(", ")
            ))),
        }
    }

    /// What comes next is the value of this attribute.
    pub fn attribute(&mut self, name: &[u8]) {
        let name = String::from_utf8_lossy(name).into_owned();
        self.step_to(Step::Attribute(name));
    }

    /// What comes next is the next item of the list.
    pub fn item(&mut self) {
        let next = match self.open.last().and_then(|open| open.step.as_ref()) {
            Some(Step::Item(index)) => index + 1,
            _ => 0,
        };
        self.step_to(Step::Item(next));
    }

    fn step_to(&mut self, step: Step) {
        if let Some(open) = self.open.last_mut() {
            open.step = Some(step);
        }
    }

    /// A set begins.
    pub fn open_attributes(&mut self) -> Result<(), Refusal> {
        self.open(b'{', b'}')
    }

    /// A list begins.
    pub fn open_list(&mut self) -> Result<(), Refusal> {
        self.open(b'[', b']')
    }

    fn open(&mut self, begin: u8, close: u8) -> Result<(), Refusal> {
        if self.open.len() >= DEPTH {
            return Err(self.refused(&format!(
                "lies deeper than {DEPTH} sets and lists in each other, which no request does: perhaps it contains itself"
            )));
        }
        self.separate()?;
        self.append(&[begin])?;
        let shape = self.next_shape();
        self.open.push(Open {
            step: None,
            empty: true,
            close,
            shape,
        });
        Ok(())
    }

    fn next_shape(&self) -> &'static Shape {
        match self.open.last() {
            None => self.shape,
            Some(open) => match &open.step {
                Some(Step::Attribute(name)) => open.shape.attribute(name),
                Some(Step::Item(_)) | None => open.shape.item(),
            },
        }
    }

    /// The set or list ends.
    pub fn close(&mut self) -> Result<(), Refusal> {
        match self.open.pop() {
            Some(open) => self.append(&[open.close]),
            None => Ok(()),
        }
    }

    /// A null.
    pub fn null(&mut self) -> Result<(), Refusal> {
        if self.open.len() == 1 {
            return Ok(());
        }
        self.plain("null")
    }

    /// A Boolean.
    pub fn boolean(&mut self, value: bool) -> Result<(), Refusal> {
        self.plain(if value { "true" } else { "false" })
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) -> Result<(), Refusal> {
        self.plain(&value.to_string())
    }

    /// A number that is no integer.
    pub fn float(&mut self, value: f64) -> Result<(), Refusal> {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.plain(&number.to_string()),
            None => Err(self.refused(&format!("is {value}, which JSON cannot say"))),
        }
    }

    /// A string.
    pub fn text(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let value = std::str::from_utf8(value).map_err(|error| {
            self.refused(&format!(
                "is a string whose byte {} is not UTF-8",
                error.valid_up_to()
            ))
        })?;
        self.separate()?;
        self.write_text(value)
    }

    /// A value that cannot be part of a request, such as "a function".
    pub fn refuse(&self, kind: &str) -> Result<(), Refusal> {
        Err(self.refused(&format!(
            "is {kind}: a request is made of sets, lists, strings, paths, numbers, Booleans and null"
        )))
    }

    /// The path of the attribute that is being looked at, such as `measure.pcrs[2]`; nothing for the request itself.
    pub fn place(&self) -> String {
        let mut place = String::new();
        for step in self.open.iter().filter_map(|open| open.step.as_ref()) {
            match step {
                Step::Attribute(name) => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place.push_str(&shown(name));
                }
                Step::Item(index) => place.push_str(&format!("[{index}]")),
            }
        }
        shortened(place)
    }

    /// The request's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.json
    }

    fn refused(&self, fact: &str) -> Refusal {
        let place = self.place();
        if place.is_empty() {
            Refusal(format!("the request {fact}"))
        } else {
            Refusal(format!("`{place}` {fact}"))
        }
    }

    fn plain(&mut self, value: &str) -> Result<(), Refusal> {
        self.separate()?;
        self.append(value.as_bytes())
    }

    /// The comma before the next value, and its name.
    fn separate(&mut self) -> Result<(), Refusal> {
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        let first = std::mem::replace(&mut open.empty, false);
        let name = match &open.step {
            Some(Step::Attribute(name)) => Some(name.clone()),
            _ => None,
        };
        if !first {
            self.append(b",")?;
        }
        if let Some(name) = name {
            self.write_text(&name)?;
            self.append(b":")?;
        }
        Ok(())
    }

    fn write_text(&mut self, text: &str) -> Result<(), Refusal> {
        // Before a byte is copied: escaping makes it no shorter.
        self.has_room(text.len())?;
        let mut bounded = Bounded(&mut self.json);
        serde_json::to_writer(&mut bounded, text).map_err(|_| self.too_large())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.has_room(bytes.len())?;
        self.json.extend_from_slice(bytes);
        Ok(())
    }

    fn has_room(&self, more: usize) -> Result<(), Refusal> {
        if more > REQUEST_LIMIT.saturating_sub(self.json.len()) {
            return Err(self.too_large());
        }
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        self.refused(&format!(
            "makes the request larger than {} MiB: name a file instead of its content",
            REQUEST_LIMIT >> 20
        ))
    }
}

/// Why a value has no output.
pub const OUTPUT: &str = "a value has no `output`: use the library's function of that name, whose derivation makes the file";

/// The beginning and the end of a path that nobody reads as a whole.
fn shortened(place: String) -> String {
    const SHOWN: usize = 40;
    let letters: Vec<char> = place.chars().collect();
    match (
        letters.first_chunk::<SHOWN>(),
        letters.last_chunk::<SHOWN>(),
    ) {
        (Some(begin), Some(end)) if letters.len() > 2 * SHOWN => {
            let text = |part: &[char]| part.iter().collect::<String>();
            format!("{} … {}", text(begin), text(end))
        }
        _ => place,
    }
}

/// An attribute's name as Nix writes it in a path.
pub fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\'');
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// Appends no byte beyond the limit.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > REQUEST_LIMIT.saturating_sub(self.0.len()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "request/tests.rs"]
mod tests;
