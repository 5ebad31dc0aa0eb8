# What every NixOS system needs, besides what is claimed of it.
{
  fileSystems."/" = { device = "/dev/disk/by-label/root"; fsType = "ext4"; };
  system.stateVersion = "25.11";
}
