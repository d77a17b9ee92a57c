//! Connections to Bitbucket Cloud.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bucketline_bitbucket::{BASE_URL, Bitbucket, Settings, oauth_server, tables, tables_with};
use bucketline_rest::{
    Credential, Grant, InitiateOAuth, Keyring, OAuth, OAuthSettings, Opener, Proxy, ProxyServer,
    Start, TokenStore, Tokens, Url,
};
use bucketline_source::TableSpec;
use bucketline_sql::mask_source;
use secrecy::SecretString;

use super::account::{Account, Opened};
use super::{Connection, ConnectionProperties, Ends, Idle, Kind, Property, Surroundings, same};
use crate::{Error, Result};

/// Bytes that a table file may have.
const TABLE_FILE: u64 = 4 << 20;

pub(super) const KIND: Kind = Kind {
    names: &["Bitbucket"],
    properties: &[
        Property::plain(
            &["AuthScheme"],
            "APIToken (e-mail and token), AccessToken, OAuth, OAuthClient, or None",
        ),
        Property::plain(&["BaseURL"], "the API's address"),
        Property::plain(
            &["CallbackURL"],
            "the OAuth consumer's callback URL, as the consumer has it",
        ),
        Property::plain(&["Concurrency"], "requests at a time"),
        Property::plain(
            &["IncludeDeleted"],
            "TRUE: comments that are deleted and still listed are rows, too",
        ),
        Property::plain(
            &["InitiateOAuth"],
            "GETANDREFRESH (sign in, and renew), REFRESH (only renew), or OFF",
        ),
        Property::plain(
            &["MaxWait"],
            "longest wait for the request budget, in seconds",
        ),
        Property::secret(&["OAuthAccessToken"], "an access token from elsewhere"),
        Property::plain(&["OAuthClientId"], "the OAuth consumer's key"),
        Property::secret(&["OAuthClientSecret"], "the OAuth consumer's secret"),
        Property::plain(
            &["OAuthExpiresIn"],
            "seconds that OAuthAccessToken lasts from OAuthTokenTimestamp on",
        ),
        Property::plain(
            &["OAuthKeyring"],
            "whether the operating system's keyring keeps the tokens, and not a file",
        ),
        Property::secret(&["OAuthRefreshToken"], "a refresh token from elsewhere"),
        Property::plain(
            &["OAuthServer"],
            "the OAuth server's address; without it bitbucket.org, or BaseURL's origin",
        ),
        Property::paths(
            &["OAuthSettingsLocation"],
            "the file that keeps the tokens; without it one in the state folder",
        ),
        Property::plain(
            &["OAuthTokenTimestamp"],
            "when OAuthAccessToken was made, in seconds or milliseconds since 1970",
        ),
        Property::secret(
            &["OAuthVerifier"],
            "the code that a sign-in elsewhere gave, or the whole address",
        ),
        Property::plain(&["Pagesize"], "rows a page, at most the table's maximum"),
        Property::plain(
            &["ProxyAutoDetect"],
            "TRUE: the proxy that the environment names; FALSE: none but ProxyServer",
        ),
        Property::plain(
            &["ProxyExceptions"],
            "hosts that are asked without the proxy, with ; between them",
        ),
        Property::secret(&["ProxyPassword"], "the proxy's password"),
        Property::plain(&["ProxyPort"], "the proxy's port; 80 by default"),
        Property::plain(&["ProxyServer"], "the proxy's host, or its address"),
        Property::plain(&["ProxyUser"], "the proxy's user"),
        Property::plain(&["RequestsPerHour"], "request budget; 0 is none"),
        Property::plain(
            &["Scope"],
            "OAuth scopes to ask for; without it all that the consumer has",
        ),
        Property::plain(
            &["Schema"],
            "the schema of names without one: Information, a project's key or a repository's slug",
        ),
        Property::plain(
            &["SSLServerCert"],
            "not to be had: the system's certificates decide",
        ),
        Property::paths(
            &["TableFiles"],
            "table files of one's own, and folders of such files, with a semicolon between them",
        ),
        Property::plain(&["Timeout"], "seconds a request may take; 0 is no limit"),
        Property::secret(
            &["Token", "APIToken", "AccessToken", "Password"],
            "the secret, or env:NAME, file:PATH",
        ),
        Property::plain(
            &["User", "Email", "Username"],
            "the e-mail address of the Atlassian account",
        ),
        Property::plain(&["Workspace"], "the workspace's slug"),
    ],
    idle: &[
        Idle {
            names: &["Readonly", "SupportEnhancedSQL", "Other"],
            why: None,
        },
        Idle {
            names: &["MaxRows"],
            why: Some("LIMIT bounds a query"),
        },
        Idle {
            names: &["PseudoColumns"],
            why: Some("every column is a real one"),
        },
        Idle {
            names: &[
                "Location",
                "BrowsableSchemas",
                "Tables",
                "Views",
                "UserDefinedViews",
            ],
            why: Some("the tables are those that SHOW TABLES lists"),
        },
        Idle {
            names: &[
                "Logfile",
                "Verbosity",
                "LogModules",
                "MaxLogFileSize",
                "MaxLogFileCount",
            ],
            why: Some("the program says what it does on standard error"),
        },
        Idle {
            names: &[
                "AutoCache",
                "CacheConnection",
                "CacheProvider",
                "CacheLocation",
                "CacheTolerance",
                "CacheMetadata",
                "Offline",
            ],
            why: Some("REPLICATE makes copies, and SELECT reads them in the destination"),
        },
        Idle {
            names: &["ProxyAuthScheme"],
            why: Some("a proxy gets ProxyUser and ProxyPassword by Basic"),
        },
        Idle {
            names: &["ProxySSLType"],
            why: Some("ProxyServer = https://... says it"),
        },
        Idle {
            names: &[
                "FirewallType",
                "FirewallServer",
                "FirewallPort",
                "FirewallUser",
                "FirewallPassword",
            ],
            why: Some("ProxyServer names the proxy, of HTTP or SOCKS (socks5h://host)"),
        },
    ],
    connect,
    credential_hosts,
    hosts,
};

