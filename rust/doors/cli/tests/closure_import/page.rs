//! The commands of `docs/closure-import.md`.

use touchstone_harness::nix::output;

use super::made::{Made, snapshot};
use crate::support::{TOUCHSTONE, alias, documented};

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let made = Made::new();
    let commands = documented(include_str!("../../../../../docs/closure-import.md"));
    let names = format!("SYSTEM={}\nKEY={}\n", made.system, made.key.public_key());
    let visit = made.work.inside(made.work.inputs.trixie().visit());
    let mut shell = visit.show(TOUCHSTONE).command("bash").unwrap();
    shell.args(["-euxc", &[alias(), names, commands].concat()]);
    let said = output(shell).unwrap();
    assert!(said.contains("2 paths imported"), "{said}");
    assert!(said.contains("2 registered before"), "{said}");
    assert_eq!(made.work.read("here.list"), made.work.read("third.list"));
    for root in ["here", "elsewhere", "third"] {
        assert!(snapshot(&made.store(root)).len() > 4, "{root}");
    }
}
