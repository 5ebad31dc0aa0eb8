//! v1 and v2 of one document describe the same generation.

use crate::{Core, Document, Generation, ReadError, V1, V2};

/// Refuses a document whose versions describe different generations.
pub(crate) fn check(document: &Document) -> Result<(), ReadError> {
    if let Some(v1) = &document.v1 {
        for (name, one) in &v1.specialisations {
            if let Some(v2) = &one.beside {
                let at = format!("{}/{name}", V1::SPECIALISATIONS);
                cores((&at, &one.core), (&at, v2))?;
            }
        }
    }
    match (&document.v1, &document.v2) {
        (Some(v1), Some(v2)) => generations(v1, v2),
        _ => Ok(()),
    }
}

fn generations(v1: &Generation<V1>, v2: &Generation<V2>) -> Result<(), ReadError> {
    cores(("", &v1.core), ("", &v2.core))?;
    let of_v2_alone = v2
        .specialisations
        .keys()
        .find(|name| !v1.specialisations.contains_key(*name));
    if let Some(name) = of_v2_alone {
        return Err(ReadError::MissingSpecialisation {
            at: V1::SPECIALISATIONS,
            name: name.clone(),
        });
    }
    for (name, of_v1) in &v1.specialisations {
        let Some(of_v2) = v2.specialisations.get(name) else {
            return Err(ReadError::MissingSpecialisation {
                at: V2::SPECIALISATIONS,
                name: name.clone(),
            });
        };
        let at = |key: &str| format!("{key}/{name}");
        let (at_v1, at_v2) = (at(V1::SPECIALISATIONS), at(V2::SPECIALISATIONS));
        cores((&at_v1, &of_v1.core), (&at_v2, &of_v2.core))?;
    }
    Ok(())
}

/// Compares two core objects, each with the object that holds it. v2 may have more initrds, and device trees, which v1 does not know.
fn cores((at_v1, v1): (&str, &V1), (at_v2, v2): (&str, &V2)) -> Result<(), ReadError> {
    let initrd = v1.initrd.as_ref();
    let different = [
        ("system", v1.system != v2.system),
        ("init", v1.init != v2.init),
        (
            "initrd",
            initrd.is_some_and(|initrd| !v2.initrds.contains(initrd)),
        ),
        ("kernel", v1.kernel != v2.kernel),
        ("kernelParams", v1.kernel_params != v2.kernel_params),
        ("label", v1.label != v2.label),
        ("toplevel", v1.toplevel != v2.toplevel),
    ];
    match different.into_iter().find(|(_, different)| *different) {
        None => Ok(()),
        Some((key, _)) => Err(ReadError::Disagreement {
            v1: place(at_v1, V1::KEY),
            v2: place(at_v2, V2::KEY),
            key,
        }),
    }
}

fn place(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}/{key}")
    }
}
