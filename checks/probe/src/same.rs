//! Values beside the answers that were built: what Nix computed while it evaluated has to be what the builder wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// The attributes of `mode = "same"`.
#[derive(Deserialize)]
pub struct Attributes {
    /// Files of JSON by name: what was built.
    answers: BTreeMap<String, PathBuf>,
    /// What of each answer is known, by the same names: every field of it is a field of the answer.
    known: BTreeMap<String, Value>,
    /// What was evaluated, by the same names; nothing where nobody could.
    values: Option<BTreeMap<String, Value>>,
}

/// Compares, and writes what was compared with what.
pub fn build(work: &Attributes, out: &Path) -> Result<()> {
    let mut said = String::new();
    for (name, path) in &work.answers {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let answer: Value = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no JSON", path.display()))?;
        said += &format!("{name}: {}\n", work.compared(name, &answer)?);
    }
    fs::write(out, said).with_context(|| format!("writing {}", out.display()))
}

impl Attributes {
    /// With what this answer was compared.
    fn compared(&self, name: &str, answer: &Value) -> Result<&'static str> {
        let known = self.known.get(name).context(format!(
            "{name}: nothing is known of the answer: add it to `known`"
        ))?;
        if !holds(answer, known) {
            bail!("{name}: the answer is {answer}, which is not {known}");
        }
        let Some(values) = &self.values else {
            return Ok("what is known");
        };
        match values.get(name) {
            Some(value) if value == answer => Ok("what is known, and the value"),
            Some(value) => bail!("{name}: the answer is {answer}, and the value is {value}"),
            None => bail!("{name}: there is no value"),
        }
    }
}

/// Whether every field of `known` is one of `answer`. Lists have the same length.
fn holds(answer: &Value, known: &Value) -> bool {
    match (answer, known) {
        (Value::Object(answer), Value::Object(known)) => known
            .iter()
            .all(|(name, known)| answer.get(name).is_some_and(|answer| holds(answer, known))),
        (Value::Array(answer), Value::Array(known)) => {
            answer.len() == known.len()
                && answer
                    .iter()
                    .zip(known)
                    .all(|(answer, known)| holds(answer, known))
        }
        _ => answer == known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is said of the answer `{"is": 1, "more": {"a": [2]}}`.
    fn said(known: &Value, values: &Value) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("answer.json");
        fs::write(&file, r#"{"is": 1, "more": {"a": [2]}}"#)?;
        let attributes = json!({ "answers": { "one": file }, "known": known, "values": values });
        let out = folder.path().join("out");
        build(&serde_json::from_value(attributes)?, &out)?;
        Ok(fs::read_to_string(out)?)
    }

    #[test]
    fn a_value_that_is_the_answer_passes() {
        let value = json!({ "one": { "more": { "a": [2] }, "is": 1 } });
        let passed = said(&json!({ "one": { "more": { "a": [2] } } }), &value).unwrap();
        assert_eq!(passed, "one: what is known, and the value\n");
        let alone = said(&json!({ "one": { "is": 1 } }), &Value::Null).unwrap();
        assert_eq!(alone, "one: what is known\n");
    }

    #[test]
    fn whatever_differs_is_named() {
        let known = json!({ "one": { "is": 1 } });
        for (known, values, why) in [
            (&known, json!({ "one": { "is": 1 } }), "and the value is"),
            (&known, json!({}), "one: there is no value"),
            (&json!({ "one": { "is": 2 } }), Value::Null, "which is not"),
            (&json!({ "one": { "not": 1 } }), Value::Null, "which is not"),
            (
                &json!({ "one": { "more": { "a": [] } } }),
                Value::Null,
                "which is not",
            ),
            (&json!({}), Value::Null, "nothing is known"),
        ] {
            let refused = said(known, &values).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
