//! Types that are one checked string: how they travel through JSON, and base 64 with one spelling.

/// Gives a type with `Display` and `FromStr` its JSON form (a string) and that form's schema.
macro_rules! json_string {
    ($type:ty, $description:expr) => {
        #[cfg(feature = "json")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "json")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "json")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description })
            }
        }
    };
}
pub(crate) use json_string;

/// Decodes base 64 of which each value has one spelling. The library alone would take padding inside, as in two texts put together.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').contains('=') {
        return None;
    }
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

/// Decodes base 64 of so many bytes.
pub(crate) fn base64_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    base64(text)?.try_into().ok()
}
