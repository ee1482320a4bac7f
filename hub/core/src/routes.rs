//! Which province a case belongs to: that of the issuing authority. Never the ID number's.

use std::collections::BTreeMap;

use events::case::RouteReason;
use events::ids::{DivisionCode, ProvinceCode};
use events::vocabulary::IssuingAuthority;

use crate::refusal::Refusal;

/// The table: current divisions, retired ones with their successors, and listed authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// Every code in use.
    pub current: std::collections::BTreeSet<DivisionCode>,
    /// Retired codes and the codes that took over, maybe in another province.
    pub retired: BTreeMap<DivisionCode, Vec<DivisionCode>>,
    /// Authorities by their own code or exact name: for those without a division code (长白山管委会).
    pub listed: BTreeMap<String, ProvinceCode>,
}

impl Routes {
    /// The province of `authority`, and which rule chose it.
    pub fn province_of(
        &self,
        authority: &IssuingAuthority,
    ) -> Result<(ProvinceCode, RouteReason), Refusal> {
        let _ = authority;
        todo!()
    }
}
