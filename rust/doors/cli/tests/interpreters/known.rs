//! Which interpreters are in which files of Debian 13.

/// Files of the unpacked packages, and what is found in each.
pub const KNOWN: &[(&str, &[&str])] = &[
    ("usr/bin/dash", &["dash", ASH]),
    ("usr/bin/busybox", &[ASH, "BusyBox", "BusyBox awk"]),
    ("usr/bin/toybox", &["toybox"]),
    ("usr/bin/zsh-static", &["zsh"]),
    ("usr/bin/fish", &["fish"]),
    ("usr/bin/ksh93", &["ksh93"]),
    ("usr/bin/mksh", &[KSH]),
    ("usr/bin/lksh", &[KSH]),
    ("usr/lib/klibc/bin/mksh", &[KSH]),
    ("usr/lib/x86_64-linux-musl/bin/mksh", &[KSH]),
    ("usr/bin/posh", &[KSH]),
    ("usr/bin/tcsh", &["tcsh"]),
    ("usr/bin/rc.byron", &["rc"]),
    ("usr/bin/sash", &["sash"]),
    ("usr/bin/gawk", &["gawk"]),
    ("usr/bin/original-awk", &["original-awk"]),
    ("usr/lib/x86_64-linux-gnu/libpython3.13.so.1.0", &["Python"]),
    ("usr/bin/micropython", &["MicroPython"]),
    ("usr/lib/x86_64-linux-gnu/libruby-3.3.so.3.3", &["Ruby"]),
    ("usr/bin/lua5.1", &["Lua"]),
    ("usr/bin/lua5.4", &["Lua"]),
    ("usr/lib/x86_64-linux-gnu/liblua5.4.so.0", &["Lua"]),
    (
        "usr/lib/x86_64-linux-gnu/libluajit-5.1.so.2",
        &["Lua", "LuaJIT"],
    ),
    ("usr/lib/x86_64-linux-gnu/libguile-3.0.so.1", &["Guile"]),
    ("usr/lib/x86_64-linux-gnu/libtcl8.6.so", &["Tcl"]),
    ("usr/lib/x86_64-linux-gnu/libtcl9.0.so", &["Tcl"]),
    ("usr/lib/x86_64-linux-gnu/libjim.so.0.83", &["Jim Tcl"]),
    ("usr/bin/php8.4", &["PHP"]),
    (
        "usr/lib/x86_64-linux-gnu/libnode.so.115",
        &["V8 (JavaScript)"],
    ),
    (
        "usr/lib/x86_64-linux-gnu/libmozjs-128.so.0",
        &["SpiderMonkey (JavaScript)"],
    ),
    (
        "usr/lib/x86_64-linux-gnu/libjavascriptcoregtk-4.1.so.0",
        &["JavaScriptCore"],
    ),
    (
        "usr/lib/x86_64-linux-gnu/libQt6Qml.so.6",
        &["Qt QML (JavaScript)"],
    ),
    ("usr/bin/qjs", &["QuickJS (JavaScript)"]),
    ("usr/bin/mujs", &["MuJS (JavaScript)"]),
    (
        "usr/lib/x86_64-linux-gnu/libduktape.so.207",
        &["Duktape (JavaScript)"],
    ),
];

const ASH: &str = "an Almquist shell (ash, dash)";
const KSH: &str = "a Korn shell (mksh, pdksh, posh)";

/// What is found in the root in which the peers of the checks run, without numbers of versions at the end.
pub const OF_THE_ROOT: [(&str, &str); 7] = [
    ("bin/bash", "bash"),
    ("bin/bash-static", "bash"),
    ("bin/mawk", "mawk"),
    ("bin/nix", "Nix"),
    ("bin/perl", "Perl"),
    ("bin/python", "Python"),
    ("lib/x86_64-linux-gnu/libperl.so", "Perl"),
];
