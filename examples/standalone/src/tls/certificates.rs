use std::{fmt, sync::Arc};

use tokio_rustls::rustls::{
    pki_types::{CertificateDer, ServerName},
    sign::CertifiedKey,
};
use webpki::EndEntityCert;

/// The certificates of a server, in the order in which they are given.
pub(crate) struct Certificates {
    first: Arc<CertifiedKey>,
    others: Vec<Arc<CertifiedKey>>,
}

// === impl Certificates ===

impl Certificates {
    pub(crate) fn new(keys: Vec<Arc<CertifiedKey>>) -> Result<Self, String> {
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or("there is no certificate")?;
        Ok(Self { first, others: keys.collect() })
    }

    /// The first that is for this name, or else the first.
    pub(crate) fn for_name(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let of_name = name.and_then(|name| self.all().find(|key| is_for(key, &name)));
        Arc::clone(of_name.unwrap_or(&self.first))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let of_server: Option<&CertificateDer<'_>> = key.cert.first();
    let parsed = of_server.and_then(|certificate| EndEntityCert::try_from(certificate).ok());
    parsed.is_some_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
}

impl fmt::Debug for Certificates {
    /// The names of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for key in self.all() {
            let parsed = key.cert.first().and_then(|certificate| EndEntityCert::try_from(certificate).ok());
            let names = parsed.iter().flat_map(|certificate| certificate.valid_dns_names());
            list.entry(&names.collect::<Vec<_>>());
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;
    use crate::tls::provider;

    fn key(names: &[&str]) -> Arc<CertifiedKey> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let Made { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        Arc::new(CertifiedKey::from_der(vec![cert.der().clone()], key, &provider()).unwrap())
    }

    #[test]
    fn a_name_has_its_certificate_and_others_the_first() {
        let keys = [key(&["a.test"]), key(&["b.test", "*.c.test"]), key(&["x.c.test"])];
        let certificates = Certificates::new(keys.to_vec()).unwrap();
        for (name, expected) in [
            (Some("a.test"), 0),
            (Some("b.test"), 1),
            (Some("B.TEST"), 1),
            (Some("x.c.test"), 1),
            (Some("d.test"), 0),
            (Some("not a name"), 0),
            (None, 0),
        ] {
            assert!(Arc::ptr_eq(&certificates.for_name(name), &keys[expected]), "{name:?}");
        }
        assert_eq!(format!("{certificates:?}"), r#"[["a.test"], ["b.test", "*.c.test"], ["x.c.test"]]"#);
        assert!(Certificates::new(Vec::new()).is_err());
    }
}
