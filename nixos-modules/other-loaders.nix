# Which installers of boot loaders that are NixOS' own a configuration enables: no module, but a function of a configuration. (Of options
# that NixOS has removed, the value cannot be asked for: only what it has is.)
config:

builtins.filter (name: config.boot.loader.${name}.enable or false)
  [ "grub" "systemd-boot" "generic-extlinux-compatible" "limine" "refind" "external" ]
