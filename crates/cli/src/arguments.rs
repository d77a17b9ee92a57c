//! What can be typed on the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::log::Filter;

const EXAMPLES: &str = "\
Examples:
  bucketline demo                                  see it work, without a Bitbucket account
  bucketline -e 'REPLICATE PullRequests;'          one statement
  bucketline run nightly.sql                       a script
  bucketline plan nightly.sql                      what it would request and change
  bucketline connect prod                          sign in, and see what a connection can read
  bucketline serve                                 jobs and schedules, by a REST API
  bucketline --format csv -e 'SELECT * FROM Repositories;' > repositories.csv
  bucketline                                       an interactive session

Environment:
  BITBUCKET_WORKSPACE, BITBUCKET_EMAIL, BITBUCKET_API_TOKEN or BITBUCKET_ACCESS_TOKEN
                         make a connection named bitbucket, unless there is one
  BUCKETLINE_CONFIG, BUCKETLINE_DESTINATION, BUCKETLINE_STATE
                         the configuration file, the SQLite file, the folder of budgets and tokens
  BUCKETLINE_STORE       the store of jobs, schedules and runs
  BUCKETLINE_LOG         the same as --log
  NO_COLOR               no colours

Exit codes:
  0 all is well   1 a statement or a test of a connection failed
  2 wrong arguments, configuration or syntax
  3 a REPLICATE was done in part, or values were lost   130 interrupted   143 terminated";

/// Replicates Bitbucket Cloud into a database with SQL.
#[derive(Debug, Parser)]
#[command(name = "bucketline", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Run this SQL; may be repeated, each is a script of its own
    #[arg(
        short = 'e',
        long = "execute",
        value_name = "SQL",
        allow_hyphen_values = true
    )]
    pub(crate) execute: Vec<String>,

    /// Print the licences of the packages that this program contains
    #[arg(long, exclusive = true)]
    pub(crate) licenses: bool,

    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scripts, in order; - is the standard input
    Run {
        /// Files with SQL
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say what scripts would request and change, and do none of it
    Plan {
        /// Files with SQL; - is the standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Sign a connection in, if need be, and test it step by step
    Connect(ConnectArguments),
    /// Say how the hour of each connection's request budget stands: limit, used, reserved, free
    Budget {
        /// Only this connection
        #[arg(value_name = "CONNECTION")]
        connection: Option<String>,
    },
    /// Print a script that completes commands and options in a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, in roff: bucketline man | man -l -
    Man {
        /// The page of a command [default: that of the program]
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
    /// Serve the application: connections, jobs, schedules and runs, by a REST API
    Serve(ServeArguments),
    /// Work with the application's store
    App(AppArguments),
    /// Serve an imitation of Bitbucket Cloud to try things against
    Sandbox(SandboxArguments),
    /// Replicate two accounts of a sandbox into one SQLite file, step by step
    Demo(DemoArguments),
}

/// Options of every command that runs SQL.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Options {
    /// Configuration file [default: bucketline.toml here, else in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// A connection, such as prod="Workspace=acme;User=me@example.com;Token=env:TOKEN"; may be repeated
    #[arg(long = "connection", global = true, value_name = "NAME=PROPERTIES")]
    pub(crate) connections: Vec<String>,

    /// The value of a parameter of scripts: since=2026-08-10 is that of @since, 1=5 that of the first ?, env:team=a
    /// that of {env:team}; may be repeated
    #[arg(long = "param", global = true, value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<String>,

    /// Time zone of functions of dates, such as Europe/Berlin or +02:00 [default: UTC]
    #[arg(long, global = true, value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) time_zone: Option<String>,

    /// What to write to: a SQLite file, a URL such as postgres://user@host/database, or a connection's name
    /// [default: bucketline.db]
    #[arg(long, global = true, value_name = "WHERE")]
    pub(crate) destination: Option<String>,

    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Go on with the next statement, and the next script, after one that failed
    #[arg(long = "continue", global = true, conflicts_with = "stop_on_error")]
    pub(crate) continue_on_error: bool,

    /// Stop at the first failure, also where only some repositories of a REPLICATE failed
    #[arg(long, global = true)]
    pub(crate) stop_on_error: bool,

    /// Exit with 3 if values could not be kept as the source has them, such as those of another type than their column
    #[arg(long, global = true)]
    pub(crate) fail_on_lost_values: bool,

    /// Log to the standard error: off, error, warn, info, debug or trace, or levels by part, such as
    /// info,bucketline_rest=trace; draws no progress bars
    #[arg(long, global = true, value_name = "LEVEL", env = "BUCKETLINE_LOG", hide_env_values = true, value_parser = Filter::parse)]
    pub(crate) log: Option<Filter>,

    /// How what happens is told on the standard error
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,

    /// Never draw progress bars
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,

    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) color: ColorChoice,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns aligned for people; long texts are cut
    #[default]
    Table,
    /// A line for each column of a row, one row after the other
    Vertical,
    /// RFC 4180, with a header
    Csv,
    /// One array of objects for each result
    Json,
    /// An object a line for each row
    Ndjson,
    /// A table in Markdown
    Markdown,
}

/// How what happens is told on the standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// An object a line, for programs
    Json,
}

impl Format {
    /// As it is given.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Options of `bucketline connect`.
#[derive(Debug, Args)]
pub(crate) struct ConnectArguments {
    /// The connection
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Sign in with a browser on another machine, and paste what it comes back with
    #[arg(long)]
    pub(crate) headless: bool,

