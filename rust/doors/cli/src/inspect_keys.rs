//! What `keys inspect` prints for people.

use std::fmt::Write;

use touchstone_artifacts::keys::{CertificateFacts, Entry, Form, InspectedFile, InspectedUpdate};

/// Everything about some files.
pub fn files(files: &[InspectedFile]) -> String {
    let each: Vec<_> = files.iter().map(file).collect();
    each.join("\n")
}

fn file(file: &InspectedFile) -> String {
    let form = match file.form {
        Form::Certificate => "certificates",
        Form::SignatureLists => "signature lists",
        Form::Variable => "variable",
        Form::Update => "signed update",
    };
    let mut text = format!("{}: {form}", file.file.display());
    if let Some(attributes) = file.attributes {
        add(&mut text, format_args!(", attributes {attributes:#04x}"));
    }
    if let Some(update) = &file.update {
        add(&mut text, format_args!("{}", signed(update)));
    }
    for certificate in &file.certificates {
        add(
            &mut text,
            format_args!("\n  certificate{}", facts(certificate)),
        );
    }
    for entry in &file.entries {
        add(&mut text, format_args!("{}", self::entry(entry)));
    }
    if file.entries.is_empty() && file.certificates.is_empty() {
        text.push_str("\n  no entries");
    }
    text
}

fn signed(update: &InspectedUpdate) -> String {
    let what = match (&update.variable, update.append) {
        (Some(variable), true) => format!("appends to {variable}"),
        (Some(variable), false) => format!("replaces {variable}"),
        (None, _) => "NOT VALIDLY SIGNED".to_owned(),
    };
    let mut text = format!("\n  {what}, of {}", update.time);
    if let Some(problem) = &update.problem {
        add(&mut text, format_args!("\n  problem: {problem}"));
    }
    if let Some(signer) = &update.signer {
        add(&mut text, format_args!("\n  signed by{}", facts(signer)));
    }
    text
}

fn entry(entry: &Entry) -> String {
    let owner = match entry.owner_name {
        Some(name) => format!("{} ({name})", entry.owner),
        None => entry.owner.clone(),
    };
    let mut text = format!("\n  {}, owner {owner}", entry.kind);
    match (&entry.certificate, &entry.digest) {
        (Some(certificate), _) => text.push_str(&facts(certificate)),
        (None, Some(digest)) => add(&mut text, format_args!("\n    {digest}")),
        (None, None) => add(&mut text, format_args!(", {} bytes", entry.size)),
    }
    if let Some(from) = &entry.revoked_from {
        add(&mut text, format_args!("\n    revoked from {from}"));
    }
    if let Some(problem) = &entry.problem {
        add(&mut text, format_args!("\n    problem: {problem}"));
    }
    text
}

fn facts(certificate: &CertificateFacts) -> String {
    let mark = if certificate.test_key {
        " (a test key)"
    } else {
        ""
    };
    format!(
        "\n    subject      {}{mark}\n    issuer       {}\n    serial       {}\n    valid        {} to {}\n    key          {}\n    SHA-256      {}\n    TBS SHA-256  {}",
        certificate.subject,
        certificate.issuer,
        certificate.serial,
        certificate.not_before,
        certificate.not_after,
        certificate.key,
        certificate.sha256,
        certificate.tbs_sha256
    )
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing into a text cannot fail.
    let _ = text.write_fmt(more);
}
