//! What each peer can judge, and our answer to its question.

use serde_json::Value;
use touchstone_harness::verdicts::Case;

/// The peers, in the order of the documentation's table.
pub const PEERS: [&str; 5] = [
    "sbverify",
    "osslsigncode",
    "pesigcheck",
    "LIEF",
    "virt-firmware",
];

/// What `touchstone pe verify` says where `peer` can judge: its `answer` for this case, put as the peer's question.
pub fn ours(peer: &str, case: &Case, answer: &Value) -> Option<bool> {
    let boots = answer["boots"].as_bool();
    match peer {
        // Is it signed by this certificate, or below it?
        "sbverify" | "osslsigncode" => case.certificate.as_ref().and(boots),
        // Do db and dbx let it start? (An empty db it does not take.)
        "pesigcheck" => boots.filter(|_| case.rule != "no-chain" || case.certificate.is_some()),
        // Are its signatures good ones of this image, whoever made them?
        "LIEF" => well_signed(answer),
        // Are digests or certificates of it in the lists?
        "virt-firmware" => boots.filter(|_| asks_lists(case.rule)),
        _ => None,
    }
}

fn well_signed(answer: &Value) -> Option<bool> {
    let signatures = answer["signatures"].as_array()?;
    let rule = |signature: &Value| signature["rule"].as_str().map(str::to_owned);
    let rules: Vec<String> = signatures.iter().filter_map(rule).collect();
    let is = |rule: &String, words: &[&str]| words.contains(&rule.as_str());
    if answer["reasons"][0]["rule"] == "image-malformed" {
        return Some(false);
    }
    if rules.is_empty()
        || answer["reasons"][0]["rule"] == "table-malformed"
        || rules
            .iter()
            .any(|rule| is(rule, &["digest-in-db", "digest-in-dbx", "type-skipped"]))
    {
        return None;
    }
    let bad = [
        "image-changed",
        "signature-bad",
        "unreadable",
        "signer-unreadable",
        "hash-unknown",
    ];
    Some(!rules.iter().any(|rule| is(rule, &bad)))
}

fn asks_lists(rule: &str) -> bool {
    [
        "signature-trusted",
        "no-chain",
        "not-signed",
        "digest-in-db",
        "digest-in-dbx",
        "certificate-in-dbx",
        "tbs-in-dbx",
        "anchor-tbs-in-dbx",
    ]
    .contains(&rule)
}