    /// Tables to read a row of; `all` are those that the service has [default: a few]
    #[arg(long, value_delimiter = ',', value_name = "TABLES")]
    pub(crate) tables: Vec<String>,
}

/// Where the application's store is.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// The application's store: a SQLite file, or a URL such as postgres://user@host/database with its password in
    /// PGPASSWORD [default: app.db in the folder of budgets and tokens]
    #[arg(
        long,
        env = "BUCKETLINE_STORE",
        hide_env_values = true,
        value_name = "WHERE"
    )]
    pub(crate) store: Option<String>,

    /// The file of the key that seals secrets in the store [default: bucketline-key of systemd's credentials, else a file
    /// beside the store, which is made when it is needed]
    #[arg(long, env = "BUCKETLINE_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Folder below which SQLite files and other paths of stored connections are [default: the current one]
    #[arg(long, env = "BUCKETLINE_DATA", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,

    /// A host that stored connections and webhooks may reach although it is not public: a name or an address; may be
    /// repeated
    #[arg(
        long = "allow-host",
        env = "BUCKETLINE_ALLOW_HOST",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub(crate) allowed_hosts: Vec<String>,

    /// A variable that stored connections may take a secret from, by env:NAME; may be repeated
    #[arg(
        long = "allow-env",
        env = "BUCKETLINE_ALLOW_ENV",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub(crate) allowed_variables: Vec<String>,

    /// A file that stored connections may take a secret from, by file:PATH; may be repeated
    #[arg(
        long = "allow-file",
        env = "BUCKETLINE_ALLOW_FILE",
        value_delimiter = ',',
        value_name = "PATH"
    )]
    pub(crate) allowed_files: Vec<PathBuf>,
}

/// Options of `bucketline serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Where to listen; port 0 takes a free one. Addresses that other machines reach need TLS or a trusted proxy
    #[arg(long, default_value = "127.0.0.1:7979", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,

    /// A name by which the server is asked, beside those of this machine; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,

    /// The server's certificate and those that lead to its authority, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The key of the certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The address of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; may be repeated
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    pub(crate) proxies: Vec<IpAddr>,

    /// Make the account `admin` with the password in this file, if there is no account
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_password_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// Options of `bucketline app`.
#[derive(Debug, Args)]
pub(crate) struct AppArguments {
    #[command(subcommand)]
    pub(crate) command: AppCommand,

    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// What is done with the application's store.
#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List the jobs: when each is due, and how it went last
    Jobs,
    /// Run a job as `serve` would, and wait for its end; what else is due meanwhile runs, too
    Run {
        /// The job's name
        #[arg(value_name = "JOB")]
        job: String,
    },
    /// List the runs, the last first
    History {
        /// Of this job only
        #[arg(long, value_name = "JOB")]
        job: Option<String>,
        /// Runs at most
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Write connections and jobs as files: application.toml, and a .sql file for each task
    Export {
        /// The folder; files of the same names are replaced
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Bring connections and jobs to what files say; applied again, it changes nothing
    Apply {
        /// The folder of an export
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Say what would change, and change nothing
        #[arg(long)]
        plan: bool,
        /// Remove connections and jobs that are not in the files
        #[arg(long)]
        remove: bool,
    },
    /// Seal the store's secrets by a new key
    RotateKey,
    /// Bring the store to this version's schema, which `serve` does, too; prints the steps
    Migrate,
}

/// Options of `bucketline sandbox`.
#[derive(Debug, Args)]
pub(crate) struct SandboxArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 7990)]
    pub(crate) port: u16,

    /// Slugs of the workspaces
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "acme,globex",
        value_name = "SLUGS"
    )]
    pub(crate) workspaces: Vec<String>,

    /// Repositories in each workspace
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) repositories: u32,

    /// Issues in each workspace
    #[arg(long, default_value_t = 480, value_name = "N")]
    pub(crate) issues: u64,

    /// Pull requests in each workspace
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub(crate) pull_requests: u64,

    /// Branches in each repository
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub(crate) branches: u32,

    /// Repositories of each workspace without an issue tracker
    #[arg(long, value_name = "N")]
    pub(crate) trackers_off: Option<u32>,

    /// Issues in each repository that share one updated_on
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) same_updated_on: u32,

    /// Seed of the generated data
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,

    /// Which day is played: before or after 2026-08-20, when issues were removed
    #[arg(long, value_enum, default_value_t = Day::Before)]
    pub(crate) day: Day,

    /// Milliseconds that every answer is held back
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) latency_ms: u64,

    /// Requests an hour for each user or access token; 0 is no limit
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(crate) requests_per_hour: u32,

    /// Do not compress answers
    #[arg(long)]
    pub(crate) no_gzip: bool,
}

/// A day that the sandbox plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Day {
    /// Issues answer
    Before,
    /// Issues answer 410
    After,
}

/// Options of `bucketline demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder for the files of the demonstration; must be new or empty [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,

    /// Keep the sandbox running at the end, to go on by hand, until Ctrl-C
    #[arg(long)]
    pub(crate) serve: bool,

    /// Port of the sandbox on 127.0.0.1 [default: a free one]
    #[arg(
        long,
        default_value_t = 0,
        value_name = "PORT",
        hide_default_value = true
    )]
    pub(crate) port: u16,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Format};

    #[test]
    fn the_declaration_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        let before = ["bucketline", "--format", "csv", "run", "a.sql"];
        let after = ["bucketline", "run", "a.sql", "--format", "csv"];
        for line in [before, after] {
            assert_eq!(
                Arguments::try_parse_from(line).unwrap().options.format,
                Format::Csv
            );
        }
    }
}