/// The `User-Agent` of requests for tokens.
const AGENT: &str = concat!("bucketline/", env!("CARGO_PKG_VERSION"));

/// Times since 1970 from here on are in milliseconds: in seconds it is the year 5138.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

fn connect(
    properties: &ConnectionProperties,
    surroundings: &Surroundings<'_>,
) -> Result<Connection> {
    // What is wrong with the other properties is told at once, what is with secrets at the first use.
    let outline = settings(properties, Credential::Anonymous)?;
    let sign_in = sign_in(properties)?;
    properties.proxy_address()?;
    if let Some((name, value)) = properties.get("SSLServerCert") {
        let error = properties.error(format!("{name} = {value} is not available"));
        return Err(error.with_hint(
            "the system's certificates decide whom to trust: add your own authority to them, and leave this out",
        ));
    }
    let schema = properties.text("Schema").map(str::to_owned);
    let (name, opener) = (surroundings.name.to_owned(), surroundings.opener.cloned());
    let state_dir = surroundings.state_dir.map(Path::to_owned);
    let budgets = surroundings.budgets.cloned();
    let claimant = surroundings.claimant.cloned();
    let kept = properties.clone();
    let open = move || {
        let credential = kept.credential(&sign_in, &name, state_dir.as_deref(), opener.clone())?;
        let oauth = match &credential {
            Credential::OAuth(oauth) => Some(oauth.clone()),
            Credential::Anonymous | Credential::Basic { .. } | Credential::Bearer(_) => None,
        };
        let mut settings = settings(&kept, credential)?;
        settings.client.proxy = kept.proxy()?;
        settings.client.state_dir.clone_from(&state_dir);
        settings.client.budgets.clone_from(&budgets);
        if let Some(claimant) = &claimant {
            settings.client.claimant.clone_from(claimant);
        }
        Ok(Opened {
            bitbucket: Arc::new(Bitbucket::new(settings)?),
            oauth,
        })
    };
    let account = Arc::new(Account::new(
        &outline.client,
        properties.tables()?,
        callback(properties),
        schema,
        Box::new(open),
    ));
    Ok(Connection {
        kind: KIND.names[0],
        ends: Ends::Source(account.clone()),
        account: Some(account),
        sample: &["Projects", "Repositories", "PullRequests", "Branches"],
    })
}

