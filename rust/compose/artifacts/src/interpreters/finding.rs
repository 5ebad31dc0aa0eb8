//! What is found, and how it is said.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

/// A store path (or a named path) with interpreters in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundInterpreters {
    /// The path.
    pub path: PathBuf,
    /// The shortest way to it: from a path that was asked about, which comes first, each refers to the next. The path alone where
    /// nothing is known of references.
    pub chain: Vec<PathBuf>,
    /// Why it may be there, if it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its files.
    pub files: Vec<FoundFile>,
}

/// A file that is an interpreter, or that needs one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundFile {
    /// The file.
    pub file: PathBuf,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum What {
    /// A program or library that has interpreters in it.
    Interpreter {
        /// Which.
        names: Vec<&'static str>,
    },
    /// A text that begins with `#!`.
    Script {
        /// The program that the kernel starts.
        interpreter: String,
        /// Where that is `env`: the program that it starts.
        #[serde(skip_serializing_if = "Option::is_none")]
        through_env: Option<String>,
        /// Whether it can be started as it is.
        executable: bool,
    },
    /// An executable text without `#!`: the kernel refuses it, and a shell that tries it reads it as its own commands.
    ExecutableText,
    /// A program whose dynamic loader (`PT_INTERP`) lies in no path of the closure.
    ForeignLoader {
        /// The loader.
        loader: String,
    },
    /// A program that unpacks itself: nothing of what it is can be seen.
    Packed {
        /// By what it was packed.
        by: &'static str,
    },
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Interpreter { names } => write!(out, "interpreter: {}", names.join(", ")),
            What::Script {
                interpreter,
                through_env,
                executable,
            } => {
                let env = through_env.iter().map(|program| format!(" ({program})"));
                let rest = match executable {
                    true => "",
                    false => ", not executable",
                };
                write!(
                    out,
                    "script for {interpreter}{}{rest}",
                    env.collect::<String>()
                )
            }
            What::ExecutableText => {
                write!(out, "executable text, which a shell would run as its own")
            }
            What::ForeignLoader { loader } => write!(
                out,
                "program whose dynamic loader {loader} lies outside of the closure"
            ),
            What::Packed { by } => write!(out, "program that {by} packed: nobody sees what it is"),
        }
    }
}

impl FoundInterpreters {
    /// The finding in lines: the path, its files, and what drags it in.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.path.display().to_string()];
        if let Some(reason) = &self.reason {
            lines.push(format!("  allowed: {reason}"));
        }
        let files = self.files.iter();
        lines.extend(
            files.map(|found| match found.file.strip_prefix(&self.path) {
                Ok(inner) if !inner.as_os_str().is_empty() => {
                    format!("  {}: {}", inner.display(), found.what)
                }
                _ => format!("  {}", found.what),
            }),
        );
        for (place, path) in self
            .chain
            .iter()
            .enumerate()
            .filter(|_| self.chain.len() > 1)
        {
            let word = match place {
                0 => "  because",
                _ => "    needs",
            };
            lines.push(format!("{word} {}", path.display()));
        }
        lines
    }
}
