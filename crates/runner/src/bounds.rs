//! What connections of the store and webhooks may reach: who makes them by the page or the API must not read this machine, nor
//! reach what only it reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bucketline::{Access, ConnectionProperties};
use bucketline_app::{Error, Result};
use bucketline_core::code;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// What may be reached. Without more, files and variables that are named, and public addresses.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Files and variables of the environment.
    pub access: Access,
    /// Hosts that may be reached although their addresses are not public: names, addresses, folders of sockets.
    pub hosts: Vec<String>,
}

impl Bounds {
    /// The properties of a connection within the bounds.
    ///
    /// # Errors
    /// If it names a file, a variable or an address that is out of reach.
    pub(crate) fn held(&self, properties: ConnectionProperties) -> Result<ConnectionProperties> {
        let properties = properties.within(&self.access).map_err(|error| {
            error.with_hint(
                "whoever starts the application can allow it with `--allow-env`, `--allow-file` or `--data`",
            )
        })?;
        for host in properties.hosts() {
            self.check_literal(&host)?;
        }
        Ok(properties)
    }

    /// Refuses an address that is out of reach, and what can only mean one. Names are looked up when they are used.
    fn check_literal(&self, host: &str) -> Result<()> {
        let is_private = match host.parse::<IpAddr>() {
            Ok(address) => !is_public(address),
            Err(_) => host.starts_with('/') || host.eq_ignore_ascii_case("localhost"),
        };
        match is_private && !self.names(host) {
            true => Err(out_of_reach(host)),
            false => Ok(()),
        }
    }

    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host))
    }

    fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.names(&address.to_string())
    }

    /// Refuses hosts of which any address is out of reach.
    ///
    /// # Errors
    /// If there is such an address. A name without any is left to whoever asks it.
    pub(crate) async fn check(&self, properties: &ConnectionProperties) -> Result<()> {
        for host in properties.hosts() {
            self.check_literal(&host)?;
            if self.names(&host) || host.starts_with('/') {
                continue;
            }
            let Ok(mut found) = lookup_host((host.as_str(), 0)).await else {
                continue;
            };
            if found.any(|found| !self.admits(found.ip())) {
                return Err(out_of_reach(&host));
            }
        }
        Ok(())
    }

    /// Refuses the address of a webhook whose host is an address out of reach. Names are checked by [`Bounds::resolver`].
    ///
    /// # Errors
    /// If it is one.
    pub(crate) fn check_url(&self, address: &str) -> Result<()> {
        let host = reqwest::Url::parse(address).ok();
        let host = host.as_ref().and_then(reqwest::Url::host_str);
        host.map_or(Ok(()), |host| {
            self.check_literal(host.trim_matches(['[', ']']))
        })
    }

    /// Looks names up, and leaves out what is out of reach.
    pub(crate) fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::new(Resolver(self.clone()))
    }
}

fn out_of_reach(host: &str) -> Error {
    let message = format!(
        "{host} is no public address, which connections and webhooks made here may not reach"
    );
    Error::new(code::runner::OUT_OF_REACH, message)
        .with_hint("whoever starts the application can allow it with `--allow-host`")
}

