//! Issuer names and issuer templates, in which `{tenantid}` stands for one path segment.

const PLACE: &str = "{tenantid}";

/// The name that a policy, or the `issuer` member of a JWK, gives.
pub(super) enum IssuerName {
    /// One issuer.
    Literal(String),
    /// One issuer for each tenant.
    Template { before: String, after: String },
    /// A template with more than one place: nobody knows which of them the tenant is.
    Nobody,
}

impl IssuerName {
    pub(super) fn read(text: &str) -> Self {
        let mut pieces = text.split(PLACE);
        match (pieces.next(), pieces.next(), pieces.next()) {
            (Some(before), Some(after), None) => {
                IssuerName::Template { before: before.to_owned(), after: after.to_owned() }
            }
            (_, Some(_), Some(_)) => IssuerName::Nobody,
            _ => IssuerName::Literal(text.to_owned()),
        }
    }

    /// Whether this is exactly that issuer.
    pub(super) fn is_literally(&self, iss: &str) -> bool {
        matches!(self, IssuerName::Literal(name) if name == iss)
    }

    /// The tenant that `iss` has in the place of this template.
    pub(super) fn tenant_of<'n>(&self, iss: &'n str) -> Option<&'n str> {
        let IssuerName::Template { before, after } = self else { return None };
        let tenant = iss.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
        let strange = |c: char| matches!(c, '/' | '?' | '#' | '\\') || c.is_control() || c.is_whitespace();
        let segment = !matches!(tenant, "" | "." | ".." | PLACE) && !tenant.contains(strange);
        segment.then_some(tenant)
    }

    /// Whether this becomes `iss` once the tenant is put in its place.
    pub(super) fn becomes(&self, iss: &str, tenant: Option<&str>) -> bool {
        match (self, tenant) {
            (IssuerName::Literal(name), _) => name == iss,
            (IssuerName::Template { .. }, Some(tenant)) => self.tenant_of(iss) == Some(tenant),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::IssuerName;

    const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";

    #[test]
    fn a_template_takes_one_well_formed_segment() {
        let template = IssuerName::read(TEMPLATE);
        for tenant in
            ["t", "T1", "9188040d-6c67-4c5b-b112-36a304b66dad", "a.b", "...", "{t}", "v2.0", "t%2Fu", "tenañt"]
        {
            let name = format!("https://login.example/{tenant}/v2.0");
            assert_eq!(template.tenant_of(&name), Some(tenant), "{name}");
            assert!(template.becomes(&name, Some(tenant)), "{name}");
            assert!(!template.becomes(&name, Some("other")) && !template.becomes(&name, None), "{name}");
        }
    }

    #[test]
    fn nothing_else_fits_a_template() {
        let template = IssuerName::read(TEMPLATE);
        for name in [
            "",
            "https://login.example/",
            "https://login.example/v2.0",
            "https://login.example//v2.0",
            "https://login.example/./v2.0",
            "https://login.example/../v2.0",
            "https://login.example/{tenantid}/v2.0",
            "https://login.example/a/b/v2.0",
            "https://login.example/a?b/v2.0",
            "https://login.example/a#b/v2.0",
            "https://login.example/a\\b/v2.0",
            "https://login.example/a b/v2.0",
            "https://login.example/a\u{a0}b/v2.0",
            "https://login.example/a\n/v2.0",
            "https://login.example/a\0/v2.0",
            "https://login.example/a\u{85}/v2.0",
            "https://login.example/t/v2.0/",
            "https://login.example/t/v2.0\n",
            " https://login.example/t/v2.0",
            "https://login.example/t/V2.0",
            "http://login.example/t/v2.0",
            "https://login.example.evil/t/v2.0",
        ] {
            assert_eq!(template.tenant_of(name), None, "{name:?}");
            assert!(!template.is_literally(name), "{name:?}");
        }
    }

    #[test]
    fn the_ends_of_a_template_do_not_overlap() {
        let template = IssuerName::read("ab{tenantid}ba");
        assert_eq!(template.tenant_of("aba"), None);
        assert_eq!(template.tenant_of("abba"), None);
        assert_eq!(template.tenant_of("abxba"), Some("x"));
        assert_eq!(IssuerName::read("{tenantid}").tenant_of("t"), Some("t"));
    }

    #[test]
    fn a_template_with_two_places_is_nobody() {
        for text in
            ["https://l.example/{tenantid}/{tenantid}", "{tenantid}{tenantid}", "{tenantid}{tenantid}{tenantid}"]
        {
            let name = IssuerName::read(text);
            for iss in [text, "https://l.example/a/a", "aa", "https://l.example/a/{tenantid}"] {
                assert_eq!(name.tenant_of(iss), None);
                assert!(!name.is_literally(iss) && !name.becomes(iss, Some("a")));
            }
        }
    }

    #[test]
    fn a_literal_name_is_compared_character_by_character() {
        let name = IssuerName::read("https://a.example");
        assert!(name.is_literally("https://a.example") && name.becomes("https://a.example", None));
        for other in ["https://a.example/", "https://A.example", "https://a.example ", "https://a.exampl", "a.example"]
        {
            assert!(!name.is_literally(other) && !name.becomes(other, None), "{other:?}");
        }
    }
}
