//! The points of IQ1, IQ2 and IQ3: constants of the formats. `grids/*.bin` has them packed
//! (`tests/data/iq_grids.py` says how), here they are a byte a value.

/// Points of eight values, of three levels.
pub(super) static EIGHTS_2_XXS: [u64; 256] =
    eights(include_bytes!("grids/iq2_xxs.bin"), [8, 25, 43]);
pub(super) static EIGHTS_2_XS: [u64; 512] = eights(include_bytes!("grids/iq2_xs.bin"), [8, 25, 43]);
pub(super) static EIGHTS_2_S: [u64; 1024] = eights(include_bytes!("grids/iq2_s.bin"), [8, 25, 43]);
/// Eight times -1, 0 or 1, plus 8.
pub(super) static EIGHTS_1: [u64; 2048] = eights(include_bytes!("grids/iq1_s.bin"), [0, 8, 16]);
/// Points of four values, of eight levels.
pub(super) static FOURS_XXS: [u32; 256] =
    fours(include_bytes!("grids/iq3_xxs.bin"), [4, 12, 20, 28, 36, 44, 52, 62]);
pub(super) static FOURS_S: [u32; 512] =
    fours(include_bytes!("grids/iq3_s.bin"), [1, 3, 5, 7, 9, 11, 13, 15]);

const fn eights<const N: usize>(packed: &[u8], levels: [u8; 3]) -> [u64; N] {
    assert!(packed.len() == 2 * N);
    let mut points = [0; N];
    let mut i = 0;
    while i < N {
        let bits = u16::from_le_bytes([packed[2 * i], packed[2 * i + 1]]);
        let mut k = 0;
        while k < 8 {
            points[i] |= (levels[(bits >> (2 * k) & 3) as usize] as u64) << (8 * k);
            k += 1;
        }
        i += 1;
    }
    points
}

const fn fours<const N: usize>(packed: &[u8], levels: [u8; 8]) -> [u32; N] {
    assert!(packed.len() == 2 * N);
    let mut points = [0; N];
    let mut i = 0;
    while i < N {
        let bits = u16::from_le_bytes([packed[2 * i], packed[2 * i + 1]]);
        let mut k = 0;
        while k < 4 {
            points[i] |= (levels[(bits >> (3 * k) & 7) as usize] as u32) << (8 * k);
            k += 1;
        }
        i += 1;
    }
    points
}
