//! Many calls, and large requests, take no more memory than the evaluator's own functions.

use std::process::Stdio;

use wait4::Wait4;

use crate::support::Desk;

const MIB: u64 = 1 << 20;
/// The calls of one evaluation.
const CALLS: usize = 20_000;
/// What the collector and the allocator may make of the same work from run to run.
const NOISE: u64 = 2 * MIB;

#[test]
fn twenty_thousand_calls_take_no_more_memory_than_from_json() {
    let desk = Desk::new();
    let grown = |call: &str| desk.peak(call, CALLS) - desk.peak(call, CALLS / 10);
    let ours = grown(r#"touchstone.parse.storePath { path = text n; }"#);
    let theirs = grown("builtins.deepSeq { path = text n; } (builtins.fromJSON answer)");
    println!("grown by {ours} bytes, fromJSON by {theirs}");
    assert!(ours <= theirs + NOISE, "{ours} {theirs}");
}

/// Nothing is kept of a call but what the evaluator can collect.
#[test]
fn more_calls_take_no_more_memory_once_the_collector_has_run() {
    let desk = Desk::new();
    let call = r#"touchstone.bootspec (generation { label = text n; })"#;
    let (some, many) = (desk.peak(call, CALLS / 4), desk.peak(call, CALLS));
    println!("{some} bytes for {}, {many} for {CALLS} calls", CALLS / 4);
    assert!(many <= some + 8 * MIB, "{some} {many}");
}

#[test]
fn refused_calls_leave_nothing_behind_either() {
    let desk = Desk::new();
    let call = r#"builtins.tryEval (touchstone.bootspec (generation { label = throw "thrown"; }))"#;
    let (some, many) = (desk.peak(call, CALLS / 4), desk.peak(call, CALLS));
    println!("{some} bytes for {}, {many} for {CALLS} calls", CALLS / 4);
    assert!(many <= some + 8 * MIB, "{some} {many}");
}

/// A text of 512 MiB, of which Nix has one copy: nothing of it is copied before it is refused.
#[test]
fn a_request_over_the_limit_is_refused_before_it_is_copied() {
    let desk = Desk::new();
    let base = r#"
        with import ./prelude.nix;
        let
          double = text: "${text}${text}";
          mebibyte = foldl' (text: _: double text) "0123456789abcdef" (builtins.genList (n: n) 16);
          long = builtins.concatStringsSep mebibyte (builtins.genList (_: "") 257);
        in "#;
    let evaluated = desk.peak_of(&format!("{base} builtins.stringLength long"), Some(0));
    for call in [
        "touchstone.bootspec (generation { label = long; })",
        "touchstone.bootspec (generation { kernelParams = builtins.genList (_: long) 1000; })",
        "touchstone.run long",
    ] {
        let refused = desk.peak_of(&format!("{base} {call}"), Some(1));
        println!("{call}: {refused} bytes, {evaluated} without the call");
        assert!(
            refused < evaluated + 80 * MIB,
            "{call}: {refused} {evaluated}"
        );
    }
}

/// A context of 1000 store paths on an answer of 10 000 strings: all strings share it.
#[test]
fn strings_of_an_answer_share_their_context() {
    let desk = Desk::new();
    let peak = |label: &str| {
        let expression = format!(
            r#"
            with import ./prelude.nix;
            builtins.length (strings (touchstone.bootspec (generation {{
              label = "a label${{{label}}}";
              kernelParams = builtins.genList (n: "parameter-${{toString n}}") 5000;
            }})))"#
        );
        desk.peak_of(&expression, Some(0))
    };
    let (without, with) = (peak(r#""""#), peak("thousandPaths"));
    println!("{without} bytes without, {with} with the context");
    assert!(with < without + 32 * MIB, "{without} {with}");
}

/// Nor does a call keep a context once for each path that has it.
#[test]
fn paths_of_a_request_share_their_contexts() {
    let desk = Desk::new();
    let peak = |begin: &str| {
        let expression = format!(
            r#"
            with import ./prelude.nix;
            builtins.length (strings (touchstone.bootspec (generation {{
              kernelParams = builtins.genList (n: "{begin}parameter-${{toString n}}${{thousandPaths}}") 300;
            }})))"#
        );
        desk.peak_of(&expression, Some(0))
    };
    let (texts, paths) = (peak("a-"), peak("/"));
    println!("{texts} bytes for texts, {paths} for paths");
    assert!(paths < texts + 16 * MIB, "{texts} {paths}");
}

impl Desk {
    /// The peak of memory of an evaluation that calls so often, with a heap that is collected often.
    fn peak(&self, call: &str, calls: usize) -> u64 {
        let expression = format!(
            r#"
            with import ./prelude.nix;
            let
              text = n: "/nix/store/00000000000000000000000000000000-name-${{toString n}}";
              answer = builtins.toJSON (touchstone.parse.storePath {{ path = text 0; }});
              call = n: builtins.deepSeq ({call}) n;
            in foldl' (sum: n: sum + call n) 0 (builtins.genList (n: n) {calls})"#
        );
        self.peak_of(&expression, Some(0))
    }

    fn peak_of(&self, expression: &str, status: Option<i32>) -> u64 {
        self.write("expression.nix", expression);
        let mut command = self.command("nix-instantiate");
        command.args(["--eval", "--strict", "--json"]);
        command.arg(self.path("expression.nix"));
        command.env("GC_INITIAL_HEAP_SIZE", "1M");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let ended = command.spawn().unwrap().wait4().unwrap();
        assert_eq!(ended.status.code(), status, "{expression}");
        ended.rusage.maxrss
    }
}
