//! The ways to sign in.

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

use tokio::task::JoinHandle;

use super::*;
use crate::{Error, ErrorKind, Grant, InitiateOAuth, Start};

/// Goes where the sign-in leads, like a browser; what the last page says comes back.
#[derive(Default)]
struct TestBrowser(Mutex<Vec<JoinHandle<Page>>>);

impl TestBrowser {
    /// Visits the page, and where that leads after `change`.
    fn opener(&self, change: fn(String) -> String) -> impl Fn(&Url) + Send + Sync {
        move |url: &Url| {
            let url = url.clone();
            self.0.lock().unwrap().push(tokio::spawn(async move {
                let back = visit(&url).await.location.unwrap();
                visit(&Url::parse(&change(back)).unwrap()).await
            }));
        }
    }

    async fn page(&self) -> Page {
        let visit = self.0.lock().unwrap().pop().unwrap();
        visit.await.unwrap()
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
/// For sign-ins that nobody answers.
const NO_PATIENCE: Duration = Duration::from_millis(50);

fn kind(result: Result<crate::Tokens, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_browser_on_this_machine_signs_in() {
    let stage = Stage::new().await;
    let oauth = stage.oauth();
    let browser = TestBrowser::default();
    let tokens = oauth
        .sign_in(&browser.opener(|back| back), PATIENCE)
        .await
        .unwrap();
    let page = browser.page().await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Signed in"), "{}", page.body);
    assert!(tokens.scopes.contains(&"repository".to_owned()));
    let answer = stage.client(&oauth).get(&stage.user()).await.unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("User 1"));
    assert_eq!(stage.asked(), 1);
    // Another process starts from the file.
    let later = stage.client(&stage.oauth());
    later.get(&stage.user()).await.unwrap();
    assert_eq!(stage.asked(), 1);
    let target = stage.sandbox.requests()[0].target.clone();
    assert!(target.contains("code_challenge_method=S256"), "{target}");
}

/// Whoever signs in may see other things, though the service counts requests by the consumer.
#[tokio::test]
async fn each_sign_in_has_an_identity_that_renewals_keep() {
    let stage = Stage::new().await;
    let identity = async |oauth: &OAuth| stage.client(oauth).identity().await.unwrap();
    let first = identity(&stage.signed_in().await).await;
    assert_eq!(identity(&stage.oauth()).await, first, "from the file");
    stage.edit("expires_at", super::PAST);
    assert_eq!(identity(&stage.oauth()).await, first, "renewed");
    assert_eq!(stage.asked(), 2);
    let second = identity(&stage.signed_in().await).await;
    assert_ne!(second, first);

    let alone = |grant, start| {
        let mut settings = stage.settings();
        settings.token_file = None;
        settings.grant = grant;
        settings.start = start;
        OAuth::new(settings).unwrap()
    };
    let consumer = alone(Grant::ClientCredentials, None);
    let consumer = [identity(&consumer).await, identity(&consumer).await];
    assert_eq!(consumer[0], consumer[1]);
    let given = |token: &str| {
        let tokens = crate::Tokens {
            access_token: token.into(),
            refresh_token: None,
            expires_at: None,
            scopes: Vec::new(),
        };
        alone(Grant::AuthorizationCode, Some(Start::Tokens(tokens)))
    };
    let given = [identity(&given("a")).await, identity(&given("b")).await];
    let all = [&first, &second, &consumer[0], &given[0], &given[1]];
    let different: std::collections::BTreeSet<_> = all.into_iter().collect();
    assert_eq!(different.len(), all.len());
}

#[tokio::test]
async fn a_first_request_signs_in_where_it_may() {
    let stage = Stage::new().await;
    let mut settings = stage.settings();
    settings.opener = Some(Arc::new(|url: &Url| {
        let url = url.clone();
        tokio::spawn(async move {
            let back = visit(&url).await.location.unwrap();
            visit(&Url::parse(&back).unwrap()).await
        });
    }));
    settings.initiate = InitiateOAuth::Refresh;
    let refusing = stage.client(&OAuth::new(settings.clone()).unwrap());
    let error = refusing.get(&stage.user()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::NotSignedIn, "BL3401")
    );

    settings.initiate = InitiateOAuth::GetAndRefresh;
    let client = stage.client(&OAuth::new(settings).unwrap());
    // Two at once are one sign-in.
    let user = stage.user();
    let (one, other) = tokio::join!(client.get(&user), client.get(&user));
    one.and(other).unwrap();
    assert_eq!(stage.asked(), 1);
}

#[tokio::test]
async fn without_a_browser_the_code_or_the_address_is_pasted() {
    let stage = Stage::new().await;
    for whole in [true, false] {
        let oauth = stage.oauth();
        let authorization = oauth.begin();
        let back = visit(authorization.url()).await.location.unwrap();
        let code = Url::parse(&back)
            .unwrap()
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        let pasted = if whole { format!(" {back}\n") } else { code };
        oauth.finish(&authorization, &pasted).await.unwrap();
        stage.client(&oauth).get(&stage.user()).await.unwrap();
        // Used up.
        let again = oauth.finish(&authorization, &pasted).await;
        assert_eq!(kind(again), ErrorKind::CodeRefused);
    }
    let oauth = stage.oauth();
    let (one, other) = (oauth.begin(), oauth.begin());
    let back = visit(one.url()).await.location.unwrap();
    let before = stage.asked();
    assert_eq!(
        kind(oauth.finish(&other, &back).await),
        ErrorKind::ForeignState
    );
    assert_eq!(kind(oauth.finish(&one, "  ").await), ErrorKind::CodeRefused);
    assert_eq!(
        kind(oauth.finish(&one, "not a code").await),
        ErrorKind::CodeRefused
    );
    assert_eq!(stage.asked(), before);
}

#[tokio::test]
async fn a_code_in_the_settings_is_used_once() {
    let stage = Stage::new().await;
    let page = stage
        .oauth()
        .authorization_url(&stage.callback, "s", &[])
        .unwrap();
    let back = visit(&page).await.location.unwrap();
    let mut settings = stage.settings();
    settings.initiate = InitiateOAuth::Refresh;
    settings.start = Some(Start::Code(secret(&back)));
    for _ in 0..2 {
        let client = stage.client(&OAuth::new(settings.clone()).unwrap());
        client.get(&stage.user()).await.unwrap();
        assert_eq!(stage.asked(), 1);
    }
}

#[tokio::test]
async fn another_program_signs_in_without_a_file() {
    let stage = Stage::new().await;
    let mut settings = stage.settings();
    settings.token_file = None;
    let oauth = OAuth::new(settings).unwrap();
    let callback = format!("{}/back", stage.callback);
    let scopes = ["repository".to_owned()];
    let page = oauth
        .authorization_url(&callback, "my state", &scopes)
        .unwrap();
    let back = Url::parse(&visit(&page).await.location.unwrap()).unwrap();
    let value = |name: &str| {
        let mut pairs = back.query_pairs();
        pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    assert_eq!(
        (back.path(), value("state").as_str()),
        ("/back", "my state")
    );
    let code = secret(&value("code"));
    let elsewhere = oauth.exchange(&code, &stage.callback).await;
    assert_eq!(kind(elsewhere), ErrorKind::CodeRefused);

    let back = Url::parse(&visit(&page).await.location.unwrap()).unwrap();
    let code = back.query_pairs().find(|(key, _)| key == "code").unwrap().1;
    let tokens = oauth.exchange(&secret(&code), &callback).await.unwrap();
    let first = tokens.refresh_token.unwrap();
    let tokens = oauth.refresh(&first).await.unwrap();
    let second = tokens.refresh_token.unwrap();
    assert_ne!(expose(&first), expose(&second));
    let left = tokens.expires_at.unwrap();
    let left = left.duration_since(SystemTime::now()).unwrap();
    assert!(left > HOUR && left <= 2 * HOUR, "{left:?}");
    assert!(fs::read_dir(stage.folder.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_consumer_signs_in_by_itself_and_asks_again() {
    let stage = Stage::new().await;
    let mut settings = stage.settings();
    settings.grant = Grant::ClientCredentials;
    let oauth = OAuth::new(settings).unwrap();
    let client = stage.client(&oauth);
    let answer = client.get(&stage.user()).await.unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("app_user"));
    assert!(stage.stored().get("refresh_token").is_none());
    client.get(&stage.user()).await.unwrap();
    assert_eq!(stage.asked(), 1);
    stage.advance(3 * HOUR);
    client.get(&stage.user()).await.unwrap();
    assert_eq!(stage.asked(), 2);
    // Those tokens act as somebody else than a user's.
    let error = stage
        .client(&stage.oauth())
        .get(&stage.user())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::ForeignTokens, "BL3410")
    );
    let error = oauth.sign_in(&|_| (), PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn a_refusal_in_the_browser_says_so() {
    let stage = Stage::new().await;
    let consent = Change::SetConsent {
        consumer: "acme-consumer".to_owned(),
        consent: Consent::Deny,
    };
    stage.sandbox.apply(consent).unwrap();
    let browser = TestBrowser::default();
    let error = stage
        .oauth()
        .sign_in(&browser.opener(|back| back), PATIENCE)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::SignInDenied, "BL3403")
    );
    assert!(
        error.to_string().ends_with("was refused: access_denied"),
        "{error}"
    );
    assert!(browser.page().await.body.contains("Not signed in"));
    assert_eq!(stage.asked(), 0);
}

#[tokio::test]
async fn whoever_comes_with_another_state_changes_nothing() {
    let stage = Stage::new().await;
    let browser = TestBrowser::default();
    let opener = browser.opener(|back| back.replace("state=", "state=x"));
    let patience = Duration::from_millis(500);
    let error = stage.oauth().sign_in(&opener, patience).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::ForeignState, "BL3404")
    );
    assert_eq!(browser.page().await.status, 400);
    assert_eq!(stage.asked(), 0);