/// The hosts of the API and of OAuth, if the connection signs in, and the proxy's, if it gets a password.
fn credential_hosts(properties: &ConnectionProperties) -> Vec<String> {
    let mut urls = Vec::new();
    let signs_in = sign_in(properties).is_ok_and(|sign_in| sign_in != SignIn::None);
    if signs_in {
        urls.extend(base(properties));
        let server = properties.get("OAuthServer");
        urls.extend(server.and_then(|(name, value)| address(properties, name, value).ok()));
    }
    if properties.get("ProxyPassword").is_some() {
        urls.extend(properties.proxy_address().ok().flatten());
    }
    let hosts = urls.iter().filter_map(Url::host_str);
    hosts
        .filter(|host| !is_bitbucket(host) && !is_this_machine(host))
        .map(str::to_owned)
        .collect()
}

/// Those of the API, of sign-in and of the proxy.
fn hosts(properties: &ConnectionProperties) -> Vec<String> {
    let server = properties.get("OAuthServer");
    let server = server.and_then(|(name, value)| address(properties, name, value).ok());
    let proxy = properties.proxy_address().ok().flatten();
    let urls = base(properties).into_iter().chain(server).chain(proxy);
    let hosts = urls.filter_map(|url| url.host_str().map(str::to_owned));
    hosts
        .map(|host| host.trim_matches(['[', ']']).to_owned())
        .collect()
}

fn is_bitbucket(host: &str) -> bool {
    host == "bitbucket.org" || host.ends_with(".bitbucket.org")
}

/// `host` is as in an address: brackets around IPv6.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// How a connection signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignIn {
    None,
    Basic,
    Bearer,
    OAuth(Grant),
}

/// How the properties say that it signs in: by `AuthScheme`, else by what is given.
fn sign_in(properties: &ConnectionProperties) -> Result<SignIn> {
    let is_given = |name| properties.get(name).is_some();
    let Some(scheme) = properties.text("AuthScheme") else {
        return Ok(if is_given("Token") {
            if is_given("User") {
                SignIn::Basic
            } else {
                SignIn::Bearer
            }
        } else if is_given("OAuthClientId") {
            SignIn::OAuth(Grant::AuthorizationCode)
        } else if is_given("User") {
            SignIn::Basic
        } else {
            SignIn::None
        });
    };
    for (names, sign_in) in [
        (&["None"][..], SignIn::None),
        (&["APIToken", "Basic"], SignIn::Basic),
        (&["AccessToken"], SignIn::Bearer),
        (&["OAuth"], SignIn::OAuth(Grant::AuthorizationCode)),
        (
            &["OAuthClient", "Client"],
            SignIn::OAuth(Grant::ClientCredentials),
        ),
    ] {
        if names.iter().any(|name| same(name, scheme)) {
            return Ok(sign_in);
        }
    }
    let error = properties.error(format!("AuthScheme = {scheme} is not available"));
    Err(error.with_hint(
        "available are APIToken (with User), AccessToken, OAuth and OAuthClient (with OAuthClientId and \
         OAuthClientSecret), and None",
    ))
}

/// The callback that a consumer has if it says nothing else.
fn callback(properties: &ConnectionProperties) -> String {
    let callback = properties.text("CallbackURL");
    callback.unwrap_or("http://localhost:33333").to_owned()
}

