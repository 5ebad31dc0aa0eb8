//! What `uki inspect` and `uki diff` print for people.

use std::fmt::Write;

use touchstone_artifacts::diff::{Change, Difference, ImageDifferences};
use touchstone_artifacts::inspect::Bank;
use touchstone_artifacts::inspect_uki::{
    InspectUki, InspectedImage, InspectedProfile, InspectedSection,
};

/// Everything about an image, in tables.
pub fn image(request: &InspectUki, image: &InspectedImage) -> String {
    let mut text = String::new();
    head(&mut text, request, image);
    let banks = image
        .sections
        .iter()
        .flat_map(|section| section.digests.keys());
    let bank = request.banks.first().or(banks.min()).copied();
    sections(&mut text, &image.sections, bank.unwrap_or(Bank::Sha256));
    for section in &image.sections {
        contents(&mut text, section);
    }
    for profile in &image.profiles {
        pcr11(&mut text, profile, image.profiles.len() > 1);
    }
    text.trim_end().to_owned()
}

fn head(text: &mut String, request: &InspectUki, image: &InspectedImage) {
    let header = &image.header;
    let mut rows = vec![
        vec!["file".to_owned(), request.file.display().to_string()],
        vec![
            "image".to_owned(),
            format!(
                "{}, {}, {}, {} bytes",
                header.machine, header.format, header.subsystem, image.size
            ),
        ],
        vec![
            "flags".to_owned(),
            format!(
                "DllCharacteristics {:#06x}{}, CheckSum {:#010x}, TimeDateStamp {}",
                header.dll_characteristics,
                if header.nx_compat { " (NX_COMPAT)" } else { "" },
                header.check_sum,
                header.time_date_stamp
            ),
        ],
    ];
    if let Some(program) = &image.program {
        let said = format!("{} {}", program.name, program.version);
        rows.push(vec!["program".to_owned(), said]);
    }
    let digest = image.authenticode_sha256.as_deref().unwrap_or("none");
    rows.push(vec!["authenticode".to_owned(), digest.to_owned()]);
    for signature in &image.signatures {
        let subject = signature
            .subject
            .as_deref()
            .unwrap_or("nobody who is named");
        let verdict = match &signature.problem {
            None => "the signature is consistent".to_owned(),
            Some(problem) => format!("NOT CONSISTENT: {problem}"),
        };
        rows.push(vec![
            "signed by".to_owned(),
            format!("{subject}; {verdict}"),
        ]);
    }
    if image.signatures.is_empty() {
        rows.push(vec!["signed by".to_owned(), "nobody".to_owned()]);
    }
    for problem in &image.problems {
        rows.push(vec!["problem".to_owned(), problem.clone()]);
    }
    table(text, &rows, &[]);
}

fn sections(text: &mut String, sections: &[InspectedSection], bank: Bank) {
    let digest = bank.name().to_uppercase();
    let mut rows = vec![
        [
            "SECTION", "PROFILE", "SIZE", "ADDRESS", "OFFSET", "RAW SIZE", "FLAGS", &digest,
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for section in sections {
        let profile = section.profile.map(|profile| profile.to_string());
        let digest = section.digests.get(&bank);
        rows.push(vec![
            section.long_name.as_ref().unwrap_or(&section.name).clone(),
            profile.unwrap_or_default(),
            section.size.to_string(),
            format!("{:#x}", section.address),
            format!("{:#x}", section.offset),
            section.raw_size.to_string(),
            section.flags.join(" "),
            digest.map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    if rows
        .iter()
        .skip(1)
        .all(|row| row.get(1).is_some_and(String::is_empty))
    {
        rows.iter_mut().for_each(|row| drop(row.remove(1)));
        table(text, &rows, &[1, 2, 3, 4]);
    } else {
        table(text, &rows, &[2, 3, 4, 5]);
    }
}

/// The text of a section.
fn contents(text: &mut String, section: &InspectedSection) {
    let Some(content) = &section.text else {
        return;
    };
    let profile = section
        .profile
        .map(|profile| format!(" (profile {profile})"));
    let name = section.long_name.as_ref().unwrap_or(&section.name);
    let _ = writeln!(text, "{name}{}", profile.unwrap_or_default());
    for line in content.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text.push('\n');
}

/// What a profile gives PCR 11. The digests of the sections stand in the table above.
fn pcr11(text: &mut String, profile: &InspectedProfile, several: bool) {
    let name = profile.title.as_ref().or(profile.id.as_ref());
    let name = name.map(|name| format!(", {name}")).unwrap_or_default();
    let of = match several {
        true => format!(" of profile {}{name}", profile.number),
        false => String::new(),
    };
    let _ = writeln!(text, "PCR 11{of}, before the first phase");
    if let Some(problem) = &profile.problem {
        let _ = writeln!(text, "  unknown: {problem}\n");
        return;
    }
    let names = profile.measured.iter();
    let names: Vec<&str> = names.map(|measured| measured.section.as_str()).collect();
    let _ = writeln!(text, "  of       {}", names.join(" "));
    for (bank, value) in profile.pcr11.iter().flatten() {
        let _ = writeln!(text, "  {:<7}  {value}", bank.name());
    }
    text.push('\n');
}

/// Columns side by side; those in `right` hold numbers.
fn table(text: &mut String, rows: &[Vec<String>], right: &[usize]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let _ = match right.contains(&column) {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:<width$}  "),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push('\n');
}

/// What differs, a line each.
pub fn differences(answer: &ImageDifferences) -> String {
    if answer.equal {
        return "the files are equal".to_owned();
    }
    let lines: Vec<String> = answer.differences.iter().map(difference).collect();
    lines.join("\n")
}

fn difference(found: &Difference) -> String {
    let part = match found.part {
        "sbat" => "SBAT entry",
        "pcr11" => "PCR 11 of",
        "authenticode" => "Authenticode",
        "other" => "other",
        part => part,
    };
    let name = &found.name;
    let (a, b) = (
        found.a.as_deref().unwrap_or_default(),
        found.b.as_deref().unwrap_or_default(),
    );
    let at = found.first_difference;
    let at = at.map(|at| format!("; the first difference is at its byte {at}"));
    let at = at.unwrap_or_default();
    match found.change {
        Change::Added => format!("{part} {name} was added: {b}"),
        Change::Removed => format!("{part} {name} was removed: {a}"),
        Change::Moved => format!("{part} {name} moved: from {a} to {b}"),
        Change::Changed if a == b => format!("{part} {name} changed: {a}{at}"),
        Change::Changed => format!("{part} {name} changed: from {a} to {b}{at}"),
    }
}
