//! `/proc/net/stat/nf_conntrack`: what each processor has done with tracked connections.
//!
//! # References
//! conntrack(8), "-S"; the kernel's `net/netfilter/nf_conntrack_standalone.c`.

/// How many columns a line must have.
pub(super) const N_COLUMNS: usize = 17;

/// The fields, in the order of the columns. Newer kernels count other things in some columns.
pub(super) const FIELDS: [&str; N_COLUMNS] = [
    "entries",
    "searched",
    "found",
    "new",
    "invalid",
    "ignore",
    "delete",
    "delete_list",
    "insert",
    "insert_failed",
    "drop",
    "early_drop",
    "icmp_error",
    "expect_new",
    "expect_create",
    "expect_delete",
    "search_restart",
];

/// The columns of one processor, or sums of them.
pub(super) type Counts = [u32; N_COLUMNS];

/// Parses the lines of the processors; the head and lines of another length are passed over.
pub(super) fn parse(text: &str) -> Vec<Counts> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Counts> {
    let mut counts = [0; N_COLUMNS];
    let mut words = line.split_ascii_whitespace();
    for (column, count) in counts.iter_mut().enumerate() {
        let word = words.next()?;
        if column == 0 && word == FIELDS[0] {
            return None;
        }
        *count = hexadecimal(word);
    }
    words.next().is_none().then_some(counts)
}

/// A number too large is the largest, and what is none is zero: so Telegraf reads it.
fn hexadecimal(text: &str) -> u32 {
    match u32::from_str_radix(text, 16) {
        Ok(number) => number,
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => u32::MAX,
        Err(_) => 0,
    }
}

/// Adds up the counts of all processors; they wrap around as the kernel's do.
pub(super) fn sum(all: &[Counts]) -> Counts {
    let mut sum = [0_u32; N_COLUMNS];
    for counts in all {
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum = sum.wrapping_add(*count);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_seventeen_hexadecimal_numbers_are_processors() {
        let head = "entries searched found new invalid ignore delete delete_list insert \
                    insert_failed drop early_drop icmp_error expect_new expect_create \
                    expect_delete search_restart";
        let text = format!("{head}\n1 2 3 4 5 6 7 8 9 a b c d e f 10 11\n1 2 3\n");
        let found = parse(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0], std::array::from_fn(|column| column as u32 + 1));
        assert_eq!(parse(&format!("{} 5", "1 ".repeat(17))), [] as [Counts; 0]);
    }

    #[test]
    fn what_is_no_number_of_32_bits_is_made_one() {
        assert_eq!(hexadecimal("000001ff"), 0x1ff);
        assert_eq!(hexadecimal("1ffffffff"), u32::MAX);
        assert_eq!(hexadecimal("x"), 0);
    }

    #[test]
    fn sums_wrap_around() {
        let counts = [u32::MAX; N_COLUMNS];
        assert_eq!(sum(&[counts, [2; N_COLUMNS]]), [1; N_COLUMNS]);
        assert_eq!(sum(&[]), [0; N_COLUMNS]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(.|\n){0,200}") {
            parse(&text);
        }
    }
}
