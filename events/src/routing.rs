//! Which rule chose the province of a case, as its event tells it.

use serde::{Deserialize, Serialize};

use crate::ids::{DivisionCode, ProvinceCode};

/// Which rule chose the province.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum RouteReason {
    /// The authority list names the province of this authority.
    AuthorityListed {
        /// The list's entry.
        authority: String,
    },
    /// The authority's division code lies in the province.
    Division {
        /// The code.
        division: DivisionCode,
    },
    /// The code is retired; its successor lies in the province, maybe another one than the code says.
    RetiredDivision {
        /// The retired code.
        division: DivisionCode,
        /// Where it went.
        successor: DivisionCode,
    },
    /// A province returned it and named the authority that keeps the file now.
    ReturnedTo {
        /// Who returned it.
        by: ProvinceCode,
        /// The division that it named.
        division: DivisionCode,
    },
    /// An operator decided.
    Operator {
        /// Who.
        operator: String,
    },
}
