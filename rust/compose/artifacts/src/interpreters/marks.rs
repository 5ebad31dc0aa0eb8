//! Interpreters, by what every build of them holds: messages, names of variables and of functions of their own language.
//!
//! Chosen from the programs of Debian 12 and 13 that `rust/doors/cli/tests/interpreters` looks at again: each mark is in all builds of its
//! program, stripped and static ones included, and the marks of one interpreter are together in no program that is none. They are kept
//! masked, for otherwise this program would find itself.

use std::hint::black_box;

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::dfa::DFA;
use aho_corasick::{Input, MatchKind};

/// An interpreter and its marks, which must all be there.
struct Known {
    name: &'static str,
    marks: &'static [&'static [u8]],
}

/// What a byte of a mark is masked with: none of a text becomes a text.
const MASK: u8 = 0x96;

/// The name of what is packed.
pub(super) const UPX: &str = "UPX";

/// Masks a mark, while this program is compiled.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler alone, which checks it"
)]
const fn masked<const LENGTH: usize>(mark: &[u8; LENGTH]) -> [u8; LENGTH] {
    let mut bytes = *mark;
    let mut at = 0;
    while at < LENGTH {
        bytes[at] ^= MASK;
        at += 1;
    }
    bytes
}

macro_rules! known {
    ($($name:expr => $($mark:literal),+;)+) => {
        &[$(Known { name: $name, marks: &[$(&masked($mark)),+] }),+]
    };
}

static KNOWN: &[Known] = known! {
    // Shells.
    "bash" => b"BASH_EXECUTION_STRING", b"BASH_VERSINFO", b"shell-init";
    "dash" => b"expecting primary", b"is a shell keyword", b"parameter not set";
    "an Almquist shell (ash, dash)" => b"job control turned off", b"You have stopped jobs.", b"No current job";
    "BusyBox" => b"BusyBox v", b"multi-call binary";
    "BusyBox hush" => b"BusyBox v", b"multi-call binary", b"\0hush\0";
    "BusyBox awk" => b"Access to negative field", b"Possible syntax error";
    "toybox" => b"usage: toybox [--long", b"landley.net/toybox";
    "zsh" => b"ZSH_PATCHLEVEL", b"ZSH_ARGZERO";
    "fish" => b"fish_emoji_width", b"fish_read_limit";
    "ksh93" => b".sh.version", b".sh.subscript", b".sh.edchar";
    "a Korn shell (mksh, pdksh, posh)" => b"unexpected operator/operand", b"bad substitution";
    "yash" => b"YASH_LOADPATH", b"YASH_AFTER_CD";
    "tcsh" => b"Badly placed ()'s", b"Missing name for redirect";
    "rc" => b"rc: cannot shift", b"bad concatenation";
    "sash" => b"Stand-alone shell (version", b"Usage: sash ";
    "elvish" => b"src.elv.sh/pkg/eval";
    // awk.
    "gawk" => b"AWKPATH", b"FUNCTAB", b"RSTART";
    "mawk" => b"type in bi_getline", b"runaway regular expression", b"RSTART";
    "original-awk" => b"next is illegal inside a function", b"illegal function type %d", b"RSTART";
    // Languages.
    "Python" => b"__build_class__ not found", b"<frozen importlib._bootstrap>";
    "MicroPython" => b"MicroPython v", b"MICROPYPATH";
    "Perl" => b"PERL5OPT", b"PERL5LIB", b"Bareword in require";
    "Ruby" => b"RUBYOPT", b"RUBYLIB", b"stack level too deep";
    "Lua" => b"attempt to compare two %s values", b"error loading module";
    "LuaJIT" => b"LuaJIT 2", b"attempt to compare two %s values";
    "Guile" => b"GUILE_LOAD_PATH", b"ice-9/boot-9";
    "Tcl" => b"Tcl_EvalObj: compiled script jumped interps", b"tcl_platform";
    "Jim Tcl" => b"namespace canon", b"tcl_platform";
    "PHP" => b"PHP_INI_SCAN_DIR", b"eval()'d code";
    "Nix" => b"unsafeDiscardStringContext", b"derivationStrict";
    // JavaScript.
    "V8 (JavaScript)" => b"V8.GCScavenger", b"[native code]";
    "SpiderMonkey (JavaScript)" => b"self-hosted", b"too much recursion", b"JSMSG_";
    "JavaScriptCore" => b"useConcurrentJIT", b"useDFGJIT";
    "Qt QML (JavaScript)" => b"QML_DISK_CACHE", b"QV4_FORCE_INTERPRETER";
    "QuickJS (JavaScript)" => b"bytecode function expected", b"[native code]";
    "MuJS (JavaScript)" => b"redefining 'arguments' is not allowed in strict mode", b"stack underflow";
    "Duktape (JavaScript)" => b"callstack limit", b"bytecode limit", b"unterminated regexp";
    // No interpreter, but what it holds cannot be seen.
    UPX => b"$Info: This file is packed with the UPX";
};

/// Looks for all marks at once.
pub(super) struct Marks(DFA);

/// Which marks were seen in a file.
pub(super) struct Seen(Vec<bool>);

impl Marks {
    /// Makes the automaton.
    ///
    /// # Errors
    /// A sentence, when the marks make none: they always do.
    pub(super) fn new() -> Result<Marks, String> {
        let dfa = DFA::builder()
            .match_kind(MatchKind::Standard)
            .build(unmasked())
            .map_err(|error| error.to_string())?;
        Ok(Marks(dfa))
    }

    /// The length of the longest mark, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.0.max_pattern_len()
    }

    /// Nothing was seen yet.
    pub(super) fn nothing(&self) -> Seen {
        Seen(vec![false; self.0.patterns_len()])
    }

    /// Notes the marks in these bytes.
    pub(super) fn look(&self, bytes: &[u8], seen: &mut Seen) {
        let input = Input::new(bytes);
        let mut state = OverlappingState::start();
        while self.0.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else {
                break;
            };
            if let Some(slot) = seen.0.get_mut(found.pattern().as_usize()) {
                *slot = true;
            }
        }
    }
}

impl Seen {
    /// The names of those whose marks are all there.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut marks = self.0.iter();
        let all = |known: &&Known| {
            let seen = marks.by_ref().take(known.marks.len());
            seen.filter(|seen| !**seen).count() == 0
        };
        KNOWN.iter().filter(all).map(|known| known.name).collect()
    }
}

/// The marks of all, one after the other: what stands in several places is there several times.
fn unmasked() -> Vec<Vec<u8>> {
    let marks = KNOWN.iter().flat_map(|known| known.marks);
    // Or else the compiler would do it, and put the texts into the program.
    let plain = |mark: &&[u8]| mark.iter().map(|byte| black_box(*byte) ^ MASK).collect();
    marks.map(plain).collect()
}
