//! Where a Spoolman is: `http://HOST[:PORT][/BASE]`.

use std::str::FromStr;

/// Where a Spoolman is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `HOST:PORT`.
    pub(crate) authority: String,
    /// What comes before `/api/v1`; empty, or begins with a slash and does not end with one.
    pub(crate) base: String,
}

/// Why a text is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address like http://spools.local:7912")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || AddressError(text.to_owned());
        let uri: hyper::Uri = text.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        if uri.scheme_str() != Some("http")
            || authority.as_str().contains('@')
            || uri.query().is_some()
        {
            return Err(bad());
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_a_person_types_it() {
        for (text, authority, base) in [
            ("http://spools.local:7912", "spools.local:7912", ""),
            ("http://10.0.0.2/", "10.0.0.2:80", ""),
            ("http://[::1]:7912/spools/", "[::1]:7912", "/spools"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((&*address.authority, &*address.base), (authority, base));
        }
        for bad in [
            "",
            "spools.local",
            "https://x",
            "http://",
            "http://a@b",
            "http://a/?x=1",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
