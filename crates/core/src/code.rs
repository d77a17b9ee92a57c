//! Every error code: its number, its [`Kind`], and how much of the work it ends. This is the only place that says so.
//!
//! `docs/errors.md` tells for each code what happened and what to do; `cargo x docs --check` holds that page to this list.
//! A number is never given another meaning and never used again.

use std::fmt;
use std::str::FromStr;

use crate::{Kind, Reach};

/// A stable error code, such as `BL3106`.
///
/// Codes are made in this module alone, so that a code without a line in `docs/errors.md` cannot occur. One that was
/// stored as text is read back by [`FromStr`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    text: &'static str,
    area: Area,
    kind: Kind,
    reach: Reach,
}

impl Code {
    /// `BL` and four digits.
    pub const fn as_str(self) -> &'static str {
        self.text
    }

    /// The part of the program that it belongs to.
    pub const fn area(self) -> Area {
        self.area
    }

    /// The kind of an error with this code, unless the error narrows it.
    pub const fn kind(self) -> Kind {
        self.kind
    }

    /// How much of the work an error with this code ends, unless the error says otherwise.
    pub const fn reach(self) -> Reach {
        self.reach
    }

    /// All codes, in the order of `docs/errors.md`.
    pub fn all() -> impl Iterator<Item = Self> {
        AREAS.iter().flat_map(|codes| codes.iter().copied())
    }
}

impl Area {
    /// Whether its errors are those of a source that is read.
    pub const fn is_of_source(self) -> bool {
        matches!(
            self,
            Self::Source
                | Self::Http
                | Self::SignIn
                | Self::Bitbucket
                | Self::Sqlite
                | Self::Archive
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// For tests and for those who read codes elsewhere. Code of this repository compares with a constant.
impl PartialEq<&str> for Code {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

/// A text is not a code of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown error code")
    }
}

impl std::error::Error for UnknownCode {}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::all()
            .find(|code| code.text == text)
            .ok_or(UnknownCode)
    }
}