fn address(properties: &ConnectionProperties, name: &str, text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| {
        let text = mask_source(text);
        properties.error(format!("{name} = {text} is not an address: {error}"))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        let error = properties.error(format!("{name} has user information before its host"));
        return Err(error.with_hint(match name.replace(' ', "").as_str() {
            "ProxyServer" => "ProxyUser and ProxyPassword say how to sign in",
            _ => "User and Token say how to sign in",
        }));
    }
    Ok(url)
}

fn base(properties: &ConnectionProperties) -> Result<Url> {
    let base = properties.text("BaseURL").unwrap_or(BASE_URL);
    address(properties, "BaseURL", base)
}

fn settings(properties: &ConnectionProperties, credential: Credential) -> Result<Settings> {
    let mut settings = Settings::new(base(properties)?, credential);
    settings.workspace = properties.text("Workspace").map(str::to_owned);
    settings.page_size = properties.number("Pagesize")?;
    settings.include_deleted = properties.flag("IncludeDeleted")?.unwrap_or(false);
    if let Some(requests) = properties.number::<u32>("RequestsPerHour")? {
        settings.client.limit_may_rise = false;
        settings.client.requests_per_hour = (requests > 0).then_some(requests);
        settings.client.reserve = settings.client.reserve.min(requests / 10);
    }
    if let Some(concurrency) = properties.number::<usize>("Concurrency")? {
        settings.client.concurrency = concurrency.max(1);
    }
    if let Some(timeout) = timeout(properties)? {
        settings.client.timeout = timeout;
    }
    if let Some(seconds) = properties.number("MaxWait")? {
        settings.client.max_wait = Duration::from_secs(seconds);
    }
    Ok(settings)
}

fn timeout(properties: &ConnectionProperties) -> Result<Option<Duration>> {
    let seconds = properties.number::<u64>("Timeout")?;
    Ok(seconds.map(|seconds| match seconds {
        0 => Duration::from_secs(u64::from(u32::MAX)),
        seconds => Duration::from_secs(seconds),
    }))
}

impl ConnectionProperties {
    /// The tables, those of the user's own files behind the others.
    fn tables(&self) -> Result<Arc<[Arc<TableSpec>]>> {
        let Some(location) = self.text("TableFiles") else {
            return Ok(tables().into());
        };
        let mut files = Vec::new();
        for path in location.split(';').map(str::trim) {
            let path = self.folder.join(path);
            let unreadable = |error: io::Error| {
                let path = path.display();
                self.error(format!("TableFiles: {path} cannot be read: {error}"))
            };
            for file in table_files(&path).map_err(unreadable)? {
                let text = bucketline_files::read_text(&file, TABLE_FILE).map_err(unreadable)?;
                files.push((file.display().to_string(), text));
            }
        }
        tables_with(&files)
    }

    /// What requests are signed with.
    fn credential(
        &self,
        sign_in: &SignIn,
        name: &str,
        state_dir: Option<&Path>,
        opener: Option<Opener>,
    ) -> Result<Credential> {
        let token = || {
            self.secret("Token")?.ok_or_else(|| {
                self.error("there is no Token")
                    .with_hint("Token = \"env:BITBUCKET_API_TOKEN\" takes it from the environment")
            })
        };
        Ok(match sign_in {
            SignIn::None => Credential::Anonymous,
            SignIn::Basic => Credential::Basic {
                user: self.text("User").map(str::to_owned).ok_or_else(|| {
                    self.error("an API token needs User")
                        .with_hint("User is the e-mail address of the Atlassian account, not the Bitbucket name")
                })?,
                password: token()?,
            },
            SignIn::Bearer => Credential::Bearer(token()?),
            SignIn::OAuth(grant) => {
                let mut settings = self.consumer(*grant)?;
                settings.token_file = self.token_file(name, &settings.client_id, state_dir);
                settings.keyring = self.keyring()?;
                settings.tokens = self.kept_tokens(&settings);
                settings.opener = opener;
                Credential::OAuth(OAuth::new(settings).map_err(|error| {
                    Error::from(error).context(&self.origin)
                })?)
            }
        })
    }

