use super::*;

#[test]
fn the_example_of_the_documentation_is_a_policy() {
    let page = include_str!("../../../../../../docs/agent-policy.md");
    let examples: Vec<&str> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 1);
    for example in examples {
        Policy::read(Path::new("docs/agent-policy.md"), example.as_bytes()).unwrap();
    }
}

/// Every field is described, with its name as it is written.
#[test]
fn the_documentation_names_every_field() {
    let page = include_str!("../../../../../../docs/agent-policy.md");
    let schema = serde_json::to_value(Policy::schema()).unwrap();
    let definitions = schema["$defs"].as_object().unwrap();
    // What a log may have is said on its own page.
    let definitions = definitions.iter().filter(|(name, _)| *name != "Settings");
    let mut fields = 0;
    for object in definitions.map(|(_, object)| object).chain([&schema]) {
        let properties = object["properties"].as_object();
        for field in properties
            .into_iter()
            .flat_map(|properties| properties.keys())
        {
            assert!(page.contains(field.as_str()), "{field}");
            fields += 1;
        }
    }
    assert!(fields > 40, "{fields}");
}
