//! Definitions of tables: which columns they have, and which indexes SQLite made for them by itself.

/// With what a line of a table's definition begins that is about no column.
const NO_COLUMN: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];

/// The names of the columns in a definition such as `CREATE TABLE name (a integer primary key, b text, unique (b))`. What is written in
/// another way than Nix does has no columns that anybody asks for.
pub(super) fn columns(definition: &str) -> Vec<String> {
    let text = without_comments(definition);
    let inside = text.split_once('(').map_or("", |(_, inside)| inside);
    let names = parts(inside).into_iter().filter_map(|part| {
        let name = part.split_whitespace().next()?;
        // `unique (b)` and `unique(b)` are the same.
        let word = name.split('(').next()?.to_ascii_lowercase();
        (!NO_COLUMN.contains(&word.as_str())).then(|| name.to_owned())
    });
    names.collect()
}

/// The columns of each index that SQLite makes by itself for `primary key` and `unique`, in the order of the numbers that are in the names of these
/// indexes. None, if anything is in the definition that Nix does not write and that may change them (another order, names in quotes).
///
/// Source: <https://www.sqlite.org/fileformat2.html#representation_of_sql_indices>.
pub(super) fn automatic_indexes(definition: &str) -> Vec<Vec<String>> {
    let text = without_comments(definition);
    let foreign = ["\"", "'", "`", "[", "/*"];
    if foreign.iter().any(|sign| text.contains(sign)) || words(&text).any(reorders) {
        return Vec::new();
    }
    let inside = text.split_once('(').map_or("", |(_, inside)| inside);
    let mut indexes = Vec::new();
    for index in parts(inside).into_iter().filter_map(automatic_index) {
        // What says the same as another makes no second one.
        if !indexes.contains(&index) {
            indexes.push(index);
        }
    }
    indexes
}

/// The columns of the index that a line of a definition asks for.
fn automatic_index(part: &str) -> Option<Vec<String>> {
    let name = part.split_whitespace().next()?;
    let all: Vec<String> = words(part).map(str::to_ascii_lowercase).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    match all.as_slice() {
        ["primary" | "unique", ..] | ["constraint", _, "primary" | "unique", ..] => {
            let (_, inside) = part.split_once('(')?;
            let columns = parts(inside).into_iter();
            Some(columns.map(|column| column.trim().to_owned()).collect())
        }
        ["constraint" | "check" | "foreign", ..] => None,
        // The number of the row itself.
        [_, "integer", rest @ ..] if rest.contains(&"primary") => None,
        [_, rest @ ..] if ["primary", "unique"].iter().any(|word| rest.contains(word)) => {
            Some(vec![name.to_owned()])
        }
        _ => None,
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|sign: char| sign.is_whitespace() || "(),".contains(sign));
    words.filter(|word| !word.is_empty())
}

/// Whether a word says that keys are compared or ordered in another way than by their bytes.
fn reorders(word: &str) -> bool {
    ["collate", "desc"]
        .iter()
        .any(|other| word.eq_ignore_ascii_case(other))
}

fn without_comments(definition: &str) -> String {
    let lines = definition.lines();
    let lines = lines.map(|line| line.split_once("--").map_or(line, |(before, _)| before));
    lines.collect::<Vec<_>>().join(" ")
}

/// What stands between commas, up to the parenthesis that closes.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_usize, 0, Vec::new());
    for (at, character) in text.char_indices() {
        match (character, depth) {
            ('(', _) => depth += 1,
            (')', 0) => {
                parts.extend(text.get(from..at));
                return parts;
            }
            (')', _) => depth -= 1,
            (',', 0) => {
                parts.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::{automatic_indexes, columns};

    #[test]
    fn finds_the_columns_of_nix_tables() {
        let paths = "CREATE TABLE ValidPaths (\n    id integer primary key autoincrement not null,\n    path text unique not null,\n    \
            ultimate integer, -- null implies \"false\", (really)\n    sigs text -- space-separated\n, ca text)";
        assert_eq!(columns(paths), ["id", "path", "ultimate", "sigs", "ca"]);
        assert_eq!(automatic_indexes(paths), [["path"]]);
        let refs = "CREATE TABLE Refs (referrer integer not null, reference integer not null,\n primary key (referrer, reference),\
            foreign key (referrer) references ValidPaths(id) on delete cascade)";
        assert_eq!(columns(refs), ["referrer", "reference"]);
        assert_eq!(automatic_indexes(refs), [["referrer", "reference"]]);
    }

    #[test]
    fn indexes_are_in_the_order_of_their_numbers() {
        let indexes = automatic_indexes(
            "CREATE TABLE t (a text UNIQUE, b int primary key, c text unique check (c > 0), d text, constraint e unique (d, a), unique(d), \
             unique (a), foreign key (d) references u(unique_d))",
        );
        let expected: [&[&str]; 5] = [&["a"], &["b"], &["c"], &["d", "a"], &["d"]];
        assert_eq!(indexes, expected);
    }

    #[test]
    fn an_index_in_another_order_is_not_known() {
        for text in [
            "a text unique collate nocase",
            "a text, unique (a DESC)",
            "\"a\" text unique",
            "a text /* never */ unique",
            "a text default '--', b text unique",
            "a text, b text",
            "id integer primary key",
        ] {
            let definition = format!("CREATE TABLE t ({text})");
            assert!(automatic_indexes(&definition).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_definition_of_another_kind_has_no_columns() {
        for text in ["", "CREATE TABLE a", "CREATE TABLE a (b", ")("] {
            assert!(columns(text).is_empty(), "{text}");
            assert!(automatic_indexes(text).is_empty(), "{text}");
        }
    }
}
