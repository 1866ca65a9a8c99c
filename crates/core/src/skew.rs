//! How far a load is from level, in one number. For the admin API, the metrics and the demo; knows only figures.

/// The busiest endpoint's load over its fair share by weight: 1.0 is level, 2.0 is twice its share. Takes the weight
/// and the load of each endpoint. Endpoints of weight 0 have no fair share and are left out. 1.0 when there is no load.
#[must_use]
pub fn skew(loads: impl Iterator<Item = (u64, f64)>) -> f64 {
    let (mut weights, mut total, mut busiest) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (weight, load) in loads.filter(|(weight, _)| *weight > 0) {
        let weight = weight as f64;
        weights += weight;
        total += load;
        busiest = busiest.max(load / weight);
    }
    if total > 0.0 { busiest * weights / total } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(loads: &[(u64, f64)]) -> f64 {
        skew(loads.iter().copied())
    }

    #[test]
    fn nothing_is_level() {
        assert!((of(&[]) - 1.0).abs() < 1e-12);
        assert!((of(&[(1, 0.0), (2, 0.0)]) - 1.0).abs() < 1e-12);
        assert!((of(&[(0, 5.0)]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_of_five_that_carries_everything_has_five_times_its_share() {
        assert!((of(&[(1, 9.0), (1, 0.0), (1, 0.0), (1, 0.0), (1, 0.0)]) - 5.0).abs() < 1e-12);
    }

    #[test]
    fn load_in_proportion_to_weight_is_level() {
        assert!((of(&[(1, 10.0), (2, 20.0), (3, 30.0)]) - 1.0).abs() < 1e-12);
        assert!((of(&[(1, 20.0), (3, 20.0)]) - 2.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn no_load_is_more_level_than_level(loads in prop::collection::vec((0_u64..100, 0.0_f64..1e6), 0..50)) {
            prop_assert!(of(&loads) >= 1.0 - 1e-9);
        }
    }
}
