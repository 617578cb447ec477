//! The sine as Go computes it.
//!
//! The last digits of a sine depend on how it is computed, and they are what a comparison of two
//! agents shows. Go uses the method of the Cephes library, libm another.
//!
//! # References
//! S. L. Moshier, Cephes Mathematical Library 2.8, `sin.c`.

use std::f64::consts::PI;

/// From here on Go reduces the argument with more digits of π, which libm does as well.
const LARGE: f64 = (1_u64 << 29) as f64;

/// π/4 in three parts, so that multiples of the first two are exact.
const QUARTER_PI: [f64; 3] =
    [7.853_981_256_484_985e-1, 3.774_894_707_930_798e-8, 2.695_151_429_079_059_5e-15];

const SINE: [f64; 6] = [
    1.589_623_015_765_465_7e-10,
    -2.505_074_776_285_780_7e-8,
    2.755_731_362_138_572_3e-6,
    -1.984_126_982_958_954e-4,
    8.333_333_333_322_118e-3,
    -1.666_666_666_666_663e-1,
];

const COSINE: [f64; 6] = [
    -1.135_853_652_138_768_2e-11,
    2.087_570_084_197_473e-9,
    -2.755_731_417_929_674e-7,
    2.480_158_728_885_170_5e-5,
    -1.388_888_888_887_305_6e-3,
    4.166_666_666_666_659e-2,
];

/// The sine of an angle in radians.
pub(super) fn sine(angle: f64) -> f64 {
    let x = angle.abs();
    // Also where it is no number.
    if !(x > 0.0 && x < LARGE) {
        return angle.sin();
    }
    // The octant, with odd ones joined to the next so that the rest lies around zero.
    let octant = (x * (4.0 / PI)) as u64;
    let octant = octant + (octant & 1);
    let n = octant as f64;
    let z = ((x - n * QUARTER_PI[0]) - n * QUARTER_PI[1]) - n * QUARTER_PI[2];
    let zz = z * z;
    let value = match octant & 3 {
        2 => 1.0 - 0.5 * zz + zz * zz * polynomial(&COSINE, zz),
        _ => z + z * zz * polynomial(&SINE, zz),
    };
    let is_mirrored = (octant & 7 > 3) != (angle < 0.0);
    if is_mirrored { -value } else { value }
}

fn polynomial(coefficients: &[f64; 6], x: f64) -> f64 {
    coefficients[1..].iter().fold(coefficients[0], |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn last_digits_are_those_of_go() {
        for (angle, expected) in [
            (0.0, 0.0),
            (PI, 1.224_646_799_147_351_5e-16),
            (PI / 2.0, 1.0),
            (-PI / 2.0, -1.0),
            (1.0, 0.841_470_984_807_896_5),
        ] {
            assert_eq!(sine(angle), expected, "{angle}");
        }
        assert!(sine(f64::NAN).is_nan());
        assert!(sine(f64::INFINITY).is_nan());
    }

    proptest! {
        #[test]
        fn it_is_a_sine(angle in -1e6..1e6) {
            prop_assert!((sine(angle) - angle.sin()).abs() < 1e-12);
        }
    }
}
