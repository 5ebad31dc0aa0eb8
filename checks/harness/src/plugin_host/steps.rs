//! What is done to Debian's source package, and how it is configured. With the steps in [`super::build`] it is the recipe, which is part
//! of the key of what it makes.

/// The steps, as they are written: when they change, what they made is made again.
const STEPS: &str = include_str!("build.rs");

/// A change to one file of the source package.
pub(super) struct Edit {
    /// Where, from the sources' folder.
    pub file: &'static str,
    /// Text that stands there.
    pub from: &'static str,
    /// What takes its place, everywhere.
    pub to: &'static str,
}

/// Several sources are compiled at once, which takes a quarter of the time. These edits let them: headers that are not protected from
/// being read twice are read first, functions of one name in two files get two names, and what bison and flex make is compiled alone.
pub(super) const EDITS: [Edit; 7] = [
    Edit {
        file: "src/libstore/meson.build",
        from: "'-include', 'config-store.hh',\n",
        to: "'-include', 'config-store.hh',\n  '-include', 'json-utils.hh',\n",
    },
    Edit {
        file: "src/nix/meson.build",
        from: "'-include', 'config-nix-cli.hh',\n",
        to: "'-include', 'config-nix-cli.hh',\n  '-include', 'util.hh',\n",
    },
    Edit {
        file: "src/nix-store/graphml.cc",
        from: "makeEdge",
        to: "makeGraphmlEdge",
    },
    Edit {
        file: "src/nix-store/graphml.cc",
        from: "makeNode",
        to: "makeGraphmlNode",
    },
    Edit {
        file: "src/libexpr/meson.build",
        from: "this_library = library(\n  'nixexpr',\n",
        to: "grammar = static_library('nixgrammar', parser_tab, lexer_tab, pic : true, override_options : ['unity=off'],\n  \
             dependencies : deps_public + deps_private + deps_other)\n\n\
             this_library = library(\n  'nixexpr',\n",
    },
    Edit {
        file: "src/libexpr/meson.build",
        from: "  sources,\n  parser_tab,\n  lexer_tab,\n",
        to: "  sources,\n  parser_tab[1],\n  lexer_tab[1],\n",
    },
    Edit {
        file: "src/libexpr/meson.build",
        from: "  prelink : true,",
        to: "  link_whole : grammar,\n  prelink : true,",
    },
];

/// How it is configured, beside where it goes: shared libraries, without what only people need, compiled in the shortest time.
pub(super) const OPTIONS: [&str; 15] = [
    "--libdir=lib",
    "--sysconfdir=/etc",
    "--localstatedir=/nix/var",
    "--buildtype=plain",
    "-Doptimization=0",
    "--unity=on",
    "--unity-size=10",
    "-Ddefault_library=shared",
    "-Ddoc-gen=false",
    "-Dbindings=false",
    "-Dunit-tests=false",
    "-Dlibcmd:readline-flavor=readline",
    "-Dlibexpr:gc=enabled",
    "-Dlibstore:sandbox-shell=/usr/bin/bash-static",
    "-Dnix:profile-dir=etc/profile.d",
];

/// All that what is made depends on, beside packages.
pub(crate) fn recipe() -> Vec<&'static str> {
    let mut words = vec![STEPS, super::PREFIX];
    words.extend(
        EDITS
            .iter()
            .flat_map(|edit| [edit.file, edit.from, edit.to]),
    );
    words.extend(OPTIONS);
    words
}
