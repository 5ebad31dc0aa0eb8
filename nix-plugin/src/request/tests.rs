use super::*;
use crate::functions::functions;

fn request() -> Request {
    let predict = functions()
        .iter()
        .find(|function| function.name == "predictPcrs");
    Request::new(predict.unwrap())
}

fn text(request: &Request) -> &str {
    std::str::from_utf8(request.bytes()).unwrap()
}

#[test]
fn is_the_json_of_the_values() {
    let mut request = request();
    request.attribute(b"loader");
    request.null().unwrap();
    request.attribute(b"entries");
    request.open_list().unwrap();
    request.item();
    request.open_attributes().unwrap();
    request.attribute(b"name");
    request.null().unwrap();
    request.attribute(b"profile");
    request.integer(-3).unwrap();
    request.close().unwrap();
    request.item();
    request.text("\"é\n".as_bytes()).unwrap();
    request.close().unwrap();
    request.attribute(b"x");
    request.float(0.5).unwrap();
    request.attribute(b"y");
    request.boolean(true).unwrap();
    request.close().unwrap();
    assert_eq!(
        text(&request),
        r#"{"operation":"measure.predict","entries":[{"name":null,"profile":-3},"\"é\n"],"x":0.5,"y":true}"#
    );
}

#[test]
fn names_the_attribute_that_is_wrong() {
    let mut request = request();
    request.attribute(b"measure");
    request.open_attributes().unwrap();
    request.attribute(b"pcrs");
    request.open_list().unwrap();
    for item in 0..2 {
        request.item();
        request.integer(item).unwrap();
    }
    request.item();
    assert_eq!(request.place(), "measure.pcrs[2]");
    let refusal = request.refuse("a function").unwrap_err().to_string();
    assert!(
        refusal.starts_with("`measure.pcrs[2]` is a function: "),
        "{refusal}"
    );
    assert!(
        request
            .float(f64::NAN)
            .unwrap_err()
            .to_string()
            .contains("is NaN")
    );
    let refusal = request.text(b"ab\xff").unwrap_err().to_string();
    assert_eq!(
        refusal,
        "`measure.pcrs[2]` is a string whose byte 2 is not UTF-8"
    );
}

#[test]
fn a_name_that_is_no_word_is_quoted_in_a_path() {
    let mut request = request();
    request.attribute(b"shared");
    request.open_attributes().unwrap();
    request.attribute(b"addons/a.efi");
    assert_eq!(request.place(), "shared.\"addons/a.efi\"");
}

#[test]
fn unknown_attributes_are_refused_with_those_that_there_are() {
    let mut request = request();
    let refusal = request.admit(b"lader").unwrap_err().to_string();
    assert!(
        refusal.starts_with("the request has no attribute `lader`; there are entries, "),
        "{refusal}"
    );
    assert!(request.admit(b"operation").is_err());
    assert_eq!(request.admit(b"output").unwrap_err().to_string(), OUTPUT);
    request.attribute(b"measure");
    request.open_attributes().unwrap();
    let refusal = request.admit(b"pcr").unwrap_err().to_string();
    assert!(
        refusal.starts_with("`measure` has no attribute `pcr`; there are "),
        "{refusal}"
    );
    assert_eq!(request.admit(b"pcrs"), Ok(()));
}

#[test]
fn nothing_lies_deeper_than_is_read() {
    let mut request = request();
    request.attribute(b"x");
    for _ in 1..DEPTH {
        request.open_list().unwrap();
        request.item();
    }
    let refusal = request.open_list().unwrap_err().to_string();
    assert!(refusal.contains("lies deeper than 127 "), "{refusal}");
    for _ in 0..DEPTH {
        request.close().unwrap();
    }
    assert!(serde_json::from_slice::<serde_json::Value>(request.bytes()).is_ok());
}

#[test]
fn what_is_too_large_is_not_copied() {
    let mut request = request();
    let most = vec![b'a'; REQUEST_LIMIT + 1];
    request.attribute(b"loader");
    let refusal = request.text(&most).unwrap_err().to_string();
    assert!(
        refusal.starts_with("`loader` makes the request larger than 64 MiB"),
        "{refusal}"
    );
    assert!(request.bytes().len() < 100);
    assert!(request.json.capacity() < 1000);
}

#[test]
fn what_becomes_too_large_by_escaping_is_refused() {
    let mut request = request();
    let most = vec![1; REQUEST_LIMIT / 4];
    request.attribute(b"loader");
    assert!(request.text(&most).is_err());
    assert!(request.bytes().len() <= REQUEST_LIMIT);
}