/// Declares the areas and their codes. A code that ends with `slice` is of one slice of a REPLICATE; all others end the
/// statement and the script.
macro_rules! codes {
    ($($(#[$doc:meta])* $area:ident $module:ident {
        $($name:ident $text:literal $kind:ident $($slice:ident)?;)*
    })*) => {
        /// The part of the program that a code belongs to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Area {
            $($(#[$doc])* $area,)*
        }

        const AREAS: &[&[Code]] = &[$($module::ALL),*];

        $($(#[$doc])*
        #[allow(missing_docs, reason = "`docs/errors.md` describes each code")]
        pub mod $module {
            use super::{Area, Code};
            use crate::{Kind, Reach};

            $(pub const $name: Code = Code {
                text: $text,
                area: Area::$area,
                kind: Kind::$kind,
                reach: codes!(@reach $($slice)?),
            };)*

            pub(super) const ALL: &[Code] = &[$($name),*];
        })*
    };
    (@reach) => { Reach::Script };
    (@reach slice) => { Reach::Slice };
}

codes! {
    /// Connections, jobs and their statements in the application.
    Model model {
        INVALID                 "BL0001" Configuration;
        BAD_NAME                "BL0002" Configuration;
        OUT_OF_RANGE            "BL0003" Configuration;
        GIVEN_TWICE             "BL0004" Configuration;
        LITERAL_SECRET          "BL0005" Configuration;
        NOT_ONE_STATEMENT       "BL0006" Statement;
        NO_TASK_STATEMENT       "BL0007" Statement;
        BAD_REFERENCE           "BL0008" Configuration;
        BAD_ADDRESS             "BL0009" Configuration;
        COLUMNS                 "BL0010" Statement;
        UNKNOWN_COLUMN          "BL0011" Statement;
        NOT_ONE_EXPRESSION      "BL0012" Statement;
        BAD_FILE                "BL0013" Configuration;
        FILE                    "BL0014" Configuration;
        SECRET_MOVED            "BL0015" Configuration;
    }

    /// When jobs are due.
    Schedule schedule {
        FIELDS                  "BL0100" Configuration;
        VALUE                   "BL0101" Configuration;
        OUT_OF_RANGE            "BL0102" Configuration;
        STEP                    "BL0103" Configuration;
        NEVER                   "BL0104" Configuration;
        ZONE                    "BL0105" Configuration;
        PRESET                  "BL0106" Configuration;
    }

    /// Runs of jobs.
    Scheduler scheduler {
        TIMEOUT                 "BL0201" Configuration;
        INTERRUPTED             "BL0202" Bug;
        PANIC                   "BL0299" Bug;
    }

    /// The application's store.
    Store store {
        NOT_FOUND               "BL0301" NotFound;
        NAME_TAKEN              "BL0302" Conflict;
        CHANGED                 "BL0303" Conflict;
        IN_USE                  "BL0304" Conflict;
        WRONG_STATE             "BL0305" Conflict;
        FENCED                  "BL0306" Conflict;
        BAD_CURSOR              "BL0307" Configuration;
        UNAVAILABLE             "BL0310" Transient;
        HELD                    "BL0311" Configuration;
        FULL                    "BL0312" Transient;
        READ_ONLY               "BL0313" Transient;
        NEWER                   "BL0314" Configuration;
        DAMAGED                 "BL0315" Configuration;
        MIGRATION               "BL0316" Configuration;
        DEFECT                  "BL0317" Bug;
        NO_KEY                  "BL0320" Configuration;
    }

    /// Carrying out runs.
    Runner runner {
        NO_CONNECTION           "BL0401" Configuration;
        WEBHOOK                 "BL0402" Transient;
        SECRET_TO_ENTER         "BL0403" Credential;
        OUT_OF_REACH            "BL0404" Configuration;
        NO_SIGN_IN              "BL0405" Conflict;
    }

    /// The REST API, and the server behind it.
    Web web {
        NO_TOKEN                "BL0501" Credential;
        FOREIGN_HOST            "BL0502" Permission;
        MALFORMED               "BL0503" Configuration;
        NO_REVISION             "BL0504" Configuration;
        ACTIVE                  "BL0505" Conflict;
        NO_ROUTE                "BL0506" NotFound;
        METHOD                  "BL0507" Configuration;
        CONFIGURED              "BL0508" Conflict;
        ADDRESS                 "BL0510" Configuration;
        LISTEN                  "BL0511" Configuration;
        TOKEN_FILE              "BL0512" Configuration;
        TLS                     "BL0513" Configuration;
        PANIC                   "BL0599" Bug;
    }

    /// People: accounts, sessions, tokens.
    People people {
        NOT_FIRST               "BL0601" Conflict;
        LAST_ADMIN              "BL0602" Conflict;
        TOO_MANY_ATTEMPTS       "BL0603" RateLimited;
        WRONG_PASSWORD          "BL0604" Credential;
        NO_RIGHT                "BL0605" Permission;
        FOREIGN_ORIGIN          "BL0606" Permission;
        SET_UP_OVER             "BL0607" Permission;
    }

    /// Scripts and statements.
    Sql sql {
        UNTERMINATED            "BL1001" Statement;
        UNEXPECTED_TOKEN        "BL1002" Statement;
        UNEXPECTED_END          "BL1003" Statement;
        UNKNOWN_STATEMENT       "BL1004" Statement;
        UNKNOWN_OPTION          "BL1005" Statement;
        BAD_OPTION_VALUE        "BL1006" Statement;
        DUPLICATE               "BL1007" Statement;
        INVALID_NAME            "BL1008" Statement;
        CONNECTION_STRING       "BL1009" Configuration;
        UNEXPECTED_CHARACTER    "BL1010" Statement;
        UNSUPPORTED             "BL1011" Statement;
        TOO_DEEP                "BL1012" Statement;
        UNBOUND                 "BL1013" Statement;
        BAD_TARGET              "BL1014" Statement;
    }

    /// Tables as data, and answers as rows.
    Source source {
        TABLE_FILE              "BL2001" Configuration;
        NOT_JSON                "BL2010" Transient slice;
        WRONG_TYPE              "BL2011" Bug slice;
    }

    /// Requests over HTTP.
    Http http {
        INVALID_URL             "BL3001" Configuration;
        FOREIGN_ORIGIN          "BL3002" Configuration slice;
        INSECURE_SCHEME         "BL3003" Configuration;
        INVALID_CREDENTIAL      "BL3004" Credential;
        INVALID_CONFIG          "BL3005" Configuration;
        RETIRED_CREDENTIAL      "BL3006" Credential;
        UNAUTHORIZED            "BL3101" Credential;
        FORBIDDEN               "BL3102" Permission slice;
        NOT_FOUND               "BL3103" NotFound slice;
        GONE                    "BL3104" NotFound slice;
        BAD_REQUEST             "BL3105" Bug slice;
        RATE_LIMITED            "BL3106" RateLimited;
        SERVER                  "BL3107" Transient slice;
        UNEXPECTED_STATUS       "BL3108" Transient slice;
        TOO_MANY_REDIRECTS      "BL3109" Configuration slice;
        NETWORK                 "BL3201" Transient slice;
        TLS                     "BL3202" Configuration slice;
        TIMEOUT                 "BL3203" Transient slice;
        BODY_TOO_LARGE          "BL3204" Configuration slice;
        UNREACHABLE             "BL3205" Transient;
        CODING                  "BL3206" Configuration slice;
        BUDGET_WAIT             "BL3301" RateLimited;
        STATE                   "BL3302" Configuration;
    }

    /// Sign-in by OAuth, and its tokens.
    SignIn sign_in {
        NOT_SIGNED_IN           "BL3401" Credential;
        ENDED                   "BL3402" Credential;
        DENIED                  "BL3403" Credential;
        FOREIGN_STATE           "BL3404" Credential;
        CALLBACK_PORT           "BL3405" Configuration;
        TIMEOUT                 "BL3406" Credential;
        CONSUMER_REFUSED        "BL3407" Configuration;
        CODE_REFUSED            "BL3408" Credential;
        TOKEN_FILE              "BL3409" Configuration;
        FOREIGN_TOKENS          "BL3410" Configuration;
        UNEXPECTED_ANSWER       "BL3411" Configuration slice;
        TOKENS_ASIDE            "BL3412" Configuration slice;
    }

    /// Bitbucket's tables.
    Bitbucket bitbucket {
        NO_WORKSPACE            "BL4001" Configuration;
        NO_SUCH_TABLE           "BL4002" NotFound slice;
        NO_SUCH_COLUMN          "BL4003" Bug slice;
        BAD_WORKSPACE           "BL4004" Configuration;
        TOO_MANY_PARENTS        "BL4005" Statement slice;
        MISSING_SCOPE           "BL4010" Credential;
        FORBIDDEN               "BL4011" Permission slice;
        NOT_FOUND               "BL4012" NotFound slice;
        REMOVED                 "BL4013" Statement;
        GONE                    "BL4014" NotFound slice;
        REJECTED                "BL4015" Bug slice;
        BAD_ADDRESS             "BL4016" Transient slice;
        NOT_INCREMENTAL         "BL4017" Bug slice;
        WALK_FINISHED           "BL4018" Bug slice;
        NO_PARENT_PLAN          "BL4019" Bug slice;
        BAD_OBJECT              "BL4020" Transient slice;
        BAD_NEXT_LINK           "BL4021" Transient slice;
        CANNOT_READ_ON          "BL4022" Transient slice;
        BAD_PAGE                "BL4023" Bug slice;
        LISTING_BROKE_OFF       "BL4024" Transient slice;
    }

    /// Names and queries.
    Engine engine {
        SYNTAX                  "BL5001" Statement;
        UNKNOWN_TABLE           "BL5002" Statement;
        AMBIGUOUS_NAME          "BL5003" Statement;
        UNKNOWN_COLUMN          "BL5004" Statement;
        UNKNOWN_FUNCTION        "BL5005" Statement;
        INVALID                 "BL5006" Statement;
        UNSUPPORTED             "BL5007" Statement;
        EXECUTION               "BL5008" Statement slice;
        MEMORY                  "BL5009" Statement;
        SOURCE                  "BL5010" Transient slice;
        DESTINATION             "BL5011" Bug;
        DUPLICATE_CONNECTION    "BL5012" Configuration;
        ARGUMENT                "BL5013" Statement;
        INTERNAL                "BL5099" Bug;
    }

    /// Destinations.
    Destination destination {
        UNAVAILABLE             "BL6001" Configuration;
        HELD                    "BL6002" Conflict;
        NOT_OURS                "BL6003" Statement;
        FENCED                  "BL6004" Conflict;
        DUPLICATE_KEY           "BL6005" Statement;
        BAD_VALUE               "BL6006" Statement;
        INCOMPATIBLE            "BL6007" Statement;
        UNSUPPORTED             "BL6008" Statement;
        NOT_FOUND               "BL6009" NotFound;
        DATABASE                "BL6010" Transient;
        MISFIT                  "BL6011" Statement;
        OURS                    "BL6012" Statement;
        FOREIGN                 "BL6013" Statement;
        CHANGED                 "BL6014" Conflict;
    }

    /// A SQLite file as a source.
    Sqlite sqlite {
        NO_FILE                 "BL6101" Configuration;
        UNREADABLE              "BL6102" Configuration;
        BAD_VALUE               "BL6103" Configuration slice;
        BAD_SETTING             "BL6104" Configuration;
        REFUSED                 "BL6105" Transient slice;
    }

    /// REPLICATE and its relatives.
    Replicate replicate {
        NOT_OURS                "BL7001" Statement;
        OTHER_WORKSPACE         "BL7002" Statement;
        ONE_TARGET              "BL7003" Statement;
        NAME_MOVED              "BL7004" Statement;
        PARTIAL                 "BL7005" Transient;
        UNSUPPORTED             "BL7006" Statement;
        COLUMNS                 "BL7007" Statement;
        BAD_VALUE               "BL7008" Statement slice;
        SCHEMA_FIXED            "BL7009" Statement;
        STATE                   "BL7010" Configuration;
        INCOMPLETE              "BL7011" Transient slice;
        UNDERNEATH              "BL7012" Bug;
        ALL_FAILED              "BL7013" Transient;
        RETENTION               "BL7014" Statement;
        CHECK                   "BL7015" Statement;
        DELETES_UNKNOWN         "BL7016" Statement;
        OVERLAP                 "BL7017" Statement;
    }

    /// Configuration, connections and sessions.
    Session session {
        CONFIGURATION           "BL8001" Configuration;
        CONNECTION              "BL8002" Configuration;
        SECRET                  "BL8003" Configuration;
        READ_ONLY               "BL8005" Statement;
        STATEMENT               "BL8006" Statement;
        UNKNOWN_PROCEDURE       "BL8007" Statement;
        INPUT                   "BL8008" Statement;
        SIGN_IN                 "BL8009" Configuration;
        UNKNOWN_CONNECTION      "BL8010" Configuration;
        TIMEOUT                 "BL8011" Transient;
        ACCESS                  "BL8012" Permission;
        CONNECTION_TEST         "BL8013" Configuration;
        FILE                    "BL8014" Configuration;
        LOST_VALUES             "BL8016" Statement;
        DEFECT                  "BL8099" Bug;
    }

    /// The command line.
    CommandLine command_line {
        SCRIPT                  "BL8101" Configuration;
        CONNECTION_OPTION       "BL8102" Configuration;
        LITERAL_SECRET          "BL8103" Configuration;
        EMAIL_MISSING           "BL8104" Configuration;
        FOLDER_NOT_EMPTY        "BL8105" Configuration;
        WRITE                   "BL8106" Configuration;
        SANDBOX                 "BL8107" Configuration;
        OUTPUT                  "BL8108" Transient;
        TERMINAL                "BL8109" Configuration;
        RUNTIME                 "BL8110" Transient;
        INPUT                   "BL8111" Configuration;
        PARAMETER_OPTION        "BL8112" Configuration;
        UNKNOWN_COMMAND         "BL8113" Configuration;
        UNTRUSTED_HOSTS         "BL8114" Configuration;
        VARIABLE                "BL8115" Configuration;
    }

    /// Exports of issue trackers.
    Archive archive {
        CONFIGURATION           "BL9001" Configuration;
        NO_FILE                 "BL9002" NotFound slice;
        UNREADABLE              "BL9003" Configuration slice;
        TWO_OF_ONE_REPOSITORY   "BL9004" Configuration;
        NOT_ZIP                 "BL9005" Configuration slice;
        DAMAGED                 "BL9006" Configuration slice;
        NO_DOCUMENT             "BL9007" Configuration slice;
        SEVERAL_DOCUMENTS       "BL9008" Configuration slice;
        ENCRYPTED               "BL9009" Configuration slice;
        METHOD                  "BL9010" Configuration slice;
        TOO_LARGE               "BL9011" Configuration slice;
        NOT_JSON                "BL9012" Configuration slice;
        LAYOUT                  "BL9013" Configuration slice;
        DUPLICATE               "BL9014" Configuration slice;
        UNSUPPORTED             "BL9015" Bug slice;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for code in Code::all() {
            let digits = code.as_str().strip_prefix("BL").unwrap();
            assert!(digits.len() == 4 && digits.bytes().all(|it| it.is_ascii_digit()));
            assert!(seen.insert(code.as_str()), "{code} is declared twice");
        }
    }

    #[test]
    fn a_stored_code_is_read_back_with_its_kind() {
        for code in Code::all() {
            let read: Code = code.to_string().parse().unwrap();
            assert_eq!((read, read.kind()), (code, code.kind()));
        }
        assert_eq!("BL31".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn an_area_has_its_own_first_digits() {
        let area = |text: &str| text.parse::<Code>().unwrap().area();
        assert_eq!(area("BL3401"), Area::SignIn);
        assert_eq!(area("BL6101"), Area::Sqlite);
        assert_eq!(area("BL8101"), Area::CommandLine);
    }
}