    // A stranger does not keep the user from signing in, nor does a browser's own curiosity.
    let opener = |url: &Url| {
        let (url, callback) = (url.clone(), stage.callback.clone());
        tokio::spawn(async move {
            let forged = format!("{callback}/?code=x&state=y");
            assert_eq!(visit(&Url::parse(&forged).unwrap()).await.status, 400);
            let icon = format!("{callback}/favicon.ico");
            assert_eq!(visit(&Url::parse(&icon).unwrap()).await.status, 404);
            let back = visit(&url).await.location.unwrap();
            visit(&Url::parse(&back).unwrap()).await
        });
    };
    stage.oauth().sign_in(&opener, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_sign_in_that_nobody_answers_ends_and_frees_its_port() {
    let stage = Stage::new().await;
    for _ in 0..2 {
        let error = stage
            .oauth()
            .sign_in(&|_| (), NO_PATIENCE)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.code().as_str()),
            (ErrorKind::SignInTimeout, "BL3406")
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let stage = Stage::new().await;
    let port: u16 = stage.callback.rsplit(':').next().unwrap().parse().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let opened = AtomicBool::new(false);
    let open = |_: &Url| opened.store(true, Relaxed);
    let error = stage.oauth().sign_in(&open, PATIENCE).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::CallbackPort, "BL3405")
    );
    assert!(
        error.to_string().contains(&format!("port {port} is used")),
        "{error}"
    );
    assert!(!opened.load(Relaxed));
    drop(taken);
    // A browser may take `localhost` for the other protocol's address.
    if let Ok(_taken) = TcpListener::bind(("::1", port)) {
        let error = stage.oauth().sign_in(&open, PATIENCE).await;
        assert_eq!(kind(error), ErrorKind::CallbackPort);
    }

