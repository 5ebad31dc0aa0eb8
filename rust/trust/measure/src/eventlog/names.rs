//! Numbers of events and their names: TCG PC Client Platform Firmware Profile, table "Events".

/// The types of events.
pub(super) mod event {
    pub const POST_CODE: u32 = 0x1;
    pub const NO_ACTION: u32 = 0x3;
    pub const SEPARATOR: u32 = 0x4;
    pub const ACTION: u32 = 0x5;
    pub const EVENT_TAG: u32 = 0x6;
    pub const S_CRTM_VERSION: u32 = 0x8;
    pub const IPL: u32 = 0xd;
    pub const OMIT_BOOT_DEVICE_EVENTS: u32 = 0x12;
    pub const VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
    pub const VARIABLE_BOOT: u32 = 0x8000_0002;
    pub const BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
    pub const RUNTIME_SERVICES_DRIVER: u32 = 0x8000_0005;
    pub const GPT: u32 = 0x8000_0006;
    pub const EFI_ACTION: u32 = 0x8000_0007;
    pub const FIRMWARE_BLOB: u32 = 0x8000_0008;
    pub const HANDOFF_TABLES: u32 = 0x8000_0009;
    pub const FIRMWARE_BLOB2: u32 = 0x8000_000a;
    pub const HANDOFF_TABLES2: u32 = 0x8000_000b;
    pub const VARIABLE_BOOT2: u32 = 0x8000_000c;
    pub const GPT2: u32 = 0x8000_000d;
    pub const HCRTM: u32 = 0x8000_0010;
    pub const VARIABLE_AUTHORITY: u32 = 0x8000_00e0;
    pub const SPDM_FIRMWARE_BLOB: u32 = 0x8000_00e1;
    pub const SPDM_FIRMWARE_CONFIG: u32 = 0x8000_00e2;
    pub const SPDM_DEVICE_POLICY: u32 = 0x8000_00e3;
    pub const SPDM_DEVICE_AUTHORITY: u32 = 0x8000_00e4;
}

/// The name of a type of event.
pub(super) fn of(event_type: u32) -> Option<&'static str> {
    Some(match event_type {
        0x0 => "EV_PREBOOT_CERT",
        event::POST_CODE => "EV_POST_CODE",
        0x2 => "EV_UNUSED",
        event::NO_ACTION => "EV_NO_ACTION",
        event::SEPARATOR => "EV_SEPARATOR",
        event::ACTION => "EV_ACTION",
        event::EVENT_TAG => "EV_EVENT_TAG",
        0x7 => "EV_S_CRTM_CONTENTS",
        event::S_CRTM_VERSION => "EV_S_CRTM_VERSION",
        0x9 => "EV_CPU_MICROCODE",
        0xa => "EV_PLATFORM_CONFIG_FLAGS",
        0xb => "EV_TABLE_OF_DEVICES",
        0xc => "EV_COMPACT_HASH",
        event::IPL => "EV_IPL",
        0xe => "EV_IPL_PARTITION_DATA",
        0xf => "EV_NONHOST_CODE",
        0x10 => "EV_NONHOST_CONFIG",
        0x11 => "EV_NONHOST_INFO",
        event::OMIT_BOOT_DEVICE_EVENTS => "EV_OMIT_BOOT_DEVICE_EVENTS",
        0x13 => "EV_POST_CODE2",
        event::VARIABLE_DRIVER_CONFIG => "EV_EFI_VARIABLE_DRIVER_CONFIG",
        event::VARIABLE_BOOT => "EV_EFI_VARIABLE_BOOT",
        event::BOOT_SERVICES_APPLICATION => "EV_EFI_BOOT_SERVICES_APPLICATION",
        0x8000_0004 => "EV_EFI_BOOT_SERVICES_DRIVER",
        event::RUNTIME_SERVICES_DRIVER => "EV_EFI_RUNTIME_SERVICES_DRIVER",
        event::GPT => "EV_EFI_GPT_EVENT",
        event::EFI_ACTION => "EV_EFI_ACTION",
        event::FIRMWARE_BLOB => "EV_EFI_PLATFORM_FIRMWARE_BLOB",
        event::HANDOFF_TABLES => "EV_EFI_HANDOFF_TABLES",
        event::FIRMWARE_BLOB2 => "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
        event::HANDOFF_TABLES2 => "EV_EFI_HANDOFF_TABLES2",
        event::VARIABLE_BOOT2 => "EV_EFI_VARIABLE_BOOT2",
        event::GPT2 => "EV_EFI_GPT_EVENT2",
        event::HCRTM => "EV_EFI_HCRTM_EVENT",
        event::VARIABLE_AUTHORITY => "EV_EFI_VARIABLE_AUTHORITY",
        event::SPDM_FIRMWARE_BLOB => "EV_EFI_SPDM_FIRMWARE_BLOB",
        event::SPDM_FIRMWARE_CONFIG => "EV_EFI_SPDM_FIRMWARE_CONFIG",
        event::SPDM_DEVICE_POLICY => "EV_EFI_SPDM_DEVICE_POLICY",
        event::SPDM_DEVICE_AUTHORITY => "EV_EFI_SPDM_DEVICE_AUTHORITY",
        _ => return None,
    })
}

/// What a tagged event (`TCG_PCClientTaggedEvent`) is about, for the tags of Linux and systemd.
pub(super) fn tag(id: u32) -> Option<&'static str> {
    Some(match id {
        0x8f3b_22ec => "the initrd that the kernel loaded",
        0x8f3b_22ed => "the kernel's command line",
        0xf5bc_582a => "loader.conf",
        0x6c46_f751 => "a device tree addon",
        0x49df_fe0f => "an initrd addon",
        0xdac0_8e1a => "a microcode addon",
        0x13ae_d6db => "the UKI's profile",
        _ => return None,
    })
}
