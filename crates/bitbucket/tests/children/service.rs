//! A service with pull requests that sorts, filters and pages as Bitbucket does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) state: &'static str,
    /// Seconds.
    pub(crate) updated: i64,
    pub(crate) comments: BTreeMap<i64, String>,
    pub(crate) reviewers: Vec<String>,
    /// Its lists are answered so.
    pub(crate) fault: Option<u16>,
}

/// A pipeline, by the second in which it was created.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) state: &'static str,
    pub(crate) steps: i64,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) clock: i64,
    pub(crate) pipelines: BTreeMap<i64, Pipeline>,
    /// Parents of commits, and heads of branches.
    pub(crate) commits: BTreeMap<&'static str, Option<&'static str>>,
    pub(crate) branches: BTreeMap<&'static str, &'static str>,
    pub(crate) pulls: BTreeMap<i64, Pull>,
}

impl World {
    /// Changes a pull request, which it makes if there is none.
    pub(crate) fn touch(&mut self, id: i64) {
        self.clock += 1;
        let updated = self.clock;
        let pull = self.pulls.entry(id).or_insert_with(|| Pull {
            state: "OPEN",
            updated,
            comments: BTreeMap::new(),
            reviewers: Vec::new(),
            fault: None,
        });
        pull.updated = updated;
    }

    pub(crate) fn comment(&mut self, pull: i64, id: i64) {
        self.touch(pull);
        let comments = &mut self.pulls.get_mut(&pull).unwrap().comments;
        comments.insert(id, format!("comment {id}"));
    }
}

pub(crate) struct Service {
    address: std::net::SocketAddr,
    world: Arc<Mutex<World>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self {
            address: listener.local_addr().unwrap(),
            world: Arc::default(),
            requests: Arc::default(),
        };
        let (world, requests) = (service.world.clone(), service.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (world, requests) = (world.clone(), requests.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &world, &requests).await;
                });
            }
        });
        service
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/2.0", self.address)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The paths and queries asked for since the last call, decoded.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

async fn serve(
    mut stream: TcpStream,
    world: &Mutex<World>,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = buffer.drain(..end + 4).collect();
                break String::from_utf8_lossy(&head).into_owned();
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await? {
                0 => return Ok(()),
                length => buffer.extend_from_slice(&chunk[..length]),
            }
        };
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, body, date) = {
            let world = world.lock().unwrap();
            let (status, body) = answer(&world, &target);
            (status, body.to_string(), instant(world.clock))
        };
        let shown = percent_encoding::percent_decode_str(&target).decode_utf8_lossy();
        requests.lock().unwrap().push(shown.into_owned());
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT");
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ndate: {date}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

pub(crate) fn instant(clock: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + clock, 0).unwrap()
}

fn answer(world: &World, target: &str) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            (name.to_owned(), value.into_owned())
        })
        .collect();
    let segments: Vec<_> = path.trim_matches('/').split('/').collect();
    let rows: Vec<Value> = match segments[..] {
        [_, "repositories", _, _, "pullrequests"] => {
            let states: Vec<_> = query
                .iter()
                .filter(|(name, _)| name == "state")
                .map(|(_, value)| value.as_str())
                .collect();
            let pulls = world
                .pulls
                .iter()
                .filter(|(_, pull)| states.contains(&pull.state));
            pulls.map(|(id, pull)| json!({
                "id": id,
                "state": pull.state,
                "updated_on": instant(pull.updated).to_rfc3339_opts(SecondsFormat::Micros, false),
                "reviewers": pull.reviewers.iter().map(|uuid| json!({"uuid": uuid, "type": "user"})).collect::<Vec<_>>(),
            })).collect()
        }
        [_, "repositories", _, _, "pullrequests", id, list] => {
            let Some(pull) = id.parse().ok().and_then(|id: i64| world.pulls.get(&id)) else {
                return (
                    404,
                    json!({"type": "error", "error": {"message": "Not Found"}}),
                );
            };
            if let Some(status) = pull.fault {
                return (
                    status,
                    json!({"type": "error", "error": {"message": "No."}}),
                );
            }
            match list {
                "comments" => pull
                    .comments
                    .iter()
                    .map(|(id, text)| json!({"id": id, "content": {"raw": text}}))
                    .collect(),
                // Rows of the same names, to have some.
                "commits" => {
                    let hashes = pull.comments.keys();
                    hashes.map(|id| json!({"hash": id.to_string()})).collect()
                }
                "diffstat" => {
                    let paths = pull.comments.keys();
                    paths
                        .map(|id| json!({"new": {"path": id.to_string()}}))
                        .collect()
                }
                _ => Vec::new(),
            }
        }
        [_, "repositories", _, _, "pipelines"] => {
            let pipeline = |(id, pipeline): (&i64, &Pipeline)| {
                json!({
                    "uuid": format!("{{{id}}}"),
                    "state": {"name": pipeline.state},
                    "created_on": instant(*id).to_rfc3339_opts(SecondsFormat::Nanos, true),
                })
            };
            // Without `sort` the oldest come first, and the link to the next page has none.
            let is_sort =
                |(name, value): &(String, String)| name == "sort" && value == "-created_on";
            let mut rows: Vec<_> = world.pipelines.iter().map(pipeline).collect();
            if query.iter().any(is_sort) {
                rows.reverse();
            }
            return (200, numbered(&rows, &query, path));
        }
        [_, "repositories", _, _, "pipelines", uuid, "steps"] => {
            let id = uuid.trim_start_matches("%7B").trim_end_matches("%7D");
            let id: i64 = id.parse().unwrap();
            let steps = world
                .pipelines
                .get(&id)
                .map_or(0, |pipeline| pipeline.steps);
            let step = |step: i64| json!({"uuid": format!("{{{id}-{step}}}")});
            (0..steps).map(step).collect()
        }
        [_, "repositories", _, _, "refs", "branches"] => {
            let branch = |(name, head)| json!({"name": name, "target": {"hash": head}});
            world.branches.iter().map(branch).collect()
        }
        [_, "repositories", _, _, "commits"] => match commits(world, &query) {
            Ok(hashes) => hashes.iter().map(|hash| json!({"hash": hash})).collect(),
            Err(unknown) => {
                let error = json!({"message": "Commit not found", "data": {"shas": unknown}});
                return (404, json!({"type": "error", "error": error}));
            }
        },
        _ => {
            return (
                404,
                json!({"type": "error", "error": {"message": "Not Found"}}),
            );
        }
    };
    (200, list(rows, &query))
}

