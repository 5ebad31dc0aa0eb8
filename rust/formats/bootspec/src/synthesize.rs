//! From nothing to v1: the document of a generation that was built before there were documents, from what its toplevel holds.

use std::collections::BTreeMap;

use touchstone_store::{StoreFile, StorePath};

use crate::{Document, Extensions, Generation, ReadError, Specialisation, V1};

/// What a toplevel holds that has no `boot.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toplevel {
    /// Its own path.
    pub path: StorePath,
    /// The file `system`: such as `x86_64-linux`.
    pub system: String,
    /// The file `nixos-version`.
    pub nixos_version: String,
    /// Where the link `kernel` ends.
    pub kernel: StoreFile,
    /// The name of the one folder in `kernel-modules/lib/modules`.
    pub kernel_version: String,
    /// The file `kernel-params`: the parameters, a space between each.
    pub kernel_params: String,
    /// Where the link `initrd` ends, if it is there.
    pub initrd: Option<StoreFile>,
    /// Whether there is a program `append-initrd-secrets`.
    pub appends_initrd_secrets: bool,
    /// The toplevels in the folder `specialisation`, by name.
    pub specialisations: BTreeMap<String, Toplevel>,
}

/// Why no document was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SynthesizeError {
    /// A specialisation with specialisations of its own.
    #[error("the specialisation `{}` has specialisations of its own, which no Bootspec document can say", .name.escape_debug())]
    Nested {
        /// The specialisation.
        name: String,
    },
    /// What the toplevel holds breaks a rule of the document.
    #[error(transparent)]
    Invalid(#[from] ReadError),
}

/// The v1 document of a toplevel: what nixpkgs would have written, but for the label, in which the release's code name is missing.
///
/// # Errors
/// [`SynthesizeError`].
pub fn synthesize(toplevel: &Toplevel) -> Result<Document, SynthesizeError> {
    let mut specialisations = BTreeMap::new();
    for (name, one) in &toplevel.specialisations {
        if !one.specialisations.is_empty() {
            return Err(SynthesizeError::Nested { name: name.clone() });
        }
        let specialisation = Specialisation {
            core: core(one)?,
            beside: None,
            extensions: Extensions::new(),
        };
        specialisations.insert(name.clone(), specialisation);
    }
    let document = Document {
        v1: Some(Generation {
            core: core(toplevel)?,
            specialisations,
        }),
        v2: None,
        extensions: Extensions::new(),
    };
    Ok(Document::read(document.to_json().as_bytes())?)
}

fn core(toplevel: &Toplevel) -> Result<V1, ReadError> {
    let inside = |key, name: &str| {
        let path = format!("{}/{name}", toplevel.path);
        StoreFile::parse(&path).map_err(|why| ReadError::File {
            at: toplevel.path.to_string(),
            key,
            why,
        })
    };
    let program = toplevel
        .appends_initrd_secrets
        .then(|| inside("initrdSecrets", "append-initrd-secrets"));
    Ok(V1 {
        system: toplevel.system.clone(),
        init: inside("init", "init")?,
        initrd: toplevel.initrd.clone(),
        initrd_secrets: program.transpose()?,
        kernel: toplevel.kernel.clone(),
        kernel_params: parameters(&toplevel.kernel_params),
        label: format!(
            "NixOS {} (Linux {})",
            toplevel.nixos_version, toplevel.kernel_version
        ),
        toplevel: toplevel.path.clone(),
    })
}

/// The parameters of a command line. A space between quotes belongs to its parameter, as it does to the kernel, which ends an open
/// quote with the text. Put together with a space between each, they are the text again.
fn parameters(text: &str) -> Vec<String> {
    let mut parameters = Vec::new();
    let mut quoted = false;
    for word in text.split(' ') {
        match parameters.last_mut() {
            Some(last) if quoted => {
                let last: &mut String = last;
                last.push(' ');
                last.push_str(word);
            }
            _ => parameters.push(word.to_owned()),
        }
        quoted ^= word.matches('"').count() % 2 == 1;
    }
    if text.is_empty() {
        parameters.clear();
    }
    parameters
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests end loudly

    use super::parameters;
    use proptest::prelude::*;

    #[test]
    fn keeps_quoted_spaces_and_every_equals_sign() {
        assert_eq!(parameters(""), Vec::<String>::new());
        assert_eq!(
            parameters("root=PARTUUID=0a-1b quiet dyndbg=\"file a.c +p\" \"x y\"=1 b"),
            [
                "root=PARTUUID=0a-1b",
                "quiet",
                "dyndbg=\"file a.c +p\"",
                "\"x y\"=1",
                "b"
            ]
        );
        assert_eq!(parameters("a \"b c"), ["a", "\"b c"]);
    }

    proptest! {
        #[test]
        fn parameters_are_the_command_line_again(text in "[ a\"=.]{0,24}") {
            prop_assert_eq!(parameters(&text).join(" "), text);
        }
    }
}
