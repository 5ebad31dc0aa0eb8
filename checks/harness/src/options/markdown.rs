//! How the option reference looks.

use super::{Described, Literal, MODULES};

const HEAD: &str = "# Options

What the NixOS modules of Touchstone declare. This page is made from the modules by `cargo xtask options`: change them, not it. How the
options are used: [In a NixOS configuration](nixos.md).
";

/// The whole page.
pub fn page(sections: &[String]) -> String {
    let mut page = HEAD.to_owned();
    for section in sections {
        page.push('\n');
        page.push_str(section);
    }
    page
}

/// The section of one file: what its first comment says, and its options.
pub fn section(file: &str, text: &str, options: &[&Described]) -> String {
    let mut section = format!("## {file}\n{}", introduction(text));
    for option in options {
        section.push('\n');
        section.push_str(&entry(option));
    }
    section
}

/// The comment with which a file begins, as a paragraph.
fn introduction(text: &str) -> String {
    let words: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .map(str::trim)
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!("{}\n", words.join("\n"))
    }
}

fn entry(option: &Described) -> String {
    let description = option.description.as_deref().unwrap_or_default();
    let mut entry = format!(
        "### `{}`\n{}\n\n- Type: {}{}\n",
        option.name,
        without_roles(description.trim()),
        option.r#type,
        if option.read_only { " (read only)" } else { "" }
    );
    for (what, value) in [("Default", &option.default), ("Example", &option.example)] {
        if let Some(value) = value {
            entry.push_str(&literal(what, value));
        }
    }
    let declared: Vec<String> = option
        .declared
        .iter()
        .map(|file| format!("[{MODULES}/{file}](../{MODULES}/{file})"))
        .collect();
    entry.push_str(&format!("- Declared in: {}\n", declared.join(", ")));
    entry
}

/// A value behind its name: code in the line, or a block of code of several lines.
fn literal(what: &str, value: &Literal) -> String {
    let text = value.text.trim();
    if value.kind == "literalMD" {
        return format!("- {what}: {}\n", without_roles(text));
    }
    if !text.contains(['\n', '`']) {
        return format!("- {what}: `{text}`\n");
    }
    let lines: String = text
        .lines()
        .map(|line| format!("  {line}").trim_end().to_owned() + "\n")
        .collect();
    format!("- {what}:\n  ```nix\n{lines}  ```\n")
}

/// Markdown without the roles of nixpkgs' dialect: `{option}` before a word in backticks says nothing to other readers.
fn without_roles(text: &str) -> String {
    ["option", "file", "command", "env", "var", "manpage"]
        .iter()
        .fold(text.to_owned(), |text, role| {
            text.replace(&format!("{{{role}}}`"), "`")
        })
}