/// The commits asked for, or those that are not there.
fn commits(world: &World, query: &[(String, String)]) -> Result<BTreeSet<String>, Vec<String>> {
    let named = |wanted: &str| -> Vec<&str> {
        let found = query.iter().filter(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).collect()
    };
    let (mut include, exclude) = (named("include"), named("exclude"));
    let all = include.iter().chain(&exclude);
    let unknown: Vec<_> = all
        .filter(|hash| !world.commits.contains_key(**hash))
        .map(ToString::to_string)
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    if include.is_empty() {
        include = world.branches.values().copied().collect();
    }
    let reached = |heads: &[&str]| {
        let mut reached = BTreeSet::new();
        for head in heads {
            let mut at = world.commits.get_key_value(head);
            while let Some((hash, parent)) = at {
                reached.insert((*hash).to_owned());
                at = parent.and_then(|parent| world.commits.get_key_value(parent));
            }
        }
        reached
    };
    Ok(&reached(&include) - &reached(&exclude))
}

/// A page by its number; the link to the next one forgets `sort`.
fn numbered(rows: &[Value], query: &[(String, String)], path: &str) -> Value {
    let number = |wanted: &str, otherwise: usize| {
        let found = query.iter().find(|(name, _)| name == wanted);
        found.map_or(otherwise, |(_, value)| value.parse().unwrap())
    };
    let (page, size) = (number("page", 1), number("pagelen", 10).min(3));
    let shown: Vec<_> = rows.iter().skip((page - 1) * size).take(size).collect();
    let mut answer = json!({"page": page, "pagelen": size, "values": shown});
    if rows.len() > page * size {
        answer["next"] = json!(format!("http://127.0.0.1:1{path}?page={}", page + 1));
    }
    answer
}

/// Sorts, filters and cuts to a page.
fn list(mut rows: Vec<Value>, query: &[(String, String)]) -> Value {
    let parameter = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    for condition in parameter("q").into_iter().flat_map(|q| q.split(" AND ")) {
        let [field, operator, value] = condition.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{condition}")
        };
        rows.retain(|row| {
            let held = row[field]
                .as_str()
                .map_or_else(|| row[field].to_string(), str::to_owned);
            let number = |text: &str| text.parse::<i64>().ok();
            let order = match (number(&held), number(value)) {
                (Some(held), Some(value)) => held.cmp(&value),
                _ => held.as_str().cmp(value.trim_matches('"')),
            };
            match operator {
                ">=" => order.is_ge(),
                ">" => order.is_gt(),
                "=" => order.is_eq(),
                "!=" => order.is_ne(),
                "IN" => value.contains(&format!("\"{held}\"")),
                other => panic!("{other}"),
            }
        });
    }
    if let Some(field) = parameter("sort") {
        rows.sort_by_key(|row| (row[field].as_str().map(str::to_owned), row[field].as_i64()));
    }
    let size: usize = parameter("pagelen").map_or(10, |size| size.parse().unwrap());
    let more = rows.len() > size;
    rows.truncate(size);
    let mut page = json!({"pagelen": size, "values": rows});
    if more {
        page["next"] = json!("http://127.0.0.1:1/never-followed");
    }
    page
}
