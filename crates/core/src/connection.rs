//! Connections: a Palette host, a credential for it, a name and a colour.

pub mod check;
pub mod connect;
pub mod demo;
pub mod edit;
pub(crate) mod identity;
pub(crate) mod live;
pub mod own_key;
pub mod remove;
pub(crate) mod renewal;
pub mod select;
pub mod sign_in;
pub mod signing;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Colours a connection may wear; the window maps them to tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Colour {
    /// The default.
    #[default]
    Indigo,
    /// Teal.
    Teal,
    /// Green.
    Green,
    /// Amber.
    Amber,
    /// Red.
    Red,
    /// Pink.
    Pink,
    /// Grey.
    Grey,
}

/// How a connection signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum SignInMethod {
    /// With an API key, kept in the keychain.
    ApiKey,
    /// With e-mail and password, for one session; nothing of it is kept.
    Password,
}

/// Which proxy a connection uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ProxyChoice {
    /// The one of the system's settings or environment.
    #[default]
    System,
    /// None at all.
    None,
    /// This one.
    Custom {
        /// Its address, such as `http://proxy.example.com:3128`.
        url: String,
    },
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionState {
    /// The server accepted the credential in this run.
    SignedIn,
    /// The credential is at hand but the server could not be reached yet: lists come from the cache.
    Offline,
    /// A person must sign in: a password session ended, or the server refused the credential.
    NeedsSignIn,
    /// The keychain holds the credential but cannot be read now.
    KeychainUnavailable,
}

/// A connection as the window sees it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    /// Names it in every call.
    pub id: String,
    /// As a person named it, else the organization's name.
    pub name: String,
    /// As a person chose it.
    pub colour: Colour,
    /// `host[:port]`, as shown below the name.
    pub host: String,
    /// `scheme://host[:port]`.
    pub origin: String,
    /// How it signs in.
    pub method: SignInMethod,
    /// The caller's e-mail address, when known.
    pub email: Option<String>,
    /// The organization's (tenant's) name, when known.
    pub organization: Option<String>,
    /// The simulator inside the app.
    pub demo: bool,
    /// It trusts an authority of its own beside the system's.
    pub has_ca_certificate: bool,
    /// Which proxy it uses.
    pub proxy: ProxyChoice,
    /// Where it stands.
    pub state: ConnectionState,
    /// Who the credential acts as, when known.
    pub identity: Option<IdentityView>,
    /// Why `state` is not `signedIn`, when known.
    pub problem: Option<crate::Failure>,
    /// True when the credential lives in memory only, until quit.
    pub in_memory_only: bool,
    /// The key it signs in with, and what is to be asked or offered about it.
    pub sign_in: signing::SignInKeyView,
}

/// Whose keys the caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Sees {
    /// "You see every key of acme"
    EveryKey,
    /// "You see your own keys"
    OwnKeys,
}

/// Who the credential acts as, and what that person may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct IdentityView {
    /// uid of the person.
    pub user_uid: String,
    /// uid of the tenant.
    pub tenant_uid: String,
    /// The organization's (tenant's) name.
    pub organization: String,
    /// First and last name, else e-mail, else the uid.
    pub name: String,
    /// E-mail address, when known.
    pub email: Option<String>,
    /// Names of the roles, as far as they may be read.
    pub roles: Vec<String>,
    /// Whose keys the caller sees.
    pub sees: Sees,
    /// May make keys for other people.
    pub may_create_for_others: bool,
    /// May read who is in the organization.
    pub may_list_people: bool,
    /// May read the server's audit entries.
    pub may_read_audits: bool,
}

/// What was understood of a typed address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AddressView {
    /// `scheme://host[:port]`.
    pub origin: String,
    /// `host[:port]`.
    pub host: String,
    /// True when something typed (path, query, scheme) was dropped: the window then says what it understood.
    pub adjusted: bool,
}

/// A typed address to be understood.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AddressRequest {
    /// As it was typed.
    pub address: String,
}

/// The credential a person typed. Goes in, never comes out: no `Debug`.
#[derive(Deserialize, TS)]
#[serde(tag = "method", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SignIn {
    /// With an API key.
    ApiKey {
        /// The key's value; a pasted line break or space around it is dropped.
        #[ts(type = "string")]
        api_key: crate::Secret,
    },
    /// With e-mail and password.
    Password {
        /// E-mail address.
        email: String,
        /// Empty: let the server decide.
        organization: String,
        /// The password; used once, never kept.
        #[ts(type = "string")]
        password: crate::Secret,
    },
}

/// Make a connection and sign in.
#[derive(Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// As it was typed.
    pub address: String,
    /// The credential.
    pub sign_in: SignIn,
    /// Empty: the organization's name.
    pub name: String,
    /// As the person chose it.
    pub colour: Colour,
    /// PEM text of an extra certificate authority, added to the system's.
    pub ca_certificate: Option<String>,
    /// Which proxy to use.
    pub proxy: ProxyChoice,
    /// Keep the credential in memory until quit instead of in the keychain.
    pub in_memory_only: bool,
}

/// Sign in again to a connection that needs it.
#[derive(Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignInRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// The credential.
    pub sign_in: SignIn,
}

/// A fresh connection with the words for the result line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectView {
    /// The connection.
    pub connection: ConnectionView,
    /// Which keychain will hold secrets.
    pub keychain: crate::keychain::KeychainView,
}

/// Names one connection.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRequest {
    /// Id of the connection.
    pub connection: String,
}

/// Change how a connection is shown, and the way to its host. The host itself and the person never
/// change: that would be another connection.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EditConnectionRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// The name it shall have.
    pub name: String,
    /// The colour it shall have.
    pub colour: Colour,
    /// What becomes of the authority that it trusts beside the system's.
    pub certificate: CertificateChange,
    /// The proxy it shall use.
    pub proxy: ProxyChoice,
}

/// What becomes of a connection's extra authority.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum CertificateChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// Only those of the system are trusted.
    Remove,
    /// This one is added to those of the system.
    Replace {
        /// In PEM.
        pem: String,
    },
}

/// What removing a connection would take from this computer, and what stands against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RemovalView {
    /// Names of the keys whose values leave the keychain, in the order of the alphabet.
    pub stored: Vec<String>,
    /// Its sign-in leaves the keychain as well.
    pub has_credential: bool,
    /// Revocations and deletions that the server has not confirmed: they still need it.
    pub waiting: u32,
    /// The key whose new value was made with it and that nobody has kept yet.
    pub not_kept: Option<String>,
}

/// Which person of the demo tenant to be.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum DemoPerson {
    /// A tenant admin.
    Admin,
    /// A plain user.
    User,
}

/// Open the demo tenant.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DemoRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Whom to be.
    pub person: DemoPerson,
}
