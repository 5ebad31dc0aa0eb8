//! `touchstone/switch.json`: which program to become, with which variables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::Error;

/// The document. Closed: an unknown key, and a key that comes twice, are errors.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Variables that are set, whatever they were before; all others stay.
    #[serde(deserialize_with = "variables")]
    pub environment: BTreeMap<String, String>,
}

impl Switch {
    /// Reads the document.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Malformed`].
    pub fn read(file: &Path) -> Result<Switch, Error> {
        let text = std::fs::read(file).map_err(|source| Error::Read {
            file: file.to_owned(),
            source,
        })?;
        Switch::parse(&text).map_err(|fact| Error::Malformed {
            file: file.to_owned(),
            fact,
        })
    }

    fn parse(text: &[u8]) -> Result<Switch, String> {
        // serde takes a list of the values as well.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is no object with `program` and `environment`".to_owned());
        }
        let switch: Switch = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if !switch.program.is_absolute() {
            return Err(format!(
                "`program` is no absolute path: {}",
                switch.program.display()
            ));
        }
        let is_name = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
        match switch
            .environment
            .iter()
            .find(|(name, value)| !is_name(name) || value.contains('\0'))
        {
            Some((name, _)) => Err(format!("`environment` has the variable {name:?}")),
            None => Ok(switch),
        }
    }
}

/// An object of texts; a name that comes twice is an error.
fn variables<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Variables;
    impl<'de> Visitor<'de> for Variables {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((name, value)) = map.next_entry()? {
                match all.entry(name) {
                    Entry::Vacant(free) => free.insert(value),
                    Entry::Occupied(there) => {
                        let fact = format!("the variable `{}` comes twice", there.key());
                        return Err(A::Error::custom(fact));
                    }
                };
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_builder_writes() {
        let text = br#"{ "program": "/p", "environment": { "OUT": "/o", "EMPTY": "" } }"#;
        let switch = Switch::parse(text).unwrap();
        assert_eq!(switch.program, Path::new("/p"));
        assert_eq!(switch.environment["OUT"], "/o");
        assert_eq!(switch.environment["EMPTY"], "");
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "no object"),
            (r#"["/p",{}]"#, "no object"),
            ("{", "EOF"),
            (r#"{"program":"/p"}"#, "environment"),
            (r#"{"environment":{}}"#, "program"),
            (r#"{"program":"/p","environment":null}"#, "object of texts"),
            (r#"{"program":"/p","environment":{"A":1}}"#, "string"),
            (
                r#"{"program":"/p","environment":{"A":"1","A":"2"}}"#,
                "`A` comes twice",
            ),
            (
                r#"{"program":"/p","program":"/q","environment":{}}"#,
                "duplicate",
            ),
            (
                r#"{"program":"/p","environment":{},"arguments":[]}"#,
                "arguments",
            ),
            (r#"{"program":"p","environment":{}}"#, "no absolute path"),
            (
                r#"{"program":"/p","environment":{"":"x"}}"#,
                "the variable \"\"",
            ),
            (r#"{"program":"/p","environment":{"A=B":"x"}}"#, "A=B"),
            (r#"{"program":"/p","environment":{"A":"\u0000"}}"#, "\"A\""),
            (r#"{"program":"/p","environment":{}} x"#, "trailing"),
        ] {
            let fact = Switch::parse(text.as_bytes()).unwrap_err();
            assert!(fact.contains(reason), "{text}: {fact}");
        }
    }
}
