//! The README's example of a validator of one's own, complete: from `use wrongkey::jose` on it is what stands there.

/// Stands for the code that a service ships.
mod our_service {
    use wrongkey::jose::{NumericDate, Token};
    use wrongkey::policy::TrustPolicy;
    use wrongkey::validator::reference::Reference;
    use wrongkey::validator::{Configured, Validator as _, Verdict};

    #[derive(Default)]
    pub(crate) struct Gate(Reference);

    pub(crate) struct User {
        pub(crate) issuer: Option<String>,
        pub(crate) subject: Option<String>,
        pub(crate) tenant: Option<String>,
    }

    impl Gate {
        pub(crate) fn trust(&mut self, policy: &TrustPolicy) -> Result<(), String> {
            match self.0.configure(policy) {
                Ok(Configured::Ready) => Ok(()),
                Ok(Configured::Skip(reason)) => Err(reason),
                Err(fault) => Err(fault.to_string()),
            }
        }

        pub(crate) fn authenticate(&mut self, token: &str, now: i64) -> Result<User, String> {
            match self.0.validate(&Token::new(token), NumericDate(now)) {
                Ok(Verdict::Accept { identity: Some(who), .. }) => {
                    Ok(User { issuer: who.iss, subject: who.sub, tenant: who.tenant })
                }
                Ok(Verdict::Reject(reason) | Verdict::Skip(reason)) => Err(reason),
                Ok(Verdict::Accept { identity: None, .. }) => Err("nobody".to_owned()),
                Err(fault) => Err(fault.to_string()),
            }
        }
    }
}

use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::{Clock, Configured, Description, Fault, Identity, Validator, Verdict};

#[derive(Default)]
struct OurGate(our_service::Gate);

impl Validator for OurGate {
    fn describe(&self) -> Description {
        // `Clock::System` if your code reads the machine's clock and cannot be told the time.
        Description::new("our-gate", "1.0.0", Clock::Settable)
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        // Hand over issuers, keys and audiences as production would be configured, and decide nothing here.
        match self.0.trust(policy) {
            Ok(()) => Ok(Configured::Ready),
            Err(unsupported) => Ok(Configured::Skip(unsupported)),
        }
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let text = String::from_utf8_lossy(token.as_bytes());
        Ok(match self.0.authenticate(&text, now.0) {
            Ok(user) => Verdict::accept(Identity {
                iss: user.issuer,
                sub: user.subject,
                tenant: user.tenant,
                ..Identity::default()
            }),
            Err(why) => Verdict::Reject(why),
        })
    }
}

#[test]
fn our_gate_takes_no_wrong_key() {
    wrongkey::harness::check(|| Box::new(OurGate::default()));
}
