//! What becomes of each file.

/// Files that are documents.
pub const GOOD: [&str; 20] = [
    "extensions-to-the-byte",
    "one-line",
    "v1-and-v2-initrd-secrets",
    "v1-and-v2-microcode",
    "v1-and-v2",
    "v1-child-upgraded",
    "v1-device-tree",
    "v1-extra-initrd",
    "v1-lanzaboote",
    "v1-nixpkgs-specialisations",
    "v1-nixpkgs",
    "v1-parameters",
    "v1-rfc-125",
    "v1-smallest",
    "v1-xen",
    "v2-rfc-165",
    "v2-smallest",
    "v2-specialisations",
    "v2-touchstone",
    "v3-beside",
];

/// Files that are none, and what is said about them.
pub const BAD: [(&str, &str); 53] = [
    (
        "byte-order-mark",
        "this is no usable JSON: expected value at line 1 column 1",
    ),
    (
        "child-with-another-v2",
        "org.nixos.specialisation.v1/board/org.nixos.bootspec.v1 and org.nixos.specialisation.v1/board/org.nixos.bootspec.v2 say different things about `init`: both describe the same generation",
    ),
    (
        "extension-list-in-specialisation",
        "the extension `org.nixos.specialisation.v1/rescue/org.example` is no object: every key beside the core is an extension, and every extension an object",
    ),
    (
        "extension-text",
        "the extension `org.example` is no object: every key beside the core is an extension, and every extension an object",
    ),
    (
        "extension-twice",
        "this is no usable JSON: the key `org.example` comes twice at line 1 column 589",
    ),
    (
        "init-with-a-space",
        "in org.nixos.bootspec.v1: the key `init` holds white space or a quote: it stands in the kernel's command line",
    ),
    (
        "key-twice-in-core",
        "this is no usable JSON: the key `label` comes twice at line 1 column 440",
    ),
    (
        "key-twice-in-extension",
        "this is no usable JSON: the key `a` comes twice at line 1 column 606",
    ),
    (
        "label-escape",
        "in org.nixos.bootspec.v1: the key `label` holds a control character (a NUL or a line break, say)",
    ),
    (
        "latin-1",
        "this is no usable JSON: invalid unicode code point at line 1 column 380",
    ),
    ("list", "an object is needed here"),
    (
        "lone-surrogate",
        "this is no usable JSON: unexpected end of hex escape at line 1 column 584",
    ),
    (
        "no-core",
        "the document has neither `org.nixos.bootspec.v1` nor `org.nixos.bootspec.v2`: it describes nothing to boot",
    ),
    (
        "null-core",
        "the key `org.nixos.bootspec.v1` is null: leave it out instead",
    ),
    (
        "null-devicetree",
        "in org.nixos.bootspec.v2: the key `devicetree` is null: leave it out instead",
    ),
    (
        "null-extension",
        "the extension `org.example` is no object: every key beside the core is an extension, and every extension an object",
    ),
    (
        "null-initrd",
        "in org.nixos.bootspec.v1: the key `initrd` is null: leave it out instead",
    ),
    (
        "null-specialisations",
        "the key `org.nixos.specialisation.v1` is null: leave it out instead",
    ),
    (
        "number-out-of-range",
        "this is no usable JSON: number out of range at line 1 column 583",
    ),
    (
        "parameter-init-hidden",
        "in org.nixos.bootspec.v2: `kernelParams` holds `init=`, which stands in the key `init` and is put in front by whoever boots the document",
    ),
    (
        "parameter-init",
        "in org.nixos.bootspec.v1: `kernelParams` holds `init=`, which stands in the key `init` and is put in front by whoever boots the document",
    ),
    (
        "parameter-line-break",
        "in org.nixos.bootspec.v1: the key `kernelParams` holds a control character (a NUL or a line break, say)",
    ),
    (
        "parameter-number",
        "in org.nixos.bootspec.v2: the key `kernelParams` should be a list of strings",
    ),
    (
        "parameters-as-text",
        "in org.nixos.bootspec.v1: the key `kernelParams` should be a list of strings",
    ),
    (
        "path-line-break",
        "in org.nixos.bootspec.v2: the key `initrds` holds a control character (a NUL or a line break, say)",
    ),
    (
        "path-of-a-profile",
        "in org.nixos.bootspec.v2: the key `init`: `/run/current-system` does not lie in /nix/store: name the store path itself, not a link to it",
    ),
    (
        "path-on-the-esp",
        "in org.nixos.bootspec.v1: the key `initrd`: `/boot/EFI/nixos` does not lie in /nix/store: name the store path itself, not a link to it",
    ),
    (
        "path-with-dots",
        "in org.nixos.bootspec.v2: the key `initrds`: `/nix/store/960qj84hk81xip44mydif5dwgj5cc4hj-initrd/../../../etc/shadow` is not canonical: it has an empty, `.` or `..` component or a NUL",
    ),
    (
        "path-without-hash",
        "in org.nixos.bootspec.v1: the key `kernel`: `/nix/store/xxx-linux` has no hash: 32 characters of Nix's base 32 and a `-` come before the name",
    ),
    (
        "relative-path",
        "in org.nixos.bootspec.v1: the key `kernel`: `bzImage` is a relative path: write the whole path, from /nix/store on",
    ),
    (
        "rfc-125-draft",
        "the document has neither `org.nixos.bootspec.v1` nor `org.nixos.bootspec.v2`: it describes nothing to boot",
    ),
    (
        "specialisation-missing-in-v2",
        "the specialisation `rescue` is missing in org.nixos.specialisation.v2, which the other version has",
    ),
    (
        "specialisation-name-empty",
        "in org.nixos.specialisation.v1: `` is no name for a specialisation: it cannot be empty, `.` or `..` or hold `/` or control characters",
    ),
    (
        "specialisation-name-slash",
        "in org.nixos.specialisation.v1: `../../etc` is no name for a specialisation: it cannot be empty, `.` or `..` or hold `/` or control characters",
    ),
    (
        "specialisation-of-the-other-version",
        "in org.nixos.specialisation.v2/rescue: the key `org.nixos.bootspec.v2` is missing",
    ),
    (
        "specialisation-v1-inside-v2",
        "in org.nixos.specialisation.v2/rescue: the key `org.nixos.bootspec.v1` does not belong here: v1 of this specialisation stands in `org.nixos.specialisation.v1`",
    ),
    (
        "specialisation-without-core",
        "in org.nixos.specialisation.v1/rescue: the key `org.nixos.bootspec.v1` is missing",
    ),
    (
        "specialisations-nested-v2",
        "in org.nixos.specialisation.v2/rescue: specialisations do not nest",
    ),
    (
        "specialisations-nested",
        "in org.nixos.specialisation.v1/rescue: specialisations do not nest",
    ),
    (
        "specialisations-without-core",
        "the document has `org.nixos.specialisation.v2` but no `org.nixos.bootspec.v2`",
    ),
    (
        "too-deep",
        "this is no usable JSON: recursion limit exceeded at line 1 column 702",
    ),
    (
        "toplevel-below-a-store-path",
        "in org.nixos.bootspec.v1: the key `toplevel`: `/nix/store/h9pb5m1paf0nlq8w8naandrcv11rp120-nixos-system-atlas-26.11.20261104.6b2d1f0/init` goes on below a store path where the store path itself is needed",
    ),
    (
        "trailing-comma",
        "this is no usable JSON: trailing comma at line 1 column 587",
    ),
    (
        "two-documents",
        "this is no usable JSON: trailing characters at line 2 column 1",
    ),
    (
        "v1-with-initrds",
        "in org.nixos.bootspec.v1: the key `initrds` is not known here: the object is closed",
    ),
    (
        "v1-with-specialisation-inside",
        "in org.nixos.bootspec.v1: the key `specialisation` is not known here: the object is closed",
    ),
    (
        "v1-without-system",
        "in org.nixos.bootspec.v1: the key `system` is missing",
    ),
    (
        "v2-with-initrd-secrets-program",
        "in org.nixos.bootspec.v2: the key `initrdSecrets` is not known here: the object is closed",
    ),
    (
        "v2-with-initrd",
        "in org.nixos.bootspec.v2: the key `initrd` is not known here: the object is closed",
    ),
    (
        "v2-without-initrds",
        "in org.nixos.bootspec.v2: the key `initrds` is missing",
    ),
    (
        "versions-of-different-initrds",
        "org.nixos.bootspec.v1 and org.nixos.bootspec.v2 say different things about `initrd`: both describe the same generation",
    ),
    (
        "versions-of-different-kernels",
        "org.nixos.bootspec.v1 and org.nixos.bootspec.v2 say different things about `kernel`: both describe the same generation",
    ),
    (
        "versions-of-different-parameters-in-a-specialisation",
        "org.nixos.specialisation.v1/rescue/org.nixos.bootspec.v1 and org.nixos.specialisation.v2/rescue/org.nixos.bootspec.v2 say different things about `kernelParams`: both describe the same generation",
    ),
];
