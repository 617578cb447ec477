//! The uptime as a person would say it.

/// Days, hours and minutes, such as ` 0:07`, `1 day, 13:20` or `12 days,  3:05`.
pub(super) fn format(seconds: u64) -> String {
    let minutes = seconds / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match days {
        0 => format!("{hours:2}:{minutes:02}"),
        1 => format!("1 day, {hours:2}:{minutes:02}"),
        days => format!("{days} days, {hours:2}:{minutes:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_said_from_the_first_on() {
        for (seconds, expected) in [
            (0, " 0:00"),
            (59, " 0:00"),
            (7 * 60, " 0:07"),
            (86_399, "23:59"),
            (86_400, "1 day,  0:00"),
            (134_400, "1 day, 13:20"),
            (12 * 86_400 + 3 * 3_600 + 300, "12 days,  3:05"),
        ] {
            assert_eq!(format(seconds), expected);
        }
    }
}
