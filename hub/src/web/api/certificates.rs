//! A certificate of conformance is handed in: who signed it, for whom, until when; then it is on record.

use axum::extract::{Path, Request, State};
use events::certificate::{CertificateError, SignedCertificate};
use events::province::AdapterCertified;
use hub_core::province::ProvinceCommand;

use super::admin::{Answered, code, read, record};
use crate::problem::Problem;
use crate::registrar::What;
use crate::web::Rooms;

pub(crate) async fn certify(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<SignedCertificate>(&rooms, request).await?;
    let province = code(&province)?;
    let file = serde_json::to_vec(&body).expect("two texts always serialize");
    let trusted = |key_id: &str| rooms.membership.test_centre(key_id);
    let certificate = SignedCertificate::open(&file, trusted).map_err(refused)?;
    if certificate.province != province {
        return Err(Problem::at("certificate-other-province", "/certificate"));
    }
    if certificate.expires_at <= rooms.clock.now() {
        return Err(Problem::at("certificate-expired", "/certificate"));
    }
    let command = ProvinceCommand::Certify(AdapterCertified {
        adapter_version: certificate.adapter_version,
        kit_version: certificate.kit_version,
        result_digest: certificate.result_digest,
        expires_at: certificate.expires_at,
    });
    record(&rooms, &caller, vec![What::Province { province, command }]).await
}

fn refused(why: CertificateError) -> Problem {
    let pointer = match why {
        CertificateError::Unreadable => "/certificate",
        CertificateError::SelfTested
        | CertificateError::UntrustedKey
        | CertificateError::DoesNotFit => "/signature",
    };
    Problem::at(why.code(), pointer)
}
