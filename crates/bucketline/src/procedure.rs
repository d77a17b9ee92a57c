//! The procedures that EXEC calls. They sign in by OAuth for the current connection; what they get is in their
//! result and nowhere else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bucketline_core::code::session as code;
use bucketline_engine::{ParameterFact, ProcedureFact};
use bucketline_rest::{OAuth, Tokens};
use bucketline_sql::{Argument, Execute, nearest};
use secrecy::{ExposeSecret, SecretString};

use crate::connection::Account;
use crate::statement::{defect, texts};
use crate::{Error, Result, Session};

/// How long a procedure waits for the user in the browser.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// A procedure: its name, its inputs and the columns of its result, each with a line about it.
struct Procedure {
    name: &'static str,
    doc: &'static str,
    inputs: &'static [(&'static str, &'static str)],
    outputs: &'static [(&'static str, &'static str)],
}

const CALLBACK: (&str, &str) = (
    "CallbackUrl",
    "where the browser comes back to; the connection's by default",
);
const STATE: (&str, &str) = ("State", "a text that comes back with the browser");
const MODE: (&str, &str) = (
    "AuthMode",
    "APP opens a browser here, WEB takes the Verifier that a browser came back with",
);
const TOKENS: &[(&str, &str)] = &[
    ("OAuthAccessToken", "the access token"),
    ("OAuthRefreshToken", "the refresh token, if there is one"),
    (
        EXPIRES_IN,
        "seconds that the access token lasts; -1 if that is not known",
    ),
];
const EXPIRES_IN: &str = "ExpiresIn";

const AUTHORIZATION_URL: Procedure = Procedure {
    name: "GetOAuthAuthorizationURL",
    doc: "The page on which a user allows the access.",
    inputs: &[
        CALLBACK,
        (
            "Scope",
            "the scopes to ask for; the connection's by default",
        ),
        STATE,
    ],
    outputs: &[("URL", "the page's address")],
};
const ACCESS_TOKEN: Procedure = Procedure {
    name: "GetOAuthAccessToken",
    doc: "Tokens for an access that a user allowed.",
    inputs: &[
        MODE,
        CALLBACK,
        STATE,
        (
            "Verifier",
            "the code that the browser came back with; needed with WEB",
        ),
    ],
    outputs: TOKENS,
};
const REFRESH: Procedure = Procedure {
    name: "RefreshOAuthAccessToken",
    doc: "New tokens for a refresh token.",
    inputs: &[(REFRESH_TOKEN, "the refresh token")],
    outputs: TOKENS,
};
const REFRESH_TOKEN: &str = "OAuthRefreshToken";
const PROCEDURES: [&Procedure; 3] = [&AUTHORIZATION_URL, &ACCESS_TOKEN, &REFRESH];

/// The procedures, for the system tables.
pub(crate) fn facts() -> Vec<ProcedureFact> {
    let procedure = |procedure: &Procedure| {
        let parameter = |(name, doc): &(&str, &str), is_output| ParameterFact {
            name: (*name).to_owned(),
            doc: (*doc).to_owned(),
            is_output,
            is_number: is_output && *name == EXPIRES_IN,
            is_required: !is_output && *name == REFRESH_TOKEN,
            values: match *name {
                name if name == MODE.0 => vec!["APP".to_owned(), "WEB".to_owned()],
                _ => Vec::new(),
            },
        };
        let inputs = procedure.inputs.iter().map(|input| parameter(input, false));
        let outputs = procedure
            .outputs
            .iter()
            .map(|output| parameter(output, true));
        ProcedureFact {
            name: procedure.name.to_owned(),
            doc: procedure.doc.to_owned(),
            parameters: inputs.chain(outputs).collect(),
        }
    };
    PROCEDURES.map(procedure).into()
}

/// Calls a procedure; its one row.
pub(crate) async fn call(session: &Session, execute: &Execute) -> Result<RecordBatch> {
    let named = &execute.procedure.last().text;
    let procedure = PROCEDURES
        .into_iter()
        .find(|procedure| procedure.name.eq_ignore_ascii_case(named))
        .ok_or_else(|| {
            let names = PROCEDURES.map(|procedure| procedure.name);
            Error::new(
                code::UNKNOWN_PROCEDURE,
                format!("there is no procedure {named}"),
            )
            .with_hint(match nearest(named, names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the procedures are {}", names.join(", ")),
            })
            .or_at(execute.procedure.span())
        })?;
    let inputs = Inputs::of(procedure, &execute.arguments)?;
    let required = match procedure.name {
        name if name == REFRESH.name => Some(REFRESH_TOKEN),
        name if name == ACCESS_TOKEN.name && inputs.is_web()? => Some("Verifier"),
        _ => None,
    };
    let required = required.map(|name| inputs.required(name)).transpose()?;
    let (account, oauth) = signed_in_by(session)?;
    let callback = inputs.get("CallbackUrl").unwrap_or(account.callback());
    if procedure.name == AUTHORIZATION_URL.name {
        let scopes = inputs.get("Scope").map(|scopes| {
            let scopes = scopes.split([' ', ',']).filter(|scope| !scope.is_empty());
            scopes.map(str::to_owned).collect::<Vec<_>>()
        });
        let scopes = scopes.unwrap_or_else(|| oauth.scopes().to_vec());
        let state = inputs.get("State").unwrap_or_default();
        let url = oauth.authorization_url(callback, state, &scopes)?;
        return texts([("URL", vec![url.to_string()])]);
    }
    let tokens = match required.map(SecretString::from) {
        Some(token) if procedure.name == REFRESH.name => oauth.refresh(&token).await?,
        Some(code) => oauth.exchange(&code, callback).await?,
        None => {
            inputs.fit_app(&account)?;
            let opener = session.opener.as_ref().ok_or_else(|| {
                Error::new(code::SIGN_IN, "no browser can be opened here").with_hint(
                    "`bucketline connect` signs in, also from another machine; @AuthMode = 'WEB' takes a @Verifier",
                )
            })?;
            oauth.sign_in(&**opener, PATIENCE).await?
        }
    };
    row(&tokens)
}

