//! Rows: numbers of variable length, and values one after the other.

/// Most columns that SQLite gives a table.
const VALUES_MAX: usize = 2_000;

/// One value of a row. They are ordered as SQLite orders them in an index, but for floating-point numbers, of which Nix writes none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value<'a> {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A floating-point number, whichever it is.
    Real,
    /// Text, not checked yet.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl<'a> Value<'a> {
    /// A text, when it is one and is UTF-8.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A number, when it is one.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

/// The values of one row.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    values: Vec<Value<'a>>,
}

impl<'a> Record<'a> {
    /// Reads a row. Total; nothing when it is not built as SQLite builds it.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut values = Vec::new();
        read(payload, &mut values)?;
        Some(Self { values })
    }

    /// The value of a column. Rows that are older than a column have none.
    pub(crate) fn value(&self, column: usize) -> Value<'a> {
        self.values.get(column).cloned().unwrap_or(Value::Null)
    }

    /// All values that were written.
    pub(super) fn values(&self) -> &[Value<'a>] {
        &self.values
    }
}

/// Reads a row, and puts its values behind those that are there; the answer is how many. Total.
pub(super) fn read<'a>(payload: &'a [u8], values: &mut Vec<Value<'a>>) -> Option<usize> {
    let (length, mut at) = varint(payload, 0)?;
    let length = usize::try_from(length).ok()?;
    let (head, mut body) = payload.split_at_checked(length)?;
    let mut count = 0;
    while at < head.len() {
        if count == VALUES_MAX {
            return None;
        }
        let (kind, after) = varint(head, at)?;
        let (value, rest) = value(kind, body)?;
        values.push(value);
        count += 1;
        (at, body) = (after, rest);
    }
    (at == head.len() && body.is_empty()).then_some(count)
}

/// One value and what follows it.
fn value(kind: u64, body: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let length = match kind {
        0 | 8 | 9 => 0,
        1..=4 => usize::try_from(kind).ok()?,
        5 => 6,
        6 | 7 => 8,
        // Reserved for SQLite's own use.
        10 | 11 => return None,
        _ => usize::try_from((kind - 12) / 2).ok()?,
    };
    let (bytes, rest) = body.split_at_checked(length)?;
    let value = match kind {
        0 => Value::Null,
        1..=6 => Value::Integer(integer(bytes)),
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        7 => Value::Real,
        _ if kind % 2 == 1 => Value::Text(bytes),
        _ => Value::Blob(bytes),
    };
    Some((value, rest))
}

/// A number in two's complement, the highest byte first.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let begin = if negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(begin, |number, byte| (number << 8) | i64::from(*byte))
}

/// A number of one to nine bytes, and where the next thing begins.
pub(super) fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0;
    for (index, byte) in bytes.get(at..)?.iter().take(9).enumerate() {
        let next = at + index + 1;
        if index == 8 {
            return Some((number << 8 | u64::from(*byte), next));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, next));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_the_format_describes_them() {
        assert_eq!(varint(&[0x7f], 0), Some((0x7f, 1)));
        assert_eq!(varint(&[0x81, 0], 0), Some((0x80, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0xff; 8], 0), None);
        assert_eq!(varint(&[], 1), None);
        for (bytes, number) in [
            (&[0xff][..], -1),
            (&[0x80, 0][..], -32_768),
            (&[1, 0, 0][..], 65_536),
        ] {
            assert_eq!(integer(bytes), number);
        }
    }

    #[test]
    fn values_are_in_the_order_of_sqlite() {
        let ordered = [
            Value::Null,
            Value::Integer(-5),
            Value::Integer(7),
            Value::Text(b""),
            Value::Text(b"B"),
            Value::Text(b"a"),
            Value::Text(b"a\0"),
            Value::Text(b"ab"),
            Value::Text("\u{e9}".as_bytes()),
            Value::Blob(b""),
            Value::Blob(b"a"),
        ];
        assert!(ordered.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn a_row_ends_where_its_values_do() {
        let row = |bytes: &'static [u8]| Record::read(bytes).map(|row| row.values);
        let values = vec![Value::Null, Value::Integer(7), Value::Text(b"ab")];
        assert_eq!(row(&[4, 0, 1, 17, 7, b'a', b'b']), Some(values));
        for wrong in [
            &[4, 0, 1, 17, 7, b'a'][..],
            &[4, 0, 1, 17, 7, b'a', b'b', b'c'],
            &[2, 10],
            &[9, 0],
            &[0],
            &[],
        ] {
            assert_eq!(row(wrong), None, "{wrong:?}");
        }
    }
}
