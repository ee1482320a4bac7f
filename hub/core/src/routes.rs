//! Which province a case belongs to: that of the issuing authority. Never the ID number's.

use std::collections::{BTreeMap, BTreeSet};

use events::case::RouteReason;
use events::ids::{DivisionCode, ProvinceCode};
use events::vocabulary::IssuingAuthority;

use crate::refusal::Refusal;

/// The table: current divisions, retired ones with their successors, and listed authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// Every code in use.
    pub current: BTreeSet<DivisionCode>,
    /// Retired codes and the codes that took over, maybe in another province.
    pub retired: BTreeMap<DivisionCode, Vec<DivisionCode>>,
    /// Authorities by their own code or exact name: for those without a division code (长白山管委会).
    pub listed: BTreeMap<String, ProvinceCode>,
}

impl Routes {
    /// The province of `authority`, and which rule chose it: the list, then its division code.
    pub fn province_of(
        &self,
        authority: &IssuingAuthority,
    ) -> Result<(ProvinceCode, RouteReason), Refusal> {
        let own_names = authority.code.iter().chain([&authority.name]);
        for name in own_names {
            if let Some(province) = self.listed.get(name) {
                return Ok((*province, RouteReason::AuthorityListed { authority: name.clone() }));
            }
        }
        let division = authority.division.ok_or(Refusal::UnknownAuthority)?;
        self.province_of_division(division)
    }

    /// The province in which `division` lies now. A code that was retired and given out again
    /// counts as current.
    pub fn province_of_division(
        &self,
        division: DivisionCode,
    ) -> Result<(ProvinceCode, RouteReason), Refusal> {
        if self.current.contains(&division) {
            return Ok((connected(division)?, RouteReason::Division { division }));
        }
        let successors = self.successors_in_use(division);
        // A code that went to two provinces says nothing about where the file is.
        let mut agreed: Option<(ProvinceCode, DivisionCode)> = None;
        for successor in successors {
            let province = connected(successor)?;
            match agreed {
                Some((other, _)) if other != province => return Err(Refusal::UnknownDivision),
                Some(_) => {}
                None => agreed = Some((province, successor)),
            }
        }
        let (province, successor) = agreed.ok_or(Refusal::UnknownDivision)?;
        Ok((province, RouteReason::RetiredDivision { division, successor }))
    }

    /// The codes in use that a retired one became, through any number of steps. A renaming that
    /// leads back to its own code ends there.
    fn successors_in_use(&self, division: DivisionCode) -> BTreeSet<DivisionCode> {
        let mut in_use = BTreeSet::new();
        let mut seen = BTreeSet::from([division]);
        let mut open = vec![division];
        while let Some(code) = open.pop() {
            for successor in self.retired.get(&code).into_iter().flatten().copied() {
                if self.current.contains(&successor) {
                    in_use.insert(successor);
                } else if seen.insert(successor) {
                    open.push(successor);
                }
            }
        }
        in_use
    }
}

/// The connected unit a division lies in; Hong Kong, Macau and Taiwan are not connected.
fn connected(division: DivisionCode) -> Result<ProvinceCode, Refusal> {
    ProvinceCode::new(division.province_part()).ok_or(Refusal::UnknownDivision)
}
