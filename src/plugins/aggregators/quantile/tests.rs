//! Tests of quantiles; the numbers are those of `caio/go-tdigest` 3.1, bit by bit.

use super::*;

const SHARES: [f64; 8] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0];

/// The first `count` values of a kind: spread wide, of few different ones, or rising.
fn values(kind: &str, count: usize) -> Vec<f64> {
    let mut state = 42_u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    (0..count)
        .map(|at| match kind {
            "spread" => draw() as f64,
            "few" => (draw() % 10) as f64,
            _ => at as f64 * 0.5,
        })
        .collect()
}

#[test]
fn digests_give_the_numbers_of_telegraf() {
    for (kind, count, compression, expected) in [
        (
            "spread",
            1,
            100.0,
            [
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
                0x4162_2ef1_4000_0000,
            ],
        ),
        (
            "few",
            1,
            100.0,
            [
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4000_0000_0000_0000,
            ],
        ),
        (
            "rising",
            1,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
            ],
        ),
        (
            "spread",
            2,
            100.0,
            [
                0x414c_dbfc_0000_0000,
                0x414d_4c4d_5eb8_51ec,
                0x4153_e9f7_2000_0000,
                0x4159_65f0_4000_0000,
                0x415e_e1e9_6000_0000,
                0x4161_1625_d333_3334,
                0x4162_12dc_e851_eb85,
                0x4162_2ef1_4000_0000,
            ],
        ),
        (
            "few",
            2,
            100.0,
            [
                0x4000_0000_0000_0000,
                0x4000_7ae1_47ae_147b,
                0x400c_0000_0000_0000,
                0x4014_0000_0000_0000,
                0x401a_0000_0000_0000,
                0x401d_9999_9999_999a,
                0x401f_c28f_5c28_f5c2,
                0x4020_0000_0000_0000,
            ],
        ),
        (
            "rising",
            2,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x3f74_7ae1_47ae_147b,
                0x3fc0_0000_0000_0000,
                0x3fd0_0000_0000_0000,
                0x3fd8_0000_0000_0000,
                0x3fdc_cccc_cccc_cccd,
                0x3fdf_ae14_7ae1_47ae,
                0x3fe0_0000_0000_0000,
            ],
        ),
        (
            "spread",
            10,
            100.0,
            [
                0x4116_4874_0000_0000,
                0x4116_9024_147a_e148,
                0x412d_960d_8000_0000,
                0x4154_6cf7_a000_0000,
                0x4161_6de0_e800_0000,
                0x4164_54f9_c666_6666,
                0x4165_9f17_4d70_a3d7,
                0x4165_c3c5_4000_0000,
            ],
        ),
        (
            "few",
            10,
            100.0,
            [
                0x3ff0_0000_0000_0000,
                0x3ff1_70a3_d70a_3d71,
                0x4008_0000_0000_0000,
                0x4012_0000_0000_0000,
                0x401b_0000_0000_0000,
                0x4020_0000_0000_0000,
                0x4020_0000_0000_0000,
                0x4020_0000_0000_0000,
            ],
        ),
        (
            "rising",
            10,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x3fa7_0a3d_70a3_d70a,
                0x3ff2_0000_0000_0000,
                0x4002_0000_0000_0000,
                0x400b_0000_0000_0000,
                0x4010_3333_3333_3333,
                0x4011_d1eb_851e_b852,
                0x4012_0000_0000_0000,
            ],
        ),
        (
            "spread",
            100,
            100.0,
            [
                0x40da_45c0_0000_0000,
                0x4109_bea3_851e_b852,
                0x4150_ec15_f000_0000,
                0x415c_a778_6000_0000,
                0x4166_a673_2000_0000,
                0x416c_6fee_9666_6667,
                0x416f_22c5_8000_0000,
                0x416f_94b5_6000_0000,
            ],
        ),
        (
            "few",
            100,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x4008_0000_0000_0000,
                0x4010_0000_0000_0000,
                0x401c_0000_0000_0000,
                0x4020_3333_3333_3338,
                0x4022_0000_0000_0000,
                0x4022_0000_0000_0000,
            ],
        ),
        (
            "rising",
            100,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x3fdf_ae14_7ae1_47ae,
                0x4028_c000_0000_0000,
                0x4038_c000_0000_0000,
                0x4042_9000_0000_0000,
                0x4046_4666_6666_6667,
                0x4048_80a3_d70a_3d71,
                0x4048_c000_0000_0000,
            ],
        ),
        (
            "spread",
            5000,
            100.0,
            [
                0x40b1_7b00_0000_0000,
                0x4106_54e5_3333_3334,
                0x4150_3810_1f87_8788,
                0x415f_ce56_81a8_925e,
                0x4167_b5dd_8191_4c1c,
                0x416c_bef5_5abe_c991,
                0x416f_a061_03d7_0a3e,
                0x416f_fbc7_6000_0000,
            ],
        ),
        (
            "few",
            5000,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4010_0000_0000_0000,
                0x401c_0000_0000_0000,
                0x4021_5362_02ec_fba8,
                0x4022_0000_0000_0000,
                0x4022_0000_0000_0000,
            ],
        ),
        (
            "rising",
            5000,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x4038_feb8_51eb_851f,
                0x4083_8700_0000_0000,
                0x4093_895b_a14e_ba15,
                0x409d_4a80_0000_0000,
                0x40a1_9319_9999_999a,
                0x40a3_5502_8f5c_28f6,
                0x40a3_8700_0000_0000,
            ],
        ),
        (
            "spread",
            20000,
            100.0,
            [
                0x4078_3000_0000_0000,
                0x4105_4785_0e81_b4e8,
                0x414f_c715_fbec_ab58,
                0x4160_062e_3f72_68ed,
                0x4167_f93c_b633_98ce,
                0x416c_daf4_836c_3b59,
                0x416f_aac9_68da_740c,
                0x416f_ff99_6000_0000,
            ],
        ),
        (
            "few",
            20000,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4010_0000_0000_0000,
                0x401c_0000_0000_0000,
                0x4021_db60_0bf5_893a,
                0x4022_0000_0000_0000,
                0x4022_0000_0000_0000,
            ],
        ),
        (
            "rising",
            20000,
            100.0,
            [
                0x0000_0000_0000_0000,
                0x4058_ffae_147a_e148,
                0x40a3_87aa_bee3_9f12,
                0x40b3_87cd_6ba4_d103,
                0x40bd_4ba2_2d6c_a0bc,
                0x40c1_93f3_2116_a3b4,
                0x40c3_55c0_a3d7_0a3d,
                0x40c3_87c0_0000_0000,
            ],
        ),
        (
            "spread",
            5000,
            1.0,
            [
                0x40b1_7b00_0000_0000,
                0x4108_a812_09b5_ea12,
                0x4150_6903_d208_e3bd,
                0x4160_07b8_caa8_d117,
                0x4167_c35f_78bd_ac72,
                0x416c_a12b_dc81_f91e,
                0x416f_9e65_722b_4b87,
                0x416f_f36b_d821_aa04,
            ],
        ),
        (
            "few",
            5000,
            5.0,
            [
                0x0000_0000_0000_0000,
                0x0000_0000_0000_0000,
                0x4000_0000_0000_0000,
                0x4011_2cef_a8d9_df52,
                0x401c_0000_0000_0000,
                0x4020_a599_9999_999a,
                0x4022_0000_0000_0000,
                0x4022_0000_0000_0000,
            ],
        ),
        (
            "spread",
            20000,
            20.0,
            [
                0x4078_3000_0000_0000,
                0x4105_4f28_2ba7_9cd6,
                0x414f_d5a8_1a87_6514,
                0x4160_0825_93d1_0570,
                0x4167_f8db_1a64_1915,
                0x416c_d840_cc88_0453,
                0x416f_aad4_856e_0be0,
                0x416f_ff99_6000_0000,
            ],
        ),
    ] {
        let mut digest = Digest::new(compression);
        values(kind, count).into_iter().for_each(|value| digest.add(value));
        let found = SHARES.map(|share| digest.quantile(share).to_bits());
        assert_eq!(found, expected, "{kind} {count} {compression}");
    }
}