    let mut settings = stage.settings();
    settings.callback = "https://app.example/back".to_owned();
    let oauth = OAuth::new(settings).unwrap();
    assert_eq!(
        kind(oauth.sign_in(&open, PATIENCE).await),
        ErrorKind::CallbackPort
    );
}

#[tokio::test]
async fn a_wrong_consumer_is_refused() {
    let stage = Stage::new().await;
    let mut settings = stage.settings();
    settings.grant = Grant::ClientCredentials;
    settings.client_secret = secret("planted-secret");
    let client = stage.client(&OAuth::new(settings).unwrap());
    let error = client.get(&stage.user()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::ConsumerRefused, "BL3407")
    );
    assert_eq!(stage.asked(), 1);
}

#[tokio::test]
async fn tokens_go_to_their_two_origins_alone() {
    let stage = Stage::new().await;
    let oauth = stage.signed_in().await;
    let base = Url::parse("https://api.example/2.0").unwrap();
    let credential = Credential::OAuth(oauth);
    let config = ClientConfig::new(base, credential, "test/1", Problem::from_text);
    assert_eq!(
        Client::new(config).unwrap_err().kind(),
        ErrorKind::ForeignOrigin
    );

    let mut settings = stage.settings();
    settings.server.authorize = Url::parse("https://other.example/authorize").unwrap();
    assert_eq!(
        OAuth::new(settings).unwrap_err().kind(),
        ErrorKind::ForeignOrigin
    );
    let mut settings = stage.settings();
    settings.server.token = Url::parse("http://other.example/token").unwrap();
    assert_eq!(
        OAuth::new(settings).unwrap_err().kind(),
        ErrorKind::InsecureScheme
    );
}