    /// How the OAuth consumer signs in, but for where its tokens are kept.
    fn consumer(&self, grant: Grant) -> Result<OAuthSettings> {
        let missing = |name: &str| {
            self.error(format!("OAuth needs {name}")).with_hint(
                "OAuthClientId and OAuthClientSecret are the key and the secret of your OAuth consumer, in the \
                 workspace's settings",
            )
        };
        let client_id = self.text("OAuthClientId");
        let client_id = client_id.ok_or_else(|| missing("OAuthClientId"))?;
        let client_secret = self.secret("OAuthClientSecret")?;
        let client_secret = client_secret.ok_or_else(|| missing("OAuthClientSecret"))?;
        let api = base(self)?;
        let named = self.get("OAuthServer");
        let named = named
            .map(|(name, value)| address(self, name, value))
            .transpose()?;
        let server = oauth_server(&api, named.as_ref());
        let mut settings = OAuthSettings::new(server, api, client_id, client_secret, AGENT);
        settings.grant = grant;
        settings.initiate = self.initiate()?;
        settings.callback = callback(self);
        let scopes = self.text("Scope").unwrap_or_default();
        let scopes = scopes.split([' ', ',']).filter(|scope| !scope.is_empty());
        settings.scopes = scopes.map(str::to_owned).collect();
        settings.start = self.start(settings.initiate)?;
        settings.proxy = self.proxy()?;
        if let Some(timeout) = timeout(self)? {
            settings.timeout = timeout;
        }
        Ok(settings)
    }

    /// How requests get out.
    fn proxy(&self) -> Result<Proxy> {
        let Some(url) = self.proxy_address()? else {
            return Ok(match self.flag("ProxyAutoDetect")? {
                Some(false) => Proxy::None,
                Some(true) | None => Proxy::System,
            });
        };
        let password = self.secret("ProxyPassword")?;
        let user = self.text("ProxyUser").map(str::to_owned);
        let exceptions = self.text("ProxyExceptions").unwrap_or_default();
        let exceptions = exceptions.split([';', ',']).map(str::trim);
        Ok(Proxy::Server(ProxyServer {
            url,
            sign_in: user.map(|user| (user, password.unwrap_or_else(|| SecretString::from("")))),
            exceptions: exceptions
                .filter(|host| !host.is_empty())
                .map(str::to_owned)
                .collect(),
        }))
    }

    /// The proxy that is named, unless the environment's is to be used.
    fn proxy_address(&self) -> Result<Option<Url>> {
        let from_environment = self.flag("ProxyAutoDetect")? == Some(true);
        let Some((name, server)) = self.get("ProxyServer").filter(|_| !from_environment) else {
            return Ok(None);
        };
        let mut url = if server.contains("://") {
            address(self, name, server)?
        } else {
            address(self, name, &format!("http://{server}"))?
        };
        let schemes = ProxyServer::SCHEMES;
        if !schemes.contains(&url.scheme()) {
            let scheme = url.scheme();
            let error = self.error(format!("{name} names no kind of proxy: `{scheme}`"));
            let schemes = schemes.map(|scheme| format!("{scheme}://")).join(", ");
            return Err(error.with_hint(format!(
                "it is a host (HTTP), or an address that begins with one of {schemes}"
            )));
        }
        if let Some(port) = self.number::<u16>("ProxyPort")? {
            // Cannot fail: such an address has a host.
            let _ = url.set_port(Some(port));
        }
        Ok(Some(url))
    }

    fn initiate(&self) -> Result<InitiateOAuth> {
        match self.text("InitiateOAuth") {
            None => Ok(InitiateOAuth::default()),
            Some(value) if same(value, "OFF") => Ok(InitiateOAuth::Off),
            Some(value) if same(value, "GETANDREFRESH") => Ok(InitiateOAuth::GetAndRefresh),
            Some(value) if same(value, "REFRESH") => Ok(InitiateOAuth::Refresh),
            Some(value) => Err(self
                .error(format!("InitiateOAuth = {value} means nothing"))
                .with_hint("it is OFF, GETANDREFRESH or REFRESH")),
        }
    }