/// What signs the current connection in.
fn signed_in_by(session: &Session) -> Result<(Arc<Account>, OAuth)> {
    let (name, _) = session.current();
    let (_, connection) = session.connection(&name)?;
    let otherwise = || {
        Error::new(
            code::SIGN_IN,
            format!("the connection {name} does not sign in by OAuth"),
        )
        .with_hint("USE another connection, or give this one AuthScheme = OAuth")
    };
    let account = connection.account.clone().ok_or_else(otherwise)?;
    let oauth = account.oauth()?.ok_or_else(otherwise)?;
    Ok((account, oauth))
}

/// Tokens as a row. -1 stands for an access token whose end is not known.
fn row(tokens: &Tokens) -> Result<RecordBatch> {
    let refresh_token = tokens.refresh_token.as_ref();
    let seconds = match tokens.expires_in(SystemTime::now()) {
        Some(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        None => -1,
    };
    let columns: [(&str, ArrayRef); 3] = [
        (
            "OAuthAccessToken",
            Arc::new(StringArray::from(vec![tokens.access_token.expose_secret()])),
        ),
        (
            "OAuthRefreshToken",
            Arc::new(StringArray::from(vec![
                refresh_token.map(ExposeSecret::expose_secret),
            ])),
        ),
        ("ExpiresIn", Arc::new(Int64Array::from(vec![seconds]))),
    ];
    RecordBatch::try_from_iter(columns).map_err(defect)
}

/// The inputs of a call, none of which is blank.
struct Inputs<'a> {
    procedure: &'static Procedure,
    given: Vec<(&'static str, &'a str)>,
}

impl<'a> Inputs<'a> {
    fn of(procedure: &'static Procedure, arguments: &'a [Argument]) -> Result<Self> {
        let mut given = Vec::new();
        for argument in arguments {
            let named = &argument.name;
            let names = procedure.inputs.iter().map(|(name, _)| *name);
            let name = names
                .clone()
                .find(|name| name.eq_ignore_ascii_case(&named.text))
                .ok_or_else(|| {
                    let names = names.collect::<Vec<_>>().join(", ");
                    Error::new(
                        code::INPUT,
                        format!("{} has no input {named}", procedure.name),
                    )
                    .with_hint(format!("its inputs are {names}"))
                    .or_at(named.span)
                })?;
            let text = argument.value.as_text().map(str::trim);
            let text = text.filter(|text| !text.is_empty()).ok_or_else(|| {
                Error::new(
                    code::INPUT,
                    format!("{name} of {} is no text, or an empty one", procedure.name),
                )
                .with_hint(format!("@{name} = 'text'"))
                .or_at(named.span)
            })?;
            given.push((name, text));
        }
        Ok(Self { procedure, given })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.given.iter().find(|(given, _)| *given == name);
        found.map(|(_, text)| *text)
    }

    fn required(&self, name: &str) -> Result<&'a str> {
        self.get(name).ok_or_else(|| {
            Error::new(code::INPUT, format!("{} needs {name}", self.procedure.name))
                .with_hint(format!("EXEC {} @{name} = 'text'", self.procedure.name))
        })
    }

    /// A browser that is opened here comes back to where the connection listens, and brings the code itself.
    fn fit_app(&self, account: &Account) -> Result<()> {
        let elsewhere = self
            .get("CallbackUrl")
            .filter(|url| *url != account.callback());
        let name = match (self.get("Verifier"), elsewhere) {
            (Some(_), _) => "Verifier",
            (None, Some(_)) => "CallbackUrl",
            (None, None) => return Ok(()),
        };
        Err(
            Error::new(code::INPUT, format!("{name} does not go with AuthMode APP")).with_hint(
                "@AuthMode = 'WEB' takes both; with APP the callback is the connection's CallbackURL",
            ),
        )
    }

    /// Whether the user was in the browser already, and brings a code.
    fn is_web(&self) -> Result<bool> {
        match self.get("AuthMode") {
            None => Ok(false),
            Some(mode) if mode.eq_ignore_ascii_case("APP") => Ok(false),
            Some(mode) if mode.eq_ignore_ascii_case("WEB") => Ok(true),
            Some(mode) => Err(Error::new(code::INPUT, format!("there is no AuthMode {mode}")).with_hint(
                "APP opens a browser here, WEB takes the Verifier that a browser came back with",
            )),
        }
    }
}