#[derive(Debug)]
struct Resolver(Bounds);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let bounds = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = lookup_host((host, 0)).await?.collect();
            let is_out = |found: &SocketAddr| !bounds.admits(found.ip());
            if !bounds.names(host) && found.iter().any(is_out) {
                return Err(out_of_reach(host).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether everybody can reach an address: none of a machine itself, a private network, a provider's metadata.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the registry of special addresses of IANA.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 100 && (64..128).contains(&b)
        || [a, b, c] == [192, 0, 0]
        || [a, b, c] == [192, 88, 99]
        || a == 198 && (b == 18 || b == 19)
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let parts = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Those that carry an address of the other kind.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        // Documentation, and tunnels that are out of use.
        [0x2001, 0xdb8 | 0, ..] => false,
        // What is given to networks is in this range.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use bucketline::{Access, ConnectionProperties};

    use super::{Bounds, is_public};

    #[test]
    fn addresses_of_machines_and_private_networks_are_not_public() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.192",
            "198.18.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "::127.0.0.1",
            "2001:db8::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "104.192.141.1",
            "8.8.8.8",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    fn properties(text: &str) -> ConnectionProperties {
        ConnectionProperties::parse("test", text).unwrap()
    }

    #[test]
    fn a_connection_reads_no_variable_and_no_file_that_is_not_allowed() {
        let access = Access::default()
            .with_files_below("/data")
            .without("/data/state")
            .with_variables(["TOKEN".to_owned()]);
        let bounds = Bounds {
            access: access.with_secret_files([]),
            ..Bounds::default()
        };
        for text in [
            "Workspace=acme;Token=env:PATH",
            "Workspace=acme;Token=file:/etc/passwd",
            "Workspace=acme;Token=file:/data/copy.db",
            "Type=SQLite;Data Source=/etc/copy.db",
            "Type=SQLite;Data Source=../copy.db",
            "Type=SQLite;Data Source=state/app.db",
            "Type=Archive;Path=/etc",
            "Type=PostgreSQL;URL=\"postgres://u@db.example/d?passfile=/etc/passwords\"",
            "Type=PostgreSQL;URL=\"host=db.example user=u ssl_root_cert=/etc/shadow\"",
            "Type=PostgreSQL;URL=\"postgres://u@db.example/d?ssl%6Bey=/etc/key\"",
        ] {
            let error = bounds.held(properties(text)).unwrap_err();
            assert_eq!(error.code(), "BL8012", "{text}: {error}");
            assert!(error.hint().unwrap().contains("--allow-env"), "{error:?}");
        }
        for text in [
            "Workspace=acme;Token=env:TOKEN",
            "Type=SQLite;Data Source=copy.db",
            "Type=PostgreSQL;URL=\"postgres://u@db.example/d?sslrootcert=system\"",
        ] {
            bounds.held(properties(text)).unwrap();
        }
        for blank in [" ", "\t", "\n", "\u{a0}"] {
            for reference in ["env:PATH", "file:/etc/passwd"] {
                for name in ["Token", "Password", "ProxyPassword", "OAuth Client Secret"] {
                    let pairs = [
                        ("Workspace", "acme".to_owned()),
                        (name, format!("{blank}{reference}")),
                    ];
                    let properties = ConnectionProperties::new("test", pairs);
                    let error = bounds.held(properties).unwrap_err();
                    assert_eq!(error.code(), "BL8012", "{name} {reference}: {error}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_connection_reaches_no_private_host_that_is_not_allowed() {
        let bounds = Bounds::default();
        for text in [
            "BaseURL=http://127.0.0.1:7990",
            "BaseURL=http://[::1]:7990",
            "BaseURL=http://2130706433/",
            "BaseURL=http://0x7f.1/",
            "BaseURL=https://169.254.169.254/latest",
            "BaseURL=http://localhost:1",
            "OAuthServer=https://10.0.0.1",
            "ProxyServer=192.168.0.1",
            "Type=PostgreSQL;Server=127.0.0.1;Database=a",
            "Type=PostgreSQL;Server=db.example,127.0.0.1;Database=a",
            "Type=PostgreSQL;Server=/var/run/postgresql;Database=a",
            "Type=PostgreSQL;URL=postgres://a@[::1]/a",
            "Type=PostgreSQL;URL=postgres://a@/a?host=10.0.0.1",
        ] {
            let error = bounds.held(properties(text)).unwrap_err();
            assert_eq!(error.code(), "BL0404", "{text}: {error}");
        }
        // A name that means this machine is found out when it is used.
        let named = properties("Type=PostgreSQL;Server=2130706433;Database=a");
        let named = bounds.held(named).unwrap();
        assert_eq!(bounds.check(&named).await.unwrap_err().code(), "BL0404");

        bounds.held(properties("Workspace=acme")).unwrap();
        let allowed = Bounds {
            hosts: vec!["127.0.0.1".to_owned()],
            ..Bounds::default()
        };
        let here = allowed.held(properties("BaseURL=http://127.0.0.1:7990"));
        allowed.check(&here.unwrap()).await.unwrap();
        let there = allowed.held(properties("BaseURL=http://127.0.0.2:7990"));
        assert_eq!(there.unwrap_err().code(), "BL0404");
    }

    #[test]
    fn a_webhook_reaches_no_private_address() {
        let bounds = Bounds::default();
        for address in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://017700000001/",
            "http://localhost/",
        ] {
            assert_eq!(
                bounds.check_url(address).unwrap_err().code(),
                "BL0404",
                "{address}"
            );
        }
        bounds.check_url("https://hooks.example/x").unwrap();
    }
}