    /// What is given to begin with.
    fn start(&self, initiate: InitiateOAuth) -> Result<Option<Start>> {
        let access_token = self.secret("OAuthAccessToken")?;
        let refresh_token = self.secret("OAuthRefreshToken")?;
        if access_token.is_none() && refresh_token.is_none() {
            return Ok(self.secret("OAuthVerifier")?.map(Start::Code));
        }
        if access_token.is_none() && initiate == InitiateOAuth::Off {
            return Err(self
                .error("InitiateOAuth = OFF needs OAuthAccessToken")
                .with_hint("with InitiateOAuth = REFRESH the refresh token is enough"));
        }
        let expires_at = match access_token {
            Some(_) => self.expires_at()?,
            // There is none yet, so that one is asked for first.
            None => Some(UNIX_EPOCH),
        };
        Ok(Some(Start::Tokens(Tokens {
            access_token: access_token.unwrap_or_else(|| SecretString::from("")),
            refresh_token,
            expires_at,
            scopes: Vec::new(),
        })))
    }

    /// When the access token that is given ends, if that can be told.
    fn expires_at(&self) -> Result<Option<SystemTime>> {
        let made = self.number::<u64>("OAuthTokenTimestamp")?;
        let lasts = self.number::<u64>("OAuthExpiresIn")?;
        let (Some(made), Some(lasts)) = (made, lasts) else {
            return Ok(None);
        };
        let made = match made {
            seconds if seconds < MILLISECONDS_FROM => Duration::from_secs(seconds),
            milliseconds => Duration::from_millis(milliseconds),
        };
        let lasts = Duration::from_secs(lasts);
        Ok(made
            .checked_add(lasts)
            .and_then(|since| UNIX_EPOCH.checked_add(since)))
    }

    /// The operating system's keyring, if that is to keep the tokens.
    fn keyring(&self) -> Result<Option<Keyring>> {
        if self.flag("OAuthKeyring")? != Some(true) {
            return Ok(None);
        }
        let keyring = Keyring::of_system().ok_or_else(|| {
            self.error("this build has no keyring to keep OAuth tokens in")
                .with_hint("build with `--features keyring`, or leave out OAuthKeyring")
        })?;
        Ok(Some(keyring))
    }

    /// Where tokens are kept if no property says where. The name says to whom they may be sent, so that a connection whose
    /// address is changed does not take them there.
    fn kept_tokens(&self, settings: &OAuthSettings) -> Option<(Arc<dyn TokenStore>, String)> {
        let (store, name) = self.tokens.as_ref()?;
        if settings.keyring.is_some() || self.text("OAuthSettingsLocation").is_some() {
            return None;
        }
        let OAuthSettings {
            client_id,
            api,
            server,
            ..
        } = settings;
        let api = api.origin().ascii_serialization();
        let name = format!("{name} {client_id} {api} {}", server.token);
        Some((Arc::clone(store), name))
    }

    /// The file that is named, or one of this connection in the state folder.
    fn token_file(&self, name: &str, client_id: &str, state_dir: Option<&Path>) -> Option<PathBuf> {
        if let Some(path) = self.text("OAuthSettingsLocation") {
            return Some(self.folder.join(path));
        }
        let workspace = self.text("Workspace").unwrap_or_default().to_lowercase();
        let parts = [&name.to_lowercase(), client_id, &workspace];
        let file = format!("{}.json", parts.map(file_name_part).join("."));
        Some(state_dir?.join("tokens").join(file))
    }
}

/// The file, or those of the folder that end in `.toml`, by name.
fn table_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    Ok(files)
}

/// A text as a part of a file's name: other texts give other parts.
fn file_name_part(text: &str) -> String {
    let part = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02x}"),
    };
    text.bytes().map(part).collect()
}
