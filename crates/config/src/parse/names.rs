//! Names that are given and referred to.

use crate::mistake::{Place, Report};
use crate::section::mistake;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every name that is given to a service, well or not otherwise, and where.
pub(crate) type Names = BTreeMap<Arc<str>, Option<Place>>;

/// Reports a name that was there before.
pub(crate) fn report_repeated(
    earlier: Option<Option<Place>>,
    path: &str,
    name: &str,
    place: Option<Place>,
    report: &mut Report,
) {
    if let Some(first) = earlier {
        let line = first.map_or(0, |place| place.line);
        let what = format!("this name is given twice, first on line {line}");
        report.add(mistake(place, path, what, Some(name.to_owned()), None));
    }
}
