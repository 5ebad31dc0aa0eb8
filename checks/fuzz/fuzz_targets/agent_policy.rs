//! Policies of the signing agent: any bytes are read or refused; what was read is written as a policy that says the same, and is not loose:
//! no pattern matches everything, no rule is for nobody or for nothing, and whoever may use Nix gets nothing signed that they could build.
//!
//! Seeds: `fleet` has a rule of each kind; `open` is for whoever asks; `small` is the shortest one that does something.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use touchstone_agent::policy::{ImageConstraints, Operation, Policy};

fuzz_target!(|bytes: &[u8]| {
    let Ok(policy) = Policy::read(Path::new("policy.json"), bytes) else {
        return;
    };
    let text = serde_json::to_vec(&policy).unwrap();
    assert_eq!(
        Policy::read(Path::new("policy.json"), &text).as_ref(),
        Ok(&policy)
    );
    let document = policy.document();
    for rule in &document.rules {
        assert!(rule.derivations.is_some() != !rule.users.is_empty());
        assert!(!rule.operations.is_empty());
        let open = rule
            .derivations
            .as_ref()
            .is_some_and(|of| of.requesters.is_empty());
        for name in rule.derivations.iter().flat_map(|of| &of.names) {
            assert!(!name.matches("") && !name.matches("\u{1}"));
        }
        for operation in &rule.operations {
            assert!(document.keys.contains_key(operation.key()));
            let image = match operation {
                Operation::Authenticode(operation) => &operation.image,
                Operation::PcrPolicy(operation) => &operation.image,
                Operation::Manifest(operation) => {
                    assert!(!operation.origin.is_empty() && !(open && operation.origin.built_here));
                    continue;
                }
            };
            if let ImageConstraints::Uki(uki) = &document.images[image] {
                assert!(!uki.stub.is_empty() && !uki.kernel.is_empty() && !uki.initrd.is_empty());
                assert!(!(open && uki.toplevel.built_here));
                for word in ["init=/bin/sh", "rdinit=/bin/sh"] {
                    assert!(
                        !uki.cmdline
                            .allowed
                            .iter()
                            .any(|pattern| pattern.matches(word))
                    );
                }
            }
        }
    }
});
