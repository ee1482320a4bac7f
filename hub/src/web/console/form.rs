//! A posted form: bounded, from our own page, and then as its handler wants it.

use axum::body::Body;
use axum::extract::{Form, FromRequest, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::shell::Refused;
use super::{Visitor, Who};
use crate::listen::whole_body;
use crate::problem::Problem;

/// Who posted it, and what.
pub(super) struct Posted<T>(pub(super) Visitor, pub(super) T);

#[derive(Deserialize)]
struct Mark {
    #[serde(default)]
    mark: String,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Posted<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let visitor = visitor.expect("every page lies behind the door, and the door knows who");
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        match read(whole, parts, state, &visitor).await {
            Ok(form) => Ok(Self(visitor, form)),
            Err(problem) => Err(Refused(visitor, problem)),
        }
    }
}

async fn read<S: Send + Sync, T: DeserializeOwned>(
    request: Request,
    parts: axum::http::request::Parts,
    state: &S,
    visitor: &Visitor,
) -> Result<T, Problem> {
    let body = whole_body(request).await?;
    let again = || Request::from_parts(parts.clone(), Body::from(body.clone()));
    let unusable = || Problem::new("bad-parameter").detail("the form");
    let Form(Mark { mark }) = Form::from_request(again(), state).await.map_err(|_| unusable())?;
    if let Who::Known(..) = visitor.who {
        let wanted = visitor.form_mark();
        if !bool::from(mark.as_bytes().ct_eq(wanted.as_bytes())) {
            return Err(Problem::new("forbidden").detail("the form is not from this session"));
        }
    }
    let Form(form) = Form::from_request(again(), state).await.map_err(|_| unusable())?;
    Ok(form)
}
