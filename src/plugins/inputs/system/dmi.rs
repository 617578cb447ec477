//! What the firmware says the machine is.
//!
//! # References
//! The kernel's `Documentation/ABI/testing/sysfs-firmware-dmi-tables`; SMBIOS 3, table 17, for the
//! types of chassis, whose wording is that of the library that Telegraf uses.

use crate::metric::Field;
use crate::system::{Host, Root};

/// Fields with the files that they are read from.
const FIELDS: [(&str, &str); 20] = [
    ("bios_vendor", "bios_vendor"),
    ("bios_version", "bios_version"),
    ("bios_date", "bios_date"),
    ("board_vendor", "board_vendor"),
    ("board_product", "board_name"),
    ("board_version", "board_version"),
    ("board_serial", "board_serial"),
    ("board_asset_tag", "board_asset_tag"),
    ("chassis_vendor", "chassis_vendor"),
    ("chassis_type_code", CHASSIS_TYPE),
    ("chassis_version", "chassis_version"),
    ("chassis_serial", "chassis_serial"),
    ("chassis_asset_tag", "chassis_asset_tag"),
    ("product_vendor", "sys_vendor"),
    ("product_name", "product_name"),
    ("product_family", "product_family"),
    ("product_version", "product_version"),
    ("product_serial", "product_serial"),
    ("product_sku", "product_sku"),
    ("product_uuid", "product_uuid"),
];

const CHASSIS_TYPE: &str = "chassis_type";

/// What stands for what the firmware does not tell, or tells the superuser only.
const UNKNOWN: &str = "unknown";

/// The types of chassis, from 1 on.
const CHASSIS_TYPES: [&str; 36] = [
    "Other",
    "Unknown",
    "Desktop",
    "Low profile desktop",
    "Pizza box",
    "Mini tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand held",
    "Docking station",
    "All in one",
    "Sub notebook",
    "Space-saving",
    "Lunch box",
    "Main server chassis",
    "Expansion chassis",
    "SubChassis",
    "Bus Expansion chassis",
    "Peripheral chassis",
    "RAID chassis",
    "Rack mount chassis",
    "Sealed-case PC",
    "Multi-system chassis",
    "Compact PCI",
    "Advanced TCA",
    "Blade",
    "Blade enclosure",
    "Tablet",
    "Convertible",
    "Detachable",
    "IoT gateway",
    "Embedded PC",
    "Mini PC",
    "Stick PC",
];

/// Reads all of it; there always is a value.
pub(super) fn read(host: &Host) -> Vec<Field> {
    let mut fields = Vec::with_capacity(FIELDS.len() + 1);
    let mut buffer = Vec::new();
    for (name, file) in FIELDS {
        let read = host.read(Root::Sys, format!("class/dmi/id/{file}"), &mut buffer);
        let text = String::from_utf8_lossy(&buffer);
        let text = read.map_or(UNKNOWN, |()| text.trim());
        fields.push(super::field(name, text));
        if file == CHASSIS_TYPE {
            fields.push(super::field("chassis_type", chassis_type(text)));
        }
    }
    fields
}

fn chassis_type(code: &str) -> &'static str {
    // Only the plain spelling of a number is one.
    let number: Option<usize> = code.parse().ok().filter(|number| code == format!("{number}"));
    number
        .and_then(|number| number.checked_sub(1))
        .and_then(|index| CHASSIS_TYPES.get(index))
        .copied()
        .unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_chassis_are_counted_from_one() {
        for (code, expected) in [
            ("1", "Other"),
            ("23", "Rack mount chassis"),
            ("36", "Stick PC"),
            ("37", "unknown"),
            ("0", "unknown"),
            ("01", "unknown"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(chassis_type(code), expected);
        }
    }
}
