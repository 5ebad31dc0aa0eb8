//! What all doors of one build have in common, as one digest.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Description, operations};

/// The SHA-256, in lowercase hexadecimal, of what every operation is called, does to the world, takes and answers: their schemas, with
/// all that these say in words.
///
/// Two builds with the same contract take the same requests and answer in the same form. It does not see what an operation does: two
/// builds may still answer the same request otherwise. It depends on no feature of the build, nor on the order of the list.
pub fn contract() -> String {
    HEXLOWER.encode(&Sha256::digest(of(operations())))
}

/// The text of the digest: JSON without spaces, operations in the order of their names, and each object's fields in that of theirs.
fn of(mut operations: Vec<Description>) -> String {
    operations.sort_by_key(|operation| operation.name);
    let mut all: Value = operations.iter().map(described).collect();
    all.sort_all_objects();
    all.to_string()
}

fn described(operation: &Description) -> Value {
    json!({
        "operation": operation.name,
        "effect": operation.effect.name(),
        "request": operation.request_schema(),
        "answer": operation.answer_schema(),
        "document": operation.document_schema(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_list_does_not_matter_and_every_operation_does() {
        let all = of(operations());
        assert_eq!(of(operations().into_iter().rev().collect()), all);
        for index in 0..operations().len() {
            let mut fewer = operations();
            let name = fewer.remove(index).name;
            assert_ne!(of(fewer), all, "{name}");
        }
    }

    #[test]
    fn each_part_of_a_description_matters() {
        let of_all = of(operations());
        let text: Value = serde_json::from_str(&of_all).unwrap();
        let operation = operations()
            .into_iter()
            .find(|known| known.name == "store.path");
        let operation = operation.unwrap();
        let listed = text.as_array().unwrap();
        let found = listed
            .iter()
            .find(|one| one["operation"] == "store.path")
            .unwrap();
        assert_eq!(found["effect"], "value");
        assert_eq!(&found["request"], operation.request_schema().as_value());
        assert_eq!(&found["answer"], operation.answer_schema().as_value());
        let documents = listed.iter().filter(|one| !one["document"].is_null());
        assert_eq!(documents.count(), 1);
    }
}
