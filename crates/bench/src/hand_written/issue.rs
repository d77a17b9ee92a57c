//! An issue as the API gives it and as the table has it.

use serde::Deserialize;

/// The kinds of column in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Text,
    Integer,
    Timestamp,
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
    /// As the API gives it.
    Timestamp(Option<&'a str>),
}

/// The table's columns, named as Bucketline names them, in the order of [`Issue::row`].
pub(crate) const COLUMNS: [(&str, Column); 46] = [
    ("Workspace", Column::Text),
    ("Repository", Column::Text),
    ("RepositoryUUID", Column::Text),
    ("Id", Column::Integer),
    ("Type", Column::Text),
    ("Title", Column::Text),
    ("State", Column::Text),
    ("Kind", Column::Text),
    ("Priority", Column::Text),
    ("Votes", Column::Integer),
    ("ContentRaw", Column::Text),
    ("ContentMarkup", Column::Text),
    ("ContentHtml", Column::Text),
    ("ReporterUUID", Column::Text),
    ("ReporterType", Column::Text),
    ("ReporterDisplayName", Column::Text),
    ("ReporterNickname", Column::Text),
    ("ReporterAccountId", Column::Text),
    ("ReporterLinksSelfHref", Column::Text),
    ("ReporterLinksHtmlHref", Column::Text),
    ("ReporterLinksAvatarHref", Column::Text),
    ("AssigneeUUID", Column::Text),
    ("AssigneeType", Column::Text),
    ("AssigneeDisplayName", Column::Text),
    ("AssigneeNickname", Column::Text),
    ("AssigneeAccountId", Column::Text),
    ("AssigneeLinksSelfHref", Column::Text),
    ("AssigneeLinksHtmlHref", Column::Text),
    ("AssigneeLinksAvatarHref", Column::Text),
    ("ComponentId", Column::Integer),
    ("ComponentName", Column::Text),
    ("MilestoneId", Column::Integer),
    ("MilestoneName", Column::Text),
    ("VersionId", Column::Integer),
    ("VersionName", Column::Text),
    ("RepositoryName", Column::Text),
    ("RepositoryFullName", Column::Text),
    ("CreatedOn", Column::Timestamp),
    ("UpdatedOn", Column::Timestamp),
    ("EditedOn", Column::Timestamp),
    ("LinksSelfHref", Column::Text),
    ("LinksHtmlHref", Column::Text),
    ("LinksCommentsHref", Column::Text),
    ("LinksAttachmentsHref", Column::Text),
    ("LinksWatchHref", Column::Text),
    ("LinksVoteHref", Column::Text),
];

/// A repository in the workspace's list.
#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) slug: String,
    uuid: String,
}

#[derive(Deserialize)]
pub(super) struct Issue {
    id: i64,
    r#type: String,
    title: Option<String>,
    state: String,
    kind: Option<String>,
    priority: Option<String>,
    votes: Option<i64>,
    #[serde(default)]
    content: Content,
    reporter: Option<Account>,
    assignee: Option<Account>,
    component: Option<Named>,
    milestone: Option<Named>,
    version: Option<Named>,
    repository: InRepository,
    created_on: String,
    updated_on: String,
    edited_on: Option<String>,
    links: Links,
}

#[derive(Default, Deserialize)]
struct Content {
    raw: Option<String>,
    markup: Option<String>,
    html: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    uuid: Option<String>,
    r#type: Option<String>,
    display_name: Option<String>,
    nickname: Option<String>,
    account_id: Option<String>,
    #[serde(default)]
    links: AccountLinks,
}

#[derive(Default, Deserialize)]
struct AccountLinks {
    #[serde(rename = "self")]
    api: Option<Link>,
    html: Option<Link>,
    avatar: Option<Link>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<i64>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct InRepository {
    name: Option<String>,
    full_name: Option<String>,
}

#[derive(Deserialize)]
struct Links {
    #[serde(rename = "self")]
    api: Option<Link>,
    html: Option<Link>,
    comments: Option<Link>,
    attachments: Option<Link>,
    watch: Option<Link>,
    vote: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: String,
}

impl Issue {
    /// The values of [`COLUMNS`].
    pub(super) fn row<'a>(&'a self, repository: &'a Repository) -> [Cell<'a>; COLUMNS.len()] {
        let [
            reporter_uuid,
            reporter_type,
            reporter_name,
            reporter_nickname,
            reporter_id,
            reporter_self,
            reporter_html,
            reporter_avatar,
        ] = account(self.reporter.as_ref());
        let [
            assignee_uuid,
            assignee_type,
            assignee_name,
            assignee_nickname,
            assignee_id,
            assignee_self,
            assignee_html,
            assignee_avatar,
        ] = account(self.assignee.as_ref());
        let [component_id, component_name] = named(self.component.as_ref());
        let [milestone_id, milestone_name] = named(self.milestone.as_ref());
        let [version_id, version_name] = named(self.version.as_ref());
        [
            Cell::Text(Some(crate::server::WORKSPACE)),
            Cell::Text(Some(&repository.slug)),
            Cell::Text(Some(&repository.uuid)),
            Cell::Integer(Some(self.id)),
            Cell::Text(Some(&self.r#type)),
            text(&self.title),
            Cell::Text(Some(&self.state)),
            text(&self.kind),
            text(&self.priority),
            Cell::Integer(self.votes),
            text(&self.content.raw),
            text(&self.content.markup),
            text(&self.content.html),
            reporter_uuid,
            reporter_type,
            reporter_name,
            reporter_nickname,
            reporter_id,
            reporter_self,
            reporter_html,
            reporter_avatar,
            assignee_uuid,
            assignee_type,
            assignee_name,
            assignee_nickname,
            assignee_id,
            assignee_self,
            assignee_html,
            assignee_avatar,
            component_id,
            component_name,
            milestone_id,
            milestone_name,
            version_id,
            version_name,
            text(&self.repository.name),
            text(&self.repository.full_name),
            Cell::Timestamp(Some(&self.created_on)),
            Cell::Timestamp(Some(&self.updated_on)),
            Cell::Timestamp(self.edited_on.as_deref()),
            href(self.links.api.as_ref()),
            href(self.links.html.as_ref()),
            href(self.links.comments.as_ref()),
            href(self.links.attachments.as_ref()),
            href(self.links.watch.as_ref()),
            href(self.links.vote.as_ref()),
        ]
    }
}

fn account(account: Option<&Account>) -> [Cell<'_>; 8] {
    let Some(account) = account else {
        return [Cell::Text(None); 8];
    };
    [
        text(&account.uuid),
        text(&account.r#type),
        text(&account.display_name),
        text(&account.nickname),
        text(&account.account_id),
        href(account.links.api.as_ref()),
        href(account.links.html.as_ref()),
        href(account.links.avatar.as_ref()),
    ]
}

fn named(named: Option<&Named>) -> [Cell<'_>; 2] {
    match named {
        Some(named) => [Cell::Integer(named.id), text(&named.name)],
        None => [Cell::Integer(None), Cell::Text(None)],
    }
}

fn href(link: Option<&Link>) -> Cell<'_> {
    Cell::Text(link.map(|link| link.href.as_str()))
}

fn text(text: &Option<String>) -> Cell<'_> {
    Cell::Text(text.as_deref())
}