#[test]
fn exact_quantiles_interpolate() {
    let mut sorted = vec![4.0, 1.0, 3.0, 2.0, 10.0];
    exact::sort(&mut sorted);
    for (share, r7, r8) in [
        (0.0, 1.0, 1.0 - 2.0 / 3.0),
        (0.25, 2.0, 1.0 + 2.0 / 3.0),
        (0.5, 3.0, 3.0),
        (0.75, 4.0, 6.0),
        (1.0, 10.0, 10.0),
    ] {
        let found = exact::quantile(&sorted, share, Definition::R7);
        assert!((found - r7).abs() < 1e-12, "R7 {share}: {found}");
        let found = exact::quantile(&sorted, share, Definition::R8);
        assert!((found - r8).abs() < 1e-12, "R8 {share}: {found}");
    }
    assert_eq!(exact::quantile(&[7.0], 0.0, Definition::R8), 7.0);
    assert!(exact::quantile(&[], 0.5, Definition::R7).is_nan());
}

#[test]
fn wrong_settings_are_refused_with_a_reason() {
    let config = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Quantile::new(config, PluginLog::new("aggregators.quantile")).err().map(|e| e.to_string())
    };
    for (found, expected) in [
        (config(|c| c.algorithm = "x".into()), "unknown algorithm type \"x\""),
        (config(|c| c.compression = 0.5), "cannot create \"t-digest\" algorithm"),
        (config(|c| c.quantiles = vec![0.5, 1.5]), "quantile 1.5 out of range"),
        (config(|c| c.quantiles = vec![0.5, 0.5]), "duplicate quantile 0.5"),
    ] {
        assert!(found.as_deref().is_some_and(|found| found.starts_with(expected)), "{found:?}");
    }
    assert_eq!(config(|c| c.quantiles.clear()), None);
}
